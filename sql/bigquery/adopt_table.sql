-- A table of another ETL gets what it lacks; no row and no column goes.
ALTER TABLE {{ target | path }}
{% for action in actions %}
{%+ if action.add is defined %}ADD COLUMN IF NOT EXISTS {{ action.add | id }} {{ action.type }}{% elif action.nullable is defined %}ALTER COLUMN {{ action.nullable | id }} DROP NOT NULL{% else %}ALTER COLUMN {{ action.describe | id }} SET OPTIONS (description = {{ action.text | lit }}){% endif %}{% if not loop.last %},{% endif %}

{% endfor %}
