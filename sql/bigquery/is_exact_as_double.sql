-- 2^53: up to there every whole number is a double.
SELECT COUNTIF({{ column | id }} > 9007199254740992 OR {{ column | id }} < -9007199254740992) = 0
FROM {{ target | path }}
