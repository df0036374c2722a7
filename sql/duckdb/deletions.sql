-- Live rows of the accounts whose snapshot is whole and in which they are absent.
CREATE OR REPLACE TEMP TABLE deletions AS
SELECT t._etl_account{% for key in keys %}, t.{{ key.name | id }}{% endfor %}

FROM {{ schema | id }}.{{ table | id }} AS t
JOIN temp.units AS u ON u._etl_account = t._etl_account AND u.may_delete
WHERE t._etl_operation <> 'DELETE'
  AND NOT EXISTS (
      SELECT 1
      FROM temp.winners AS s
      WHERE s._etl_account = t._etl_account{% for key in keys %} AND t.{{ key.name | id }} = s.{{ key.name | id }}{{ key.cast }}{% endfor %}

  )
