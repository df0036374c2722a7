    SELECT
        different._etl_account,
        different.different,
        COALESCE(acted.inserted, 0) AS inserted,
        0 AS updated,
        0 AS deleted,
        different.different - COALESCE(acted.inserted, 0) AS unchanged,
        COALESCE(acted.inserted, 0) AS written
    FROM (
        SELECT _etl_account, COUNT(DISTINCT _etl_row_hash) AS different
        FROM {{ staging | path }}
        GROUP BY _etl_account
    ) AS different
    LEFT JOIN (
        SELECT _etl_account, COUNT(*) AS inserted
        FROM {{ changes | path }}
        GROUP BY _etl_account
    ) AS acted ON acted._etl_account = different._etl_account
