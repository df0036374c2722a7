-- All new columns at once: a table takes five changes of its metadata in ten seconds.
ALTER TABLE {{ target | path }}
{% for column in columns %}
ADD COLUMN IF NOT EXISTS {{ column.name | id }} {{ column.type }} OPTIONS (description = {{ column.description | lit }}){% if not loop.last %},{% endif %}

{% endfor %}
