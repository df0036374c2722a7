WITH staged AS (
    SELECT _etl_account, count(*) AS staged
    FROM temp.staging
    GROUP BY _etl_account
),
acted AS (
    SELECT
        _etl_account,
        count(*) FILTER (action = 'INSERT') AS inserted,
        count(*) FILTER (action = 'UPDATE') AS updated
    FROM temp.changes
    GROUP BY _etl_account
),
{% if replace %}
net AS (
    SELECT
        _etl_account,
        sum(greatest(rows_staged - rows_there, 0)) AS inserted,
        sum(CASE WHEN goes THEN rows_there - rows_staged ELSE 0 END) AS deleted,
        sum(least(rows_staged, rows_there)) AS unchanged
    FROM temp.contents
    GROUP BY _etl_account
),
{% elif deletions %}
net AS (
    SELECT _etl_account, count(*) AS deleted
    FROM temp.deletions
    GROUP BY _etl_account
),
{% endif %}
live AS (
{% if table_exists %}
    SELECT t._etl_account, count(*) FILTER (t._etl_operation <> 'DELETE') AS live, max(t._etl_synced) AS newest
    FROM {{ schema | id }}.{{ table | id }} AS t
    JOIN temp.units USING (_etl_account)
    GROUP BY t._etl_account
{% else %}
    SELECT NULL::VARCHAR AS _etl_account, 0::BIGINT AS live, NULL::TIMESTAMP AS newest WHERE false
{% endif %}
),
different AS (
    SELECT _etl_account, count(*) AS different
    FROM {{ distinct_from }}
    GROUP BY _etl_account
)
SELECT
    u._etl_account,
    coalesce(staged, 0)::UBIGINT AS staged,
    coalesce(different, 0)::UBIGINT AS different,
{% if replace %}
    coalesce(net.inserted, 0)::UBIGINT AS inserted,
    0::UBIGINT AS updated,
    coalesce(net.deleted, 0)::UBIGINT AS deleted,
    coalesce(net.unchanged, 0)::UBIGINT AS unchanged,
{% else %}
    coalesce(acted.inserted, 0)::UBIGINT AS inserted,
    coalesce(acted.updated, 0)::UBIGINT AS updated,
    {% if deletions %}coalesce(net.deleted, 0){% else %}0{% endif %}::UBIGINT AS deleted,
    greatest(coalesce(different, 0) - coalesce(acted.inserted, 0) - coalesce(acted.updated, 0), 0)::UBIGINT AS unchanged,
{% endif %}
    coalesce(live, 0)::UBIGINT AS live,
    epoch_us(newest)::BIGINT AS newest
FROM temp.units AS u
LEFT JOIN staged USING (_etl_account)
LEFT JOIN acted USING (_etl_account)
{% if replace or deletions %}
LEFT JOIN net USING (_etl_account)
{% endif %}
LEFT JOIN live USING (_etl_account)
LEFT JOIN different USING (_etl_account)
