-- Without a key a row is known by its hash: each content once.
CREATE OR REPLACE TEMP TABLE changes AS
SELECT s._etl_account, min(s._etl_seq) AS _etl_seq, 'INSERT' AS action
FROM temp.staging AS s
{% if table_exists %}
WHERE NOT EXISTS (
    SELECT 1
    FROM {{ schema | id }}.{{ table | id }} AS t
    WHERE t._etl_account = s._etl_account AND t._etl_row_hash = s._etl_row_hash AND t._etl_operation <> 'DELETE'
)
{% endif %}
GROUP BY s._etl_account, s._etl_row_hash
