-- Rows without a key are replaced by content: how often each content is there, against how often it is staged.
-- A content that is there too often goes as a whole and comes back as often as it is staged.
CREATE OR REPLACE TEMP TABLE contents AS
WITH target AS (
{% if table_exists %}
    SELECT t._etl_account, t._etl_row_hash, count(*) AS rows_there
    FROM {{ schema | id }}.{{ table | id }} AS t
    JOIN temp.units AS u ON u._etl_account = t._etl_account
    WHERE t._etl_operation <> 'DELETE'
    GROUP BY ALL
{% else %}
    SELECT NULL::VARCHAR AS _etl_account, NULL::VARCHAR AS _etl_row_hash, 0::BIGINT AS rows_there WHERE false
{% endif %}
),
source AS (
    SELECT _etl_account, _etl_row_hash, count(*) AS rows_staged
    FROM temp.staging
    GROUP BY ALL
)
SELECT
    _etl_account,
    _etl_row_hash,
    coalesce(rows_there, 0) AS rows_there,
    coalesce(rows_staged, 0) AS rows_staged,
    u.may_delete AND coalesce(rows_there, 0) > coalesce(rows_staged, 0) AS goes
FROM target
FULL JOIN source USING (_etl_account, _etl_row_hash)
JOIN temp.units AS u USING (_etl_account);

CREATE OR REPLACE TEMP TABLE changes AS
SELECT s._etl_account, s._etl_seq, 'INSERT' AS action
FROM (
    SELECT
        _etl_account,
        _etl_row_hash,
        _etl_seq,
        row_number() OVER (PARTITION BY _etl_account, _etl_row_hash ORDER BY _etl_seq) AS copy
    FROM temp.staging
) AS s
JOIN temp.contents AS c USING (_etl_account, _etl_row_hash)
WHERE c.goes OR s.copy > c.rows_there;
