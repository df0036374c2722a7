UPDATE {{ schema | id }}.{{ table | id }}
SET _etl_synced = ?::TIMESTAMP, _etl_operation = 'DELETE'
WHERE rowid IN (SELECT _etl_row FROM temp.deletions)
