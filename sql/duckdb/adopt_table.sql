-- A table of another ETL gets what it lacks; no row and no column goes.
{% for column in added %}
ALTER TABLE {{ schema | id }}.{{ table | id }} ADD COLUMN {{ column.name | id }} {{ column.type }};
{% endfor %}
{% for column in widened %}
ALTER TABLE {{ schema | id }}.{{ table | id }} ALTER COLUMN {{ column.name | id }} SET DATA TYPE {{ column.type }};
{% endfor %}
{% for column in columns %}
ALTER TABLE {{ schema | id }}.{{ table | id }} ALTER COLUMN {{ column | id }} DROP NOT NULL;
{% endfor %}
{% for column in remembered %}
COMMENT ON COLUMN {{ schema | id }}.{{ table | id }}.{{ column.name | id }} IS {{ column.comment | lit }};
{% endfor %}
