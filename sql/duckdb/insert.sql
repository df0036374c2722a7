-- A change set of inserts only.
INSERT INTO {{ schema | id }}.{{ table | id }} (
{% for column in columns %}
    {{ column.name | id }},
{% endfor %}
    _etl_synced, _etl_operation, _etl_account, _etl_row_hash
)
SELECT
{% for column in columns %}
    s.{{ column.name | id }}{{ column.cast }},
{% endfor %}
    ?::TIMESTAMP, 'INSERT', s._etl_account, s._etl_row_hash
FROM temp.staging AS s
{% if not whole %}
JOIN temp.changes AS c ON c._etl_seq = s._etl_seq
{% endif %}
