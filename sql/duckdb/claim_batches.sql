-- What was applied before there was a table belongs to the one that is made then.
UPDATE {{ log_schema | id }}.applied_batches SET table_id = ?
WHERE table_id IS NULL AND lower(table_name) = lower(?)
