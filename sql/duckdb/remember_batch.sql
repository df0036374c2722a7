INSERT INTO {{ log_schema | id }}.applied_batches
    (table_name, table_id, source, account, stream, run_id, mode, state, synced, applied_at)
SELECT
    n.b.table_name, n.b.table_id, n.b.source, n.b.account, n.b.stream, n.b.run_id, n.b.mode, n.b.state,
    n.b.synced::TIMESTAMP, n.b.applied_at::TIMESTAMP
FROM (SELECT unnest(from_json(?, {{ structure | lit }})) AS b) AS n
