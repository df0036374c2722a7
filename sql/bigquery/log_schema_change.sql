INSERT INTO {{ schema_changes | path }} (run_id, table_name, column_name, field, change, from_type, to_type, changed_at)
SELECT
    @run_id,
    @table_name,
    JSON_VALUE(r, '$.column'),
    JSON_VALUE(r, '$.field'),
    JSON_VALUE(r, '$.change'),
    JSON_VALUE(r, '$.from'),
    JSON_VALUE(r, '$.to'),
    @changed_at
FROM UNNEST(JSON_QUERY_ARRAY(PARSE_JSON(@rows), '$')) AS r
