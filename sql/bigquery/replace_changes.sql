-- Rows without a key are replaced by content: how often each content is there, against how often it is staged.
-- A content that is there too often goes as a whole and comes back as often as it is staged.
CREATE OR REPLACE TABLE {{ changes | path }}
OPTIONS (expiration_timestamp = {{ expires | lit_timestamp }})
AS
WITH staged AS (
    SELECT
        _etl_account,
        _etl_row_hash,
        _etl_seq,
        ROW_NUMBER() OVER (PARTITION BY _etl_account, _etl_row_hash ORDER BY _etl_seq) AS copy
    FROM {{ staging | path }}
)
{% if table_exists %}
, there AS (
    SELECT _etl_account, _etl_row_hash, COUNT(*) AS rows_there
    FROM {{ target | path }}
    WHERE _etl_operation <> 'DELETE' AND _etl_account IN UNNEST(@accounts)
    GROUP BY _etl_account, _etl_row_hash
),
contents AS (
    SELECT
        COALESCE(s._etl_account, t._etl_account) AS _etl_account,
        COALESCE(s._etl_row_hash, t._etl_row_hash) AS _etl_row_hash,
        COALESCE(t.rows_there, 0) AS rows_there,
        COALESCE(s.rows_staged, 0) AS rows_staged,
        COALESCE(t.rows_there, 0) > COALESCE(s.rows_staged, 0)
            AND COALESCE(s._etl_account, t._etl_account) IN UNNEST(@may_delete) AS goes
    FROM (
        SELECT _etl_account, _etl_row_hash, COUNT(*) AS rows_staged
        FROM staged
        GROUP BY _etl_account, _etl_row_hash
    ) AS s
    FULL JOIN there AS t
        ON t._etl_account = s._etl_account AND t._etl_row_hash = s._etl_row_hash
)
SELECT
    s._etl_account,
    s._etl_row_hash,
    s._etl_seq,
    'INSERT' AS _etl_action,
    IF(c.goes, 0, 1) AS _etl_rows
FROM staged AS s
JOIN contents AS c
    ON c._etl_account = s._etl_account AND c._etl_row_hash = s._etl_row_hash
WHERE c.goes OR s.copy > c.rows_there
UNION ALL
SELECT _etl_account, _etl_row_hash, NULL, 'REMOVE', rows_there - rows_staged
FROM contents
WHERE goes
{% else %}
SELECT _etl_account, _etl_row_hash, _etl_seq, 'INSERT' AS _etl_action, 1 AS _etl_rows
FROM staged
{% endif %}
