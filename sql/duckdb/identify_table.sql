COMMENT ON TABLE {{ schema | id }}.{{ table | id }} IS {{ comment | lit }}
