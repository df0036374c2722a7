-- What holds no longer once batches are applied: newer runs, another writer of the same rows, and an earlier load of the same run.
DELETE FROM {{ log_schema | id }}.applied_batches AS a
USING (SELECT unnest(from_json(?, {{ structure | lit }})) AS b) AS n
WHERE a.table_id IS NOT DISTINCT FROM n.b.table_id
  AND (n.b.table_id IS NOT NULL OR lower(a.table_name) = lower(n.b.table_name))
  AND a.account = n.b.account
  AND (a.source <> n.b.source OR a.stream <> n.b.stream OR a.run_id >= n.b.run_id)
