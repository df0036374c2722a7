-- The change set in one atomic statement. Only a row that the change set calls new is inserted.
MERGE INTO {{ target | path }} AS _etl_t
USING (
    SELECT
{% for column in columns %}
        {%+ if column.type == "JSON" %}PARSE_JSON(s.{{ column.name | id }}, wide_number_mode => 'round'){% elif column.type == "DATETIME" %}DATETIME(s.{{ column.name | id }}, 'UTC'){% else %}s.{{ column.name | id }}{% endif %} AS {{ column.name | id }},
{% endfor %}
{% for key in keys %}
        c.key_{{ loop.index0 }} AS _etl_key_{{ loop.index0 }},
{% endfor %}
        c._etl_account,
        c._etl_action,
        s._etl_row_hash
    FROM {{ changes | path }} AS c
    LEFT JOIN {{ rows | path }} AS s
        ON s._etl_account = c._etl_account AND s._etl_seq = c._etl_seq
    WHERE c._etl_account NOT IN UNNEST(@excluded)
        AND NOT (c._etl_action = 'DELETE' AND c._etl_account IN UNNEST(@keep))
{% if spare %}
        AND NOT (c._etl_action = 'DELETE' AND TO_JSON_STRING([c._etl_account{% for key in keys %}, CAST(c.key_{{ loop.index0 }} AS STRING){% endfor %}]) IN UNNEST(@spare))
{% endif %}
) AS s
ON _etl_t._etl_account = s._etl_account{% for key in keys %} AND {% if key.kind == "json" %}TO_JSON_STRING(_etl_t.{{ key.name | id }}){% elif key.kind == "float" %}CAST(_etl_t.{{ key.name | id }} AS STRING){% else %}_etl_t.{{ key.name | id }}{% endif %} = s._etl_key_{{ loop.index0 }}{% endfor %}

{% if partition %}
    -- The partitions of the rows that change, as constants: no other partition is read.
    AND (
        {% for range in ranges %}{% if not loop.first %} OR {% endif %}(_etl_t.{{ partition | id }} >= {{ range.from }}{% if range.to %} AND _etl_t.{{ partition | id }} < {{ range.to }}{% endif %}){% endfor %}{% if without_partition %}{% if ranges %} OR {% endif %}_etl_t.{{ partition | id }} IS NULL{% endif %}{% if not ranges and not without_partition %}FALSE{% endif %}

    )
{% endif %}
{% if deletions %}
WHEN MATCHED AND s._etl_action = 'DELETE' THEN UPDATE SET
    _etl_synced = @synced,
    _etl_operation = 'DELETE'
{% endif %}
WHEN MATCHED AND s._etl_action = 'UPDATE' THEN UPDATE SET
{% for column in columns %}
    {{ column.name | id }} = s.{{ column.name | id }},
{% endfor %}
    _etl_synced = @synced,
    _etl_operation = 'UPDATE',
    _etl_row_hash = s._etl_row_hash
WHEN NOT MATCHED AND s._etl_action = 'INSERT' THEN INSERT (
{% for column in columns %}
    {{ column.name | id }},
{% endfor %}
    _etl_synced, _etl_operation, _etl_account, _etl_row_hash
) VALUES (
{% for column in columns %}
    s.{{ column.name | id }},
{% endfor %}
    @synced, 'INSERT', s._etl_account, s._etl_row_hash
)
