DELETE FROM temp.{{ table | id }} WHERE _etl_account IN (SELECT unnest(from_json(?, '["VARCHAR"]')))
