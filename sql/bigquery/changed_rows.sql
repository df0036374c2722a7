-- The staged records that are to be written, sixty of them a row: which sixty, and a bit for each.
SELECT DIV(_etl_seq, 60), BIT_OR(CAST(1 AS INT64) << MOD(_etl_seq, 60))
FROM {{ changes | path }}
WHERE _etl_action IN ('INSERT', 'UPDATE')
GROUP BY 1
