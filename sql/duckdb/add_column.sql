ALTER TABLE {{ schema | id }}.{{ table | id }} ADD COLUMN {{ column.name | id }} {{ column.type }};

COMMENT ON COLUMN {{ schema | id }}.{{ table | id }}.{{ column.name | id }} IS {{ column.comment | lit }};
