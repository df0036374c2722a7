MERGE INTO {{ schema | id }}.{{ table | id }} AS t
USING (
    SELECT
{% for column in columns %}
        s.{{ column.name | id }}{{ column.cast }} AS {{ column.name | id }},
{% endfor %}
        s._etl_account, s._etl_row_hash, c.action AS _etl_action
    FROM temp.rows AS s
    JOIN temp.changes AS c ON c._etl_seq = s._etl_seq
{% if deletions %}
    UNION ALL BY NAME
    SELECT _etl_account{% for key in keys %}, {{ key.name | id }}{% endfor %}, 'DELETE' AS _etl_action
    FROM temp.deletions
{% endif %}
) AS s
ON t._etl_account = s._etl_account{% for key in keys %} AND t.{{ key.name | id }} = s.{{ key.name | id }}{% endfor %}

{% if deletions %}
WHEN MATCHED AND s._etl_action = 'DELETE' THEN UPDATE SET
    _etl_synced = ?::TIMESTAMP,
    _etl_operation = 'DELETE'
{% endif %}
WHEN MATCHED THEN UPDATE SET
{% for column in columns %}
    {{ column.name | id }} = s.{{ column.name | id }},
{% endfor %}
    _etl_synced = ?::TIMESTAMP,
    _etl_operation = 'UPDATE',
    _etl_row_hash = s._etl_row_hash
WHEN NOT MATCHED THEN INSERT (
{% for column in columns %}
    {{ column.name | id }},
{% endfor %}
    _etl_synced, _etl_operation, _etl_account, _etl_row_hash
) VALUES (
{% for column in columns %}
    s.{{ column.name | id }},
{% endfor %}
    ?::TIMESTAMP, 'INSERT', s._etl_account, s._etl_row_hash
)
