-- What holds no longer once a batch is applied: newer runs, and another writer of the same rows.
DELETE FROM {{ applied_batches | path }}
WHERE COALESCE(table_id, '') = @table_id
  AND (@table_id <> '' OR LOWER(table_name) = LOWER(@table_name))
  AND account = @account
  AND (source <> @source OR stream <> @stream OR run_id > @run_id)
