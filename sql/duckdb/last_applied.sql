-- The run applied last, by when it was applied; one that is ahead of the clock comes after all others.
SELECT run_id, coalesce(epoch_us(coalesce(finished_at, started_at)), 0)
FROM {{ log_schema | id }}.etl_logs
WHERE stage = 'load' AND status = 'done' AND source = ? AND account = ? AND stream = ?
ORDER BY coalesce(finished_at > ?::TIMESTAMP, false) OR run_id > ?, coalesce(finished_at, started_at) DESC NULLS LAST, run_id DESC
LIMIT 1
