-- What a row lacks it gets. The hash is no record's, so that the next load writes each of them once.
UPDATE {{ schema | id }}.{{ table | id }} SET
    _etl_synced = coalesce(_etl_synced, ?::TIMESTAMP),
    _etl_operation = CASE WHEN upper(_etl_operation) IN ('INSERT', 'UPDATE', 'DELETE') THEN upper(_etl_operation) ELSE 'INSERT' END,
    _etl_account = coalesce(_etl_account, ?),
    _etl_row_hash = coalesce(_etl_row_hash, '')
WHERE _etl_account IS NULL
    OR _etl_synced IS NULL
    OR _etl_row_hash IS NULL
    OR _etl_operation IS NULL
    OR _etl_operation NOT IN ('INSERT', 'UPDATE', 'DELETE')
