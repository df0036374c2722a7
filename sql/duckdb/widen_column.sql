ALTER TABLE {{ schema | id }}.{{ table | id }} ALTER COLUMN {{ column.name | id }} SET DATA TYPE {{ column.type }}{% if using %} USING {{ using }}{% endif %};

COMMENT ON COLUMN {{ schema | id }}.{{ table | id }}.{{ column.name | id }} IS {{ column.comment | lit }};
