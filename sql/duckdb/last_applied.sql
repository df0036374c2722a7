SELECT max(run_id)
FROM {{ log_schema | id }}.etl_logs
WHERE stage = 'load' AND status = 'done' AND source = ? AND account = ? AND stream = ?
