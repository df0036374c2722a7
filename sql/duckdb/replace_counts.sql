    SELECT
        _etl_account,
        sum(rows_staged) AS different,
        sum(greatest(rows_staged - rows_there, 0)) AS inserted,
        0 AS updated,
        sum(CASE WHEN goes THEN rows_there - rows_staged ELSE 0 END) AS deleted,
        sum(least(rows_staged, rows_there)) AS unchanged,
        any_value(written) AS written
    FROM temp.contents
    LEFT JOIN (
        SELECT _etl_account, count(*) AS written
        FROM temp.changes
        GROUP BY _etl_account
    ) USING (_etl_account)
    GROUP BY _etl_account
