-- New rows straight into the target, as the program hands them over.
INSERT INTO {{ schema | id }}.{{ table | id }} (
{% for column in columns %}
    {{ column.name | id }},
{% endfor %}
    _etl_synced, _etl_operation, _etl_account, _etl_row_hash
)
SELECT
{% for column in columns %}
    {{ column.name | id }}{{ column.cast }},
{% endfor %}
    ?::TIMESTAMP, 'INSERT', _etl_account, _etl_row_hash
FROM {{ source }}
