-- What the change set would do to each account's rows.
WITH staged AS (
    SELECT _etl_account, count(*) AS staged
    FROM temp.staging
    GROUP BY _etl_account
),
net AS (
{{ net }}
),
live AS (
{% if table_exists %}
    SELECT t._etl_account, count(*) FILTER (t._etl_operation <> 'DELETE') AS live, max(t._etl_synced) AS newest
    FROM {{ schema | id }}.{{ table | id }} AS t
    JOIN temp.units USING (_etl_account)
    GROUP BY t._etl_account
{% else %}
    SELECT NULL::VARCHAR AS _etl_account, 0::BIGINT AS live, NULL::TIMESTAMP AS newest WHERE false
{% endif %}
)
SELECT
    u._etl_account,
    coalesce(staged, 0)::UBIGINT AS staged,
    coalesce(different, 0)::UBIGINT AS different,
    coalesce(inserted, 0)::UBIGINT AS inserted,
    coalesce(updated, 0)::UBIGINT AS updated,
    coalesce(deleted, 0)::UBIGINT AS deleted,
    coalesce(unchanged, 0)::UBIGINT AS unchanged,
    coalesce(written, 0)::UBIGINT AS written,
    coalesce(live, 0)::UBIGINT AS live,
    epoch_us(newest)::BIGINT AS newest
FROM temp.units AS u
LEFT JOIN staged USING (_etl_account)
LEFT JOIN net USING (_etl_account)
LEFT JOIN live USING (_etl_account)
