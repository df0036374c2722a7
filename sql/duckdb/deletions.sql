-- Live rows of the accounts whose batch lacks them, where such rows are looked for; `name` is the JSON list of account and key.
CREATE OR REPLACE TEMP TABLE deletions AS
SELECT
    t._etl_account{% for key in keys %},
    t.{{ key.name | id }}{% endfor %},
    to_json([t._etl_account{% for key in keys %}, t.{{ key.name | id }}::VARCHAR{% endfor %}])::VARCHAR AS _etl_name
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
