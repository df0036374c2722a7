-- What a row lacks it gets. The hash is no record's, so that the next load writes each of them once.
UPDATE {{ target | path }} SET
    _etl_synced = COALESCE(_etl_synced, @synced),
    _etl_operation = IF(UPPER(_etl_operation) IN ('INSERT', 'UPDATE', 'DELETE'), UPPER(_etl_operation), 'INSERT'),
    _etl_account = COALESCE(_etl_account, @account),
    _etl_row_hash = COALESCE(_etl_row_hash, '')
WHERE _etl_account IS NULL
    OR _etl_synced IS NULL
    OR _etl_row_hash IS NULL
    OR _etl_operation IS NULL
    OR _etl_operation NOT IN ('INSERT', 'UPDATE', 'DELETE')
