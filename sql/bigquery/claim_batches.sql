-- What was applied before there was a table belongs to the one that is made then.
UPDATE {{ applied_batches | path }} SET table_id = @table_id
WHERE table_id IS NULL AND LOWER(table_name) = LOWER(@table_name)
