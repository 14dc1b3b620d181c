-- What ingestion knows beside its log positions.

-- Schema changes that records would need, waiting for somebody's decision. `change` is one operation in the JSON form of
-- the HTTP API, `records` counts the records that asked for it, `sample` is one of them, cut short.
CREATE TABLE firn_schema_proposals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    table_uuid TEXT NOT NULL,
    change TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'approved', 'rejected')),
    records INTEGER NOT NULL,
    sample TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    decided_ms INTEGER
) STRICT;
CREATE INDEX firn_schema_proposals_by_change ON firn_schema_proposals (table_uuid, change);

-- The highest committed event time of each producer, in microseconds, and when the server last heard of one.
CREATE TABLE firn_watermarks (
    table_uuid TEXT NOT NULL,
    producer TEXT NOT NULL,
    event_micros INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    PRIMARY KEY (table_uuid, producer)
) STRICT, WITHOUT ROWID;
