-- What holds no longer once a batch is applied: newer runs, another writer of the same rows, and an earlier load of the same run.
DELETE FROM {{ log_schema | id }}.applied_batches AS a
USING (SELECT ?::VARCHAR AS id, ?::VARCHAR AS name, ?::VARCHAR AS account, ?::VARCHAR AS source, ?::VARCHAR AS stream, ?::VARCHAR AS run_id) AS b
WHERE a.table_id IS NOT DISTINCT FROM b.id
  AND (b.id IS NOT NULL OR lower(a.table_name) = lower(b.name))
  AND a.account = b.account
  AND (a.source <> b.source OR a.stream <> b.stream OR a.run_id >= b.run_id)
