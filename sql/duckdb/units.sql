-- The accounts of this load, and whether what is absent from their batch may be deleted.
CREATE OR REPLACE TEMP TABLE units (_etl_account VARCHAR NOT NULL, may_delete BOOLEAN NOT NULL);
