-- Without a key a row is known by its hash: each content once.
CREATE OR REPLACE TABLE {{ changes | path }}
OPTIONS (expiration_timestamp = {{ expires | lit_timestamp }})
AS
SELECT s._etl_account, MIN(s._etl_seq) AS _etl_seq, 'INSERT' AS _etl_action
FROM {{ staging | path }} AS s
{% if table_exists %}
LEFT JOIN (
    SELECT DISTINCT _etl_account, _etl_row_hash
    FROM {{ target | path }}
    WHERE _etl_operation <> 'DELETE' AND _etl_account IN UNNEST(@accounts)
) AS t
    ON t._etl_account = s._etl_account AND t._etl_row_hash = s._etl_row_hash
WHERE t._etl_account IS NULL
{% endif %}
GROUP BY s._etl_account, s._etl_row_hash
