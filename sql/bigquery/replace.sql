-- Contents that are there too often leave and come back as often as they are staged, in one atomic statement.
MERGE INTO {{ target | path }} AS _etl_t
USING (
    SELECT
{% for column in columns %}
        {%+ if column.type == "JSON" %}PARSE_JSON(s.{{ column.name | id }}, wide_number_mode => 'round'){% elif column.type == "DATETIME" %}DATETIME(s.{{ column.name | id }}, 'UTC'){% else %}s.{{ column.name | id }}{% endif %} AS {{ column.name | id }},
{% endfor %}
        c._etl_account,
        c._etl_action,
        c._etl_row_hash
    FROM {{ changes | path }} AS c
    LEFT JOIN {{ rows | path }} AS s
        ON s._etl_account = c._etl_account AND s._etl_seq = c._etl_seq
    WHERE c._etl_account NOT IN UNNEST(@excluded)
) AS s
ON _etl_t._etl_account = s._etl_account AND _etl_t._etl_row_hash = s._etl_row_hash AND s._etl_action = 'REMOVE' AND _etl_t._etl_operation <> 'DELETE'
WHEN MATCHED THEN DELETE
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
