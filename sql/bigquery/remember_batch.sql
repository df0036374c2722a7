-- A row for each batch; one that is applied again and writes nothing keeps the instant of its rows.
MERGE INTO {{ applied_batches | path }} AS t
USING (
    SELECT
        JSON_VALUE(r, '$.source') AS source,
        JSON_VALUE(r, '$.account') AS account,
        JSON_VALUE(r, '$.stream') AS stream,
        JSON_VALUE(r, '$.mode') AS mode,
        JSON_VALUE(r, '$.state') AS state,
        TIMESTAMP_MICROS(CAST(JSON_VALUE(r, '$.synced') AS INT64)) AS synced
    FROM UNNEST(JSON_QUERY_ARRAY(PARSE_JSON(@rows), '$')) AS r
) AS s
ON COALESCE(t.table_id, '') = @table_id AND t.table_name = @table_name AND t.run_id = @run_id
    AND t.source = s.source AND t.account = s.account AND t.stream = s.stream
WHEN MATCHED THEN UPDATE SET mode = s.mode, state = s.state, synced = COALESCE(s.synced, t.synced), applied_at = @applied_at
WHEN NOT MATCHED THEN INSERT (table_name, table_id, source, account, stream, run_id, mode, state, synced, applied_at)
    VALUES (@table_name, NULLIF(@table_id, ''), s.source, s.account, s.stream, @run_id, s.mode, s.state, s.synced, @applied_at)
