-- The accounts of this load, whether live rows that are absent from their batch are looked for, and whether only those that are named.
CREATE OR REPLACE TEMP TABLE units (_etl_account VARCHAR NOT NULL, may_delete BOOLEAN NOT NULL, is_named BOOLEAN NOT NULL);
CREATE OR REPLACE TEMP TABLE named (name VARCHAR NOT NULL);
CREATE OR REPLACE TEMP TABLE spare (name VARCHAR NOT NULL);
