SELECT status
FROM {{ log_schema | id }}.etl_logs
WHERE run_id = ? AND stage = ? AND source = ? AND account = ? AND stream = ?
