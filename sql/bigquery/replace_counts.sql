    SELECT
        account AS _etl_account,
        all_staged.different,
        COALESCE(acted.inserted, 0) AS inserted,
        0 AS updated,
        COALESCE(acted.deleted, 0) AS deleted,
        COALESCE(all_staged.different, 0) - COALESCE(acted.inserted, 0) AS unchanged,
        COALESCE(acted.written, 0) AS written
    FROM UNNEST(@accounts) AS account
    LEFT JOIN (
        SELECT _etl_account, COUNT(*) AS different
        FROM {{ staging | path }}
        GROUP BY _etl_account
    ) AS all_staged ON all_staged._etl_account = account
    LEFT JOIN (
        SELECT
            _etl_account,
            SUM(IF(_etl_action = 'INSERT', _etl_rows, 0)) AS inserted,
            SUM(IF(_etl_action = 'REMOVE', _etl_rows, 0)) AS deleted,
            COUNTIF(_etl_action = 'INSERT') AS written
        FROM {{ changes | path }}
        GROUP BY _etl_account
    ) AS acted ON acted._etl_account = account
