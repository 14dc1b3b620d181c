-- What changes in the same transaction as a table's metadata pointer. Tables are known by their Iceberg UUID,
-- so that a rename keeps the state and a new table under an old name starts without any.

-- Everything in the log up to `position` is in the table.
CREATE TABLE firn_log_positions (
    table_uuid TEXT NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The last committed batch of each producer and the answer it was given.
CREATE TABLE firn_producers (
    table_uuid TEXT NOT NULL,
    producer TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    position INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    answer BLOB NOT NULL,
    PRIMARY KEY (table_uuid, producer)
) STRICT, WITHOUT ROWID;

-- Committed requests that carried an idempotency key, until they are forgotten by age.
CREATE TABLE firn_idempotency_keys (
    table_uuid TEXT NOT NULL,
    key TEXT NOT NULL,
    position INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    answer BLOB NOT NULL,
    PRIMARY KEY (table_uuid, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX firn_idempotency_keys_by_age ON firn_idempotency_keys (created_ms);

-- Counts the transactions that only make an unclear commit definite.
CREATE TABLE firn_settlements (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    settled INTEGER NOT NULL
) STRICT;

-- Processes that record files. An owner is alive while the lock on DIR/wal/owners/<id>.lock is held.
CREATE TABLE firn_owners (
    id TEXT NOT NULL PRIMARY KEY,
    pid INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    recovered_ms INTEGER
) STRICT, WITHOUT ROWID;

-- Files that are on disk or may be, and that no table's current metadata reaches. Docs/formats/ledger.md.
CREATE TABLE firn_ledger (
    path TEXT NOT NULL PRIMARY KEY,
    table_uuid TEXT NOT NULL,
    owner TEXT,
    state TEXT NOT NULL CHECK (state IN ('pending', 'garbage')),
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX firn_ledger_by_state ON firn_ledger (state, owner);
