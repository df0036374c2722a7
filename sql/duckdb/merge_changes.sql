-- The change set: staged rows against the target's key, hash and operation only.
CREATE OR REPLACE TEMP TABLE changes AS
{% if table_exists %}
SELECT
    s._etl_account,
    s._etl_seq,
    CASE
        WHEN t._etl_account IS NULL THEN 'INSERT'
        ELSE 'UPDATE'
    END AS action
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
SELECT s._etl_account, s._etl_seq, 'INSERT' AS action
FROM temp.winners AS s
{% endif %}
