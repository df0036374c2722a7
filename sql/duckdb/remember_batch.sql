INSERT INTO {{ log_schema | id }}.applied_batches
    (table_name, table_id, source, account, stream, run_id, mode, state, synced, applied_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?::TIMESTAMP, ?::TIMESTAMP)
