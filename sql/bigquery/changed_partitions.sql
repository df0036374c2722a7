-- The days of the target's rows that change; NULL for rows without one.
SELECT DISTINCT CAST(_etl_partition AS STRING)
FROM {{ changes | path }}
WHERE _etl_action <> 'INSERT'
    AND _etl_account NOT IN UNNEST(@excluded)
    AND NOT (_etl_action = 'DELETE' AND _etl_account IN UNNEST(@keep))
