-- A change set of inserts only: nothing of the target is read.
INSERT INTO {{ target | path }} (
{% for column in columns %}
    {{ column.name | id }},
{% endfor %}
    _etl_synced, _etl_operation, _etl_account, _etl_row_hash
)
SELECT
{% for column in columns %}
    {%+ if column.type == "JSON" %}PARSE_JSON(s.{{ column.name | id }}, wide_number_mode => 'round'){% elif column.type == "DATETIME" %}DATETIME(s.{{ column.name | id }}, 'UTC'){% else %}s.{{ column.name | id }}{% endif %},
{% endfor %}
    @synced, 'INSERT', s._etl_account, s._etl_row_hash
FROM {{ rows | path }} AS s
