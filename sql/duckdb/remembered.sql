-- The newest batches are enough: an extract begins with the state of one of the last loads. Backfills have no state, and push none out.
SELECT table_name, table_id, source, account, stream, run_id, mode, state, epoch_us(synced)::BIGINT AS synced
FROM {{ log_schema | id }}.applied_batches
QUALIFY row_number() OVER (
    PARTITION BY table_name, table_id, source, account, stream, mode = 'window'
    ORDER BY applied_at DESC, run_id DESC
) <= 20
ORDER BY applied_at DESC, run_id DESC
