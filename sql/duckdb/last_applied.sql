-- The run applied last to each unit, by when it was applied; one that is ahead of the clock comes after all others.
SELECT source, account, stream, run_id, coalesce(epoch_us(coalesce(finished_at, started_at)), 0)
FROM {{ log_schema | id }}.etl_logs
WHERE stage = 'load' AND status = 'done'
QUALIFY row_number() OVER (
    PARTITION BY source, account, stream
    ORDER BY coalesce(finished_at > ?::TIMESTAMP, false) OR run_id > ?, coalesce(finished_at, started_at) DESC NULLS LAST, run_id DESC
) = 1
