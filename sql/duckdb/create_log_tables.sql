CREATE SCHEMA IF NOT EXISTS {{ log_schema | id }};

CREATE TABLE IF NOT EXISTS {{ log_schema | id }}.etl_logs (
    run_id VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    stream VARCHAR NOT NULL,
    table_name VARCHAR,
    status VARCHAR NOT NULL,
    mode VARCHAR,
    rows_extracted BIGINT,
    rows_inserted BIGINT,
    rows_updated BIGINT,
    rows_deleted BIGINT,
    rows_rejected BIGINT,
    bytes BIGINT,
    started_at TIMESTAMP,
    finished_at TIMESTAMP,
    duration_ms BIGINT,
    error VARCHAR
);

CREATE TABLE IF NOT EXISTS {{ log_schema | id }}.schema_changes (
    run_id VARCHAR NOT NULL,
    table_name VARCHAR NOT NULL,
    column_name VARCHAR NOT NULL,
    field VARCHAR,
    change VARCHAR NOT NULL,
    from_type VARCHAR,
    to_type VARCHAR NOT NULL,
    changed_at TIMESTAMP NOT NULL
);

CREATE TABLE IF NOT EXISTS {{ log_schema | id }}.applied_batches (
    table_name VARCHAR NOT NULL,
    table_id VARCHAR,
    source VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    stream VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    mode VARCHAR NOT NULL,
    state VARCHAR,
    synced TIMESTAMP,
    applied_at TIMESTAMP NOT NULL
);

{% for schema in schemas %}
CREATE SCHEMA IF NOT EXISTS {{ schema | id }};
{% endfor %}
