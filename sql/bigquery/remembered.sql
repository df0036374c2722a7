-- The newest batches are enough: an extract begins with the state of one of the last loads. Backfills have no state, and push none out.
SELECT table_name, table_id, source, account, stream, run_id, mode, state, UNIX_MICROS(synced)
FROM {{ applied_batches | path }}
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY table_name, table_id, source, account, stream, mode = 'window'
    ORDER BY applied_at DESC, run_id DESC
) <= 20
ORDER BY applied_at DESC, run_id DESC
