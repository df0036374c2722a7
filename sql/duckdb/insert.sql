-- Rows straight into the target, as the program hands them over.
INSERT INTO {{ schema | id }}.{{ table | id }} (
{% for column in columns %}
    {{ column.name | id }},
{% endfor %}
    _etl_synced, _etl_operation, _etl_account, _etl_row_hash
)
SELECT
{% for column in columns %}
    s.{{ column.name | id }},
{% endfor %}
    ?::TIMESTAMP, {% if all_new %}'INSERT'{% else %}c.action{% endif %}, s._etl_account, s._etl_row_hash
FROM {{ source }} AS s
{% if not all_new %}
JOIN temp.changes AS c ON c._etl_seq = s._etl_seq
{% endif %}
