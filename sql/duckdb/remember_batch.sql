INSERT INTO {{ log_schema | id }}.applied_batches
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?::TIMESTAMP, ?::TIMESTAMP)
