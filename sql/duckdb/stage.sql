-- Rows into a temporary table, as the program hands them over.
INSERT INTO temp.{{ table }} FROM {{ source }}
