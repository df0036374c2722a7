DELETE FROM temp.{{ table | id }} WHERE _etl_account = ?
