-- The staged records that are to be written, sixty of them a row: which sixty, and a bit for each.
SELECT (_etl_seq // 60)::UBIGINT AS block, bit_or(1::BIGINT << (_etl_seq % 60))::UBIGINT AS bits
FROM temp.changes
GROUP BY block
