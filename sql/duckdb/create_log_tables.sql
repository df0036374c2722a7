CREATE SCHEMA IF NOT EXISTS {{ log_schema | id }};

{% for log in logs %}
CREATE TABLE IF NOT EXISTS {{ log_schema | id }}.{{ log.name | id }} (
{% for column in log.columns %}
    {{ column.name | id }} {{ column.type }}{% if column.required %} NOT NULL{% endif %}{% if not loop.last %},{% endif %}

{% endfor %}
);

{# What an older version has made lacks later columns. #}
{% for column in log.columns if not column.required %}
ALTER TABLE {{ log_schema | id }}.{{ log.name | id }} ADD COLUMN IF NOT EXISTS {{ column.name | id }} {{ column.type }};
{% endfor %}

{% endfor %}
{% for schema in schemas %}
CREATE SCHEMA IF NOT EXISTS {{ schema | id }};
{% endfor %}
