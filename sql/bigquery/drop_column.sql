ALTER TABLE {{ target | path }} DROP COLUMN {{ column | id }}
