ALTER TABLE {{ target | path }}
ALTER COLUMN {{ column | id }} SET DATA TYPE {{ type }}
