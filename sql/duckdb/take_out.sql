-- Rows that come again with other content. To change them where they are would write every column of their row groups anew.
DELETE FROM {{ schema | id }}.{{ table | id }}
WHERE rowid IN (SELECT _etl_row FROM temp.changes WHERE action = 'UPDATE')
