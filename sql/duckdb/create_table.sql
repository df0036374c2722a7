CREATE TABLE {{ schema | id }}.{{ table | id }} (
{% for column in columns %}
    {{ column.name | id }} {{ column.type }},
{% endfor %}
    _etl_synced TIMESTAMP NOT NULL,
    _etl_operation VARCHAR NOT NULL,
    _etl_account VARCHAR NOT NULL,
    _etl_row_hash VARCHAR NOT NULL
);

{% for column in columns %}
COMMENT ON COLUMN {{ schema | id }}.{{ table | id }}.{{ column.name | id }} IS {{ column.comment | lit }};
{% endfor %}
