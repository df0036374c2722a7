-- 2^53: up to there every whole number is a double.
SELECT COUNTIF(_etl_t.{{ column | id }} > 9007199254740992 OR _etl_t.{{ column | id }} < -9007199254740992) = 0
FROM {{ target | path }} AS _etl_t
