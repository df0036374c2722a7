INSERT INTO {{ log_schema | id }}.etl_logs ({% for column in columns %}{{ column.name | id }}{% if not loop.last %}, {% endif %}{% endfor %})
SELECT {% for column in columns %}n.r.{{ column.name | id }}::{{ column.type }}{% if not loop.last %}, {% endif %}{% endfor %}

FROM (SELECT unnest(from_json(?, {{ structure | lit }})) AS r) AS n
WHERE NOT EXISTS (
    SELECT 1
    FROM {{ log_schema | id }}.etl_logs AS l
    WHERE l.run_id = n.r.run_id AND l.stage = n.r.stage AND l.source = n.r.source AND l.account = n.r.account AND l.stream = n.r.stream
)
