INSERT INTO {{ log_schema | id }}.etl_logs ({% for column in columns %}{{ column.name | id }}{% if not loop.last %}, {% endif %}{% endfor %})
VALUES ({% for column in columns %}?::{{ column.type }}{% if not loop.last %}, {% endif %}{% endfor %})
