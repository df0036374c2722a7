-- One staged row a key: the last by cursor, then by order of arrival. The cursor's place sorts as the extract compares; none sorts first.
DROP VIEW IF EXISTS temp.winners;
DROP TABLE IF EXISTS temp.ranked;

{% if duplicates %}
CREATE TEMP TABLE ranked AS
SELECT _etl_account, {% for key in keys %}{{ key | id }}, {% endfor %}_etl_row_hash, _etl_seq
FROM temp.staging
QUALIFY row_number() OVER (
    PARTITION BY _etl_account{% for key in keys %}, {{ key | id }}{% endfor %}

    ORDER BY coalesce(_etl_order, '') DESC, _etl_seq DESC
) = 1;

CREATE TEMP VIEW winners AS FROM temp.ranked;
{% else %}
CREATE TEMP VIEW winners AS
SELECT _etl_account, {% for key in keys %}{{ key | id }}, {% endfor %}_etl_row_hash, _etl_seq
FROM temp.staging;
{% endif %}
