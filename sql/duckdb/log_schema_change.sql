INSERT INTO {{ log_schema | id }}.schema_changes
VALUES (?, ?, ?, ?, ?, ?, ?, ?::TIMESTAMP)
