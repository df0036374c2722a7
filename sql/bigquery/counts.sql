-- What the change set would do to each account's rows.
WITH staged AS (
    SELECT _etl_account, COUNT(*) AS staged
    FROM {{ staging | path }}
    GROUP BY _etl_account
),
net AS (
{{ net }}
),
live AS (
{% if table_exists %}
    SELECT _etl_account, COUNTIF(_etl_operation <> 'DELETE') AS live, MAX(_etl_synced) AS newest
    FROM {{ target | path }}
    WHERE _etl_account IN UNNEST(@accounts)
    GROUP BY _etl_account
{% else %}
    SELECT _etl_account, 0 AS live, CAST(NULL AS TIMESTAMP) AS newest
    FROM staged
{% endif %}
)
SELECT
    u,
    COALESCE(staged.staged, 0),
    COALESCE(net.different, 0),
    COALESCE(net.inserted, 0),
    COALESCE(net.updated, 0),
    COALESCE(net.deleted, 0),
    COALESCE(net.unchanged, 0),
    COALESCE(net.written, 0),
    COALESCE(live.live, 0),
    UNIX_MICROS(live.newest)
FROM UNNEST(@accounts) AS u
LEFT JOIN staged ON staged._etl_account = u
LEFT JOIN net ON net._etl_account = u
LEFT JOIN live ON live._etl_account = u
