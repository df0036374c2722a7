    SELECT
        account AS _etl_account,
        different.different,
        COALESCE(acted.inserted, 0) AS inserted,
        COALESCE(acted.updated, 0) AS updated,
        COALESCE(acted.deleted, 0) AS deleted,
        GREATEST(COALESCE(different.different, 0) - COALESCE(acted.inserted, 0) - COALESCE(acted.updated, 0), 0) AS unchanged,
        COALESCE(acted.inserted, 0) + COALESCE(acted.updated, 0) AS written
    FROM UNNEST(@accounts) AS account
    LEFT JOIN (
        SELECT _etl_account, COUNT(*) AS different
        FROM (
            SELECT DISTINCT
                _etl_account{% for key in keys %},
                {%+ if key.kind == "json" %}TO_JSON_STRING(PARSE_JSON({{ key.name | id }}, wide_number_mode => 'round')){% elif key.kind == "float" %}CAST({{ key.name | id }} AS STRING){% elif key.kind == "datetime" %}DATETIME({{ key.name | id }}, 'UTC'){% else %}{{ key.name | id }}{% endif %} AS key_{{ loop.index0 }}{% endfor %}

            FROM {{ staging | path }}
        )
        GROUP BY _etl_account
    ) AS different ON different._etl_account = account
    LEFT JOIN (
        SELECT
            _etl_account,
            COUNTIF(_etl_action = 'INSERT') AS inserted,
            COUNTIF(_etl_action = 'UPDATE') AS updated,
            COUNTIF(_etl_action = 'DELETE') AS deleted
        FROM {{ changes | path }}
        GROUP BY _etl_account
    ) AS acted ON acted._etl_account = account
