    SELECT
        _etl_account,
        different,
        coalesce(inserted, 0) AS inserted,
        coalesce(updated, 0) AS updated,
        coalesce(deleted, 0) AS deleted,
        greatest(coalesce(different, 0) - coalesce(inserted, 0) - coalesce(updated, 0), 0) AS unchanged,
        coalesce(inserted, 0) + coalesce(updated, 0) AS written
    FROM temp.units
    LEFT JOIN (
        SELECT _etl_account, count(*) AS different
        FROM temp.winners
        GROUP BY _etl_account
    ) USING (_etl_account)
    LEFT JOIN (
        SELECT
            _etl_account,
            count(*) FILTER (action = 'INSERT') AS inserted,
            count(*) FILTER (action = 'UPDATE') AS updated
        FROM temp.changes
        GROUP BY _etl_account
    ) USING (_etl_account)
    LEFT JOIN (
        SELECT _etl_account, count(*) AS deleted
        FROM temp.deletions
        GROUP BY _etl_account
    ) USING (_etl_account)
