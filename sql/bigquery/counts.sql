-- What the change set would do to each account's rows.
WITH staged AS (
    SELECT _etl_account, COUNT(*) AS staged
    FROM {{ staging | path }}
    GROUP BY _etl_account
),
different AS (
    SELECT _etl_account, COUNT(*) AS different
{% if write == "merge" %}
    FROM (
        SELECT DISTINCT
            _etl_account{% for key in keys %},
            {%+ if key.kind == "json" %}TO_JSON_STRING(PARSE_JSON({{ key.name | id }}, wide_number_mode => 'round')){% elif key.kind == "float" %}CAST({{ key.name | id }} AS STRING){% elif key.kind == "datetime" %}DATETIME({{ key.name | id }}, 'UTC'){% else %}{{ key.name | id }}{% endif %} AS key_{{ loop.index0 }}{% endfor %}

        FROM {{ staging | path }}
    )
{% elif write == "append" %}
    FROM (SELECT DISTINCT _etl_account, _etl_row_hash FROM {{ staging | path }})
{% else %}
    FROM {{ staging | path }}
{% endif %}
    GROUP BY _etl_account
),
acted AS (
    SELECT
        _etl_account,
{% if write == "replace" %}
        SUM(IF(_etl_action = 'INSERT', _etl_rows, 0)) AS inserted,
        0 AS updated,
        SUM(IF(_etl_action = 'REMOVE', _etl_rows, 0)) AS deleted
{% else %}
        COUNTIF(_etl_action = 'INSERT') AS inserted,
        COUNTIF(_etl_action = 'UPDATE') AS updated,
        COUNTIF(_etl_action = 'DELETE') AS deleted
{% endif %}
    FROM {{ changes | path }}
    GROUP BY _etl_account
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
    COALESCE(different.different, 0),
    COALESCE(acted.inserted, 0),
    COALESCE(acted.updated, 0),
    COALESCE(acted.deleted, 0),
    COALESCE(live.live, 0),
    UNIX_MICROS(live.newest)
FROM UNNEST(@accounts) AS u
LEFT JOIN staged ON staged._etl_account = u
LEFT JOIN different ON different._etl_account = u
LEFT JOIN acted ON acted._etl_account = u
LEFT JOIN live ON live._etl_account = u
