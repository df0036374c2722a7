-- One row a unit, stage and run. A repeated load that changes nothing leaves the first load's row, which tells what happened.
MERGE INTO {{ logs | path }} AS t
USING (
    SELECT
{% for column in columns %}
        {% if column.type == "STRING" %}JSON_VALUE(r, '$.{{ column.name }}'){% else %}CAST(JSON_VALUE(r, '$.{{ column.name }}') AS {{ column.type }}){% endif %} AS {{ column.name | id }},
{% endfor %}
        JSON_VALUE(r, '$.changed') = 'true' AS changed
    FROM UNNEST(JSON_QUERY_ARRAY(PARSE_JSON(@rows), '$')) AS r
) AS s
ON t.run_id = @run_id AND t.stage = @stage AND t.source = s.source AND t.account = s.account AND t.stream = s.stream
WHEN MATCHED AND (t.status <> 'done' OR (s.status = 'done' AND s.changed)) THEN UPDATE SET
{% for column in columns %}
    {{ column.name | id }} = s.{{ column.name | id }}{% if not loop.last %},{% endif %}

{% endfor %}
WHEN NOT MATCHED THEN INSERT (
    {% for column in columns %}{{ column.name | id }}{% if not loop.last %}, {% endif %}{% endfor %}

) VALUES (
    {% for column in columns %}s.{{ column.name | id }}{% if not loop.last %}, {% endif %}{% endfor %}

)
