{% if micros -%}
CASE WHEN TRY_CAST({{ column | id }} AS BIGINT) BETWEEN {{ first }} AND {{ last }} THEN make_timestamp(TRY_CAST({{ column | id }} AS BIGINT) * {{ micros }}) END
{%- elif to == "JSON" -%}
to_json({{ column | id }})
{%- else -%}
TRY_CAST({{ column | id }} AS {{ to }})
{%- endif %}
