-- 2^53: up to there every whole number is a double.
SELECT count(*) = 0
FROM {{ schema | id }}.{{ table | id }}
WHERE {{ column | id }} > 9007199254740992 OR {{ column | id }} < -9007199254740992
