SELECT column_name, data_type, comment
FROM duckdb_columns()
WHERE database_name = current_database() AND lower(schema_name) = lower(?) AND lower(table_name) = lower(?)
ORDER BY column_index
