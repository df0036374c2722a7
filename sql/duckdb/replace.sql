-- Contents that are there too often leave; the staged ones come with the insert.
DELETE FROM {{ schema | id }}.{{ table | id }} AS t
USING temp.contents AS c
WHERE c.goes AND t._etl_account = c._etl_account AND t._etl_row_hash = c._etl_row_hash
