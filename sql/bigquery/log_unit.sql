-- One row a unit, stage and run. A repeated load that changes nothing leaves the first load's row, which tells what happened.
MERGE INTO {{ logs | path }} AS t
USING (
    SELECT
        JSON_VALUE(r, '$.source') AS source,
        JSON_VALUE(r, '$.account') AS account,
        JSON_VALUE(r, '$.stream') AS stream,
        JSON_VALUE(r, '$.table_name') AS table_name,
        JSON_VALUE(r, '$.status') AS status,
        JSON_VALUE(r, '$.mode') AS mode,
        CAST(JSON_VALUE(r, '$.rows_extracted') AS INT64) AS rows_extracted,
        CAST(JSON_VALUE(r, '$.rows_inserted') AS INT64) AS rows_inserted,
        CAST(JSON_VALUE(r, '$.rows_updated') AS INT64) AS rows_updated,
        CAST(JSON_VALUE(r, '$.rows_deleted') AS INT64) AS rows_deleted,
        CAST(JSON_VALUE(r, '$.rows_rejected') AS INT64) AS rows_rejected,
        CAST(JSON_VALUE(r, '$.bytes') AS INT64) AS bytes,
        CAST(JSON_VALUE(r, '$.started_at') AS TIMESTAMP) AS started_at,
        CAST(JSON_VALUE(r, '$.finished_at') AS TIMESTAMP) AS finished_at,
        CAST(JSON_VALUE(r, '$.duration_ms') AS INT64) AS duration_ms,
        JSON_VALUE(r, '$.error') AS error,
        CAST(JSON_VALUE(r, '$.bytes_processed') AS INT64) AS bytes_processed,
        CAST(JSON_VALUE(r, '$.bytes_billed') AS INT64) AS bytes_billed,
        JSON_VALUE(r, '$.changed') = 'true' AS changed
    FROM UNNEST(JSON_QUERY_ARRAY(PARSE_JSON(@rows), '$')) AS r
) AS s
ON t.run_id = @run_id AND t.stage = @stage AND t.source = s.source AND t.account = s.account AND t.stream = s.stream
WHEN MATCHED AND (t.status <> 'done' OR (s.status = 'done' AND s.changed)) THEN UPDATE SET
    table_name = s.table_name,
    status = s.status,
    mode = s.mode,
    rows_extracted = s.rows_extracted,
    rows_inserted = s.rows_inserted,
    rows_updated = s.rows_updated,
    rows_deleted = s.rows_deleted,
    rows_rejected = s.rows_rejected,
    bytes = s.bytes,
    started_at = s.started_at,
    finished_at = s.finished_at,
    duration_ms = s.duration_ms,
    error = s.error,
    bytes_processed = s.bytes_processed,
    bytes_billed = s.bytes_billed
WHEN NOT MATCHED THEN INSERT (
    run_id, stage, source, account, stream, table_name, status, mode, rows_extracted, rows_inserted, rows_updated, rows_deleted,
    rows_rejected, bytes, started_at, finished_at, duration_ms, error, bytes_processed, bytes_billed
) VALUES (
    @run_id, @stage, s.source, s.account, s.stream, s.table_name, s.status, s.mode, s.rows_extracted, s.rows_inserted, s.rows_updated,
    s.rows_deleted, s.rows_rejected, s.bytes, s.started_at, s.finished_at, s.duration_ms, s.error, s.bytes_processed, s.bytes_billed
)
