-- One staged row a key: the last by cursor, then by order of arrival. The cursor's place sorts as the extract compares; none sorts first.
DROP VIEW IF EXISTS temp.winners;
DROP TABLE IF EXISTS temp.ranked;

{% if duplicates %}
CREATE TEMP TABLE ranked AS
SELECT _etl_account, {% for key in keys %}{{ key.name | id }}, {% endfor %}_etl_row_hash, _etl_seq
FROM temp.staging
QUALIFY row_number() OVER (
    PARTITION BY _etl_account{% for key in keys %}, {{ key.name | id }}{% endfor %}

    ORDER BY coalesce(_etl_order, '') DESC, _etl_seq DESC
) = 1;

CREATE TEMP VIEW winners AS FROM temp.ranked;
{% else %}
CREATE TEMP VIEW winners AS
SELECT _etl_account, {% for key in keys %}{{ key.name | id }}, {% endfor %}_etl_row_hash, _etl_seq
FROM temp.staging;
{% endif %}

-- The change set: staged rows against the target's key, hash and operation only.
CREATE OR REPLACE TEMP TABLE changes AS
{% if table_exists %}
SELECT
    s._etl_account,
    s._etl_seq,
    CASE
        WHEN t._etl_account IS NULL THEN 'INSERT'
        ELSE 'UPDATE'
    END AS action,
    t.rowid AS _etl_row
FROM temp.winners AS s
LEFT JOIN {{ schema | id }}.{{ table | id }} AS t
    ON t._etl_account = s._etl_account{% for key in keys %} AND t.{{ key.name | id }} = s.{{ key.name | id }}{{ key.cast }}{% endfor %}

WHERE t._etl_account IS NULL
   OR t._etl_operation = 'DELETE'
   OR t._etl_row_hash <> s._etl_row_hash
{% if rewrite %}
   OR true
{% endif %}
{% else %}
SELECT s._etl_account, s._etl_seq, 'INSERT' AS action, NULL::BIGINT AS _etl_row
FROM temp.winners AS s
{% endif %};

-- Live rows of the accounts whose batch lacks them, where such rows are looked for; `_etl_name` is the JSON list of account and key.
CREATE OR REPLACE TEMP TABLE deletions AS
{% if looked_for %}
SELECT
    t._etl_account{% for key in keys %},
    t.{{ key.name | id }}{% endfor %},
    to_json([t._etl_account{% for key in keys %}, t.{{ key.name | id }}::VARCHAR{% endfor %}])::VARCHAR AS _etl_name,
    t.rowid AS _etl_row
FROM {{ schema | id }}.{{ table | id }} AS t
JOIN temp.units AS u ON u._etl_account = t._etl_account AND u.may_delete
WHERE t._etl_operation <> 'DELETE'
  AND NOT EXISTS (
      SELECT 1
      FROM temp.winners AS s
      WHERE s._etl_account = t._etl_account{% for key in keys %} AND t.{{ key.name | id }} = s.{{ key.name | id }}{{ key.cast }}{% endfor %}

  )
{% if named %}
  AND (NOT u.is_named OR to_json([t._etl_account{% for key in keys %}, t.{{ key.name | id }}::VARCHAR{% endfor %}])::VARCHAR IN (FROM temp.named))
{% endif %}
{% else %}
SELECT NULL::VARCHAR AS _etl_account, NULL::VARCHAR AS _etl_name, NULL::BIGINT AS _etl_row WHERE false
{% endif %};
