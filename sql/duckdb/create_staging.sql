-- What is staged is temporary: it spills to disk beyond DuckDB's memory limit, and a killed process leaves nothing of it.
DROP TABLE IF EXISTS temp.{{ table }};

CREATE TEMP TABLE {{ table }} (
{% for column in columns %}
    {{ column.name | id }} {{ column.type }},
{% endfor %}
    _etl_account VARCHAR NOT NULL,
    _etl_row_hash VARCHAR NOT NULL,
    _etl_seq BIGINT NOT NULL{% if has_order %},
    _etl_order VARCHAR{% endif %}

);
