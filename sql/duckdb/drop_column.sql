ALTER TABLE {{ schema | id }}.{{ table | id }} DROP COLUMN {{ column | id }}
