INSERT INTO {{ log_schema | id }}.schema_changes
    (run_id, table_name, column_name, field, change, from_type, to_type, changed_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?::TIMESTAMP)
