-- The run applied last to each unit, by when it was applied; one that is ahead of the clock comes after all others.
SELECT source, account, stream, run_id, COALESCE(UNIX_MICROS(COALESCE(finished_at, started_at)), 0)
FROM {{ logs | path }}
WHERE stage = 'load' AND status = 'done'
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY source, account, stream
    ORDER BY IF(COALESCE(finished_at > @latest, FALSE) OR run_id > @latest_id, 1, 0), COALESCE(finished_at, started_at) DESC, run_id DESC
) = 1
