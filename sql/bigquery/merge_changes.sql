-- The change set: one staged row a key (the last by cursor, then by order of arrival) against the target's key, hash and operation only.
CREATE OR REPLACE TABLE {{ changes | path }}
OPTIONS (expiration_timestamp = {{ expires | lit_timestamp }})
AS
WITH staged AS (
    SELECT
        _etl_account,
        _etl_row_hash,
        _etl_seq,
        -- The cursor's place sorts as the extract compares; none sorts first.
        COALESCE(_etl_order, '') AS cursor_place,
{% for key in keys %}
        {%+ if key.kind == "json" %}TO_JSON_STRING(PARSE_JSON({{ key.name | id }}, wide_number_mode => 'round')){% elif key.kind == "float" %}CAST({{ key.name | id }} AS STRING){% elif key.kind == "datetime" %}DATETIME({{ key.name | id }}, 'UTC'){% else %}{{ key.name | id }}{% endif %} AS key_{{ loop.index0 }},
{% endfor %}
    FROM {{ staging | path }}
),
winners AS (
    SELECT *
    FROM staged
    WHERE TRUE
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY _etl_account{% for key in keys %}, key_{{ loop.index0 }}{% endfor %}

        ORDER BY cursor_place DESC, _etl_seq DESC
    ) = 1
)
{% if table_exists %}
, target AS (
    -- Qualified: of a column that is named like its table, the bare name means the whole row.
    SELECT
        _etl_account,
        _etl_row_hash,
        _etl_operation,
{% if partition %}
        _etl_t.{{ partition | id }} AS partition_value,
{% endif %}
{% for key in keys %}
        {%+ if key.kind == "json" %}TO_JSON_STRING(_etl_t.{{ key.name | id }}){% elif key.kind == "float" %}CAST(_etl_t.{{ key.name | id }} AS STRING){% else %}_etl_t.{{ key.name | id }}{% endif %} AS key_{{ loop.index0 }},
{% endfor %}
    FROM {{ target | path }} AS _etl_t
    WHERE _etl_account IN UNNEST(@accounts)
)
SELECT
    COALESCE(s._etl_account, t._etl_account) AS _etl_account,
{% for key in keys %}
    COALESCE(s.key_{{ loop.index0 }}, t.key_{{ loop.index0 }}) AS key_{{ loop.index0 }},
{% endfor %}
    s._etl_seq,
{% if partition %}
    {%+ if partition_type == "TIMESTAMP" %}DATE(t.partition_value, 'UTC'){% else %}CAST(t.partition_value AS DATE){% endif %} AS _etl_partition,
{% endif %}
    CASE
        WHEN s._etl_account IS NULL THEN 'DELETE'
        WHEN t._etl_account IS NULL THEN 'INSERT'
        ELSE 'UPDATE'
    END AS _etl_action
FROM winners AS s
FULL JOIN target AS t
    ON t._etl_account = s._etl_account{% for key in keys %} AND t.key_{{ loop.index0 }} = s.key_{{ loop.index0 }}{% endfor %}

WHERE
    (
        s._etl_account IS NOT NULL
        AND (t._etl_account IS NULL OR t._etl_operation = 'DELETE' OR t._etl_row_hash <> s._etl_row_hash{% if rewrite %} OR TRUE{% endif %})
    )
    -- Live rows that are absent, where such rows are looked for.
    OR (
        s._etl_account IS NULL AND t._etl_operation <> 'DELETE' AND t._etl_account IN UNNEST(@may_delete)
{% if named %}
        AND (
            t._etl_account NOT IN UNNEST(@named_accounts)
            OR TO_JSON_STRING([t._etl_account{% for key in keys %}, CAST(t.key_{{ loop.index0 }} AS STRING){% endfor %}]) IN UNNEST(@named)
        )
{% endif %}
    )
{% else %}
SELECT
    s._etl_account,
{% for key in keys %}
    s.key_{{ loop.index0 }},
{% endfor %}
    s._etl_seq,
    'INSERT' AS _etl_action
FROM winners AS s
{% endif %}
