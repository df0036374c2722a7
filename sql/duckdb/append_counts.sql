    SELECT
        _etl_account,
        different,
        coalesce(inserted, 0) AS inserted,
        0 AS updated,
        0 AS deleted,
        greatest(coalesce(different, 0) - coalesce(inserted, 0), 0) AS unchanged,
        coalesce(inserted, 0) AS written
    FROM temp.units
    LEFT JOIN (
        SELECT _etl_account, count(DISTINCT _etl_row_hash) AS different
        FROM temp.staging
        GROUP BY _etl_account
    ) USING (_etl_account)
    LEFT JOIN (
        SELECT _etl_account, count(*) AS inserted
        FROM temp.changes
        GROUP BY _etl_account
    ) USING (_etl_account)
