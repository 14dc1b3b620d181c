import SQLiteKit

/// The catalog's schema, step by step. The text of each step is a file of `Schemas/catalog`; a test compares them.
enum CatalogSchema {
    static let migrations = Migrations([
        Migrations.Migration(name: "0001-iceberg", sql: iceberg),
        Migrations.Migration(name: "0002-commit-state", sql: commitState),
        Migrations.Migration(name: "0003-maintenance", sql: maintenance),
        Migrations.Migration(name: "0004-ingest", sql: ingest),
        Migrations.Migration(name: "0005-jobs", sql: jobs),
        Migrations.Migration(name: "0006-waiters", sql: waiters),
        Migrations.Migration(name: "0007-rest", sql: rest),
        Migrations.Migration(name: "0008-metrics", sql: metrics),
        Migrations.Migration(name: "0009-remote", sql: remote),
    ])

    private static let iceberg = """
        -- The tables every Iceberg SQL catalog shares (Java JdbcCatalog schema version V1, PyIceberg SqlCatalog).
        -- Column order, names and types are theirs; IF NOT EXISTS because one of them may have created the file.
        CREATE TABLE IF NOT EXISTS iceberg_tables (
            catalog_name VARCHAR(255) NOT NULL,
            table_namespace VARCHAR(255) NOT NULL,
            table_name VARCHAR(255) NOT NULL,
            metadata_location VARCHAR(1000),
            previous_metadata_location VARCHAR(1000),
            iceberg_type VARCHAR(5),
            PRIMARY KEY (catalog_name, table_namespace, table_name)
        );

        CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
            catalog_name VARCHAR(255) NOT NULL,
            namespace VARCHAR(255) NOT NULL,
            property_key VARCHAR(255) NOT NULL,
            property_value VARCHAR(1000) NOT NULL,
            PRIMARY KEY (catalog_name, namespace, property_key)
        );

        """

    private static let commitState = """
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

        """

    private static let maintenance = """
        -- What maintenance should do, has decided to do, and who may do it.

        -- `table_name` is an identifier or a pattern of one; `spec` is JSON that only the scheduler reads.
        CREATE TABLE firn_schedules (
            table_name TEXT NOT NULL,
            name TEXT NOT NULL,
            spec TEXT NOT NULL,
            paused INTEGER NOT NULL CHECK (paused IN (0, 1)),
            created_ms INTEGER NOT NULL,
            last_run_ms INTEGER,
            next_run_ms INTEGER,
            PRIMARY KEY (table_name, name)
        ) STRICT, WITHOUT ROWID;

        -- Durable decisions and their outcome. `state` is one of planned, running, done, failed, cancelled.
        CREATE TABLE firn_jobs (
            id TEXT NOT NULL PRIMARY KEY,
            table_name TEXT NOT NULL,
            kind TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('planned', 'running', 'done', 'failed', 'cancelled')),
            owner TEXT,
            epoch INTEGER NOT NULL,
            created_ms INTEGER NOT NULL,
            started_ms INTEGER,
            finished_ms INTEGER,
            detail TEXT NOT NULL,
            error TEXT
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX firn_jobs_by_table ON firn_jobs (table_name, created_ms);

        -- Exclusive rights that end by themselves. `epoch` grows with each new holder and fences the one before.
        CREATE TABLE firn_leases (
            name TEXT NOT NULL PRIMARY KEY,
            owner TEXT,
            epoch INTEGER NOT NULL,
            expires_ms INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        """

    private static let ingest = """
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

        """

    private static let jobs = """
        -- Jobs that outlive their process, and what is asked of those who run them.

        -- `attempts` counts the processes that began the job; `cancel_ms` says since when somebody wants it to stop.
        ALTER TABLE firn_jobs ADD COLUMN attempts INTEGER NOT NULL DEFAULT 1;
        ALTER TABLE firn_jobs ADD COLUMN cancel_ms INTEGER;
        CREATE INDEX firn_jobs_by_state ON firn_jobs (state, created_ms);

        -- Since when another process waits for the lease; a holder that has nothing to do gives it away.
        ALTER TABLE firn_leases ADD COLUMN wanted_ms INTEGER;

        """

    private static let waiters = """
        -- Who waits for a lease, so that it is theirs when it gets free; `wanted_ms` tells when they asked last.
        ALTER TABLE firn_leases ADD COLUMN wanted_by TEXT;

        """

    private static let rest = """
        -- Answers to requests of the Iceberg REST catalog that carried an idempotency key, for as long as the server
        -- says. `fingerprint` tells the request from another one under the same key. An answer that shows a table has its
        -- metadata file's location in place of a body.
        CREATE TABLE firn_rest_answers (
            key TEXT NOT NULL PRIMARY KEY,
            fingerprint TEXT NOT NULL,
            status INTEGER NOT NULL,
            body BLOB NOT NULL,
            metadata_location TEXT,
            created_ms INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX firn_rest_answers_by_age ON firn_rest_answers (created_ms);

        """

    private static let metrics = """
        -- What engines report of their scans and commits, newest last; a number of reports for each table.
        CREATE TABLE firn_metrics_reports (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            table_uuid TEXT NOT NULL,
            received_ms INTEGER NOT NULL,
            report TEXT NOT NULL
        ) STRICT;
        CREATE INDEX firn_metrics_reports_by_table ON firn_metrics_reports (table_uuid, id);

        """

    private static let remote = """
        -- Tables that are kept in another Iceberg REST catalog. Each has a row in iceberg_tables too, of type REST, which other
        -- programs do not take for a table: it holds the name, and the metadata file that was seen last. `metadata` says the
        -- same without history, for when neither file nor catalog can be reached; a catalog that shows an older state than that
        -- of `last_sequence_number` and `last_updated_ms` is not believed.
        CREATE TABLE firn_attachments (
            table_namespace TEXT NOT NULL,
            table_name TEXT NOT NULL,
            table_uuid TEXT NOT NULL UNIQUE,
            endpoint TEXT NOT NULL,
            remote_namespace TEXT NOT NULL,
            remote_name TEXT NOT NULL,
            attachment_uuid TEXT NOT NULL,
            metadata TEXT NOT NULL,
            last_sequence_number INTEGER NOT NULL,
            last_updated_ms INTEGER NOT NULL,
            created_ms INTEGER NOT NULL,
            PRIMARY KEY (table_namespace, table_name)
        ) STRICT, WITHOUT ROWID;

        -- Commits that another catalog was or will be asked for, from before the first request until it is known how they
        -- ended. `request` is sent again, word for word, by whoever finds the row. The marks that move with the commit lie under
        -- `commit_uuid` in place of the table's until then; `expected_position` is null when there are none. The files named here
        -- are in no ledger row.
        CREATE TABLE firn_remote_commits (
            table_uuid TEXT NOT NULL PRIMARY KEY,
            commit_uuid TEXT NOT NULL,
            owner TEXT NOT NULL,
            snapshot_id INTEGER,
            expected_position INTEGER,
            request BLOB NOT NULL,
            added TEXT NOT NULL,
            objects TEXT NOT NULL,
            garbage TEXT NOT NULL,
            created_ms INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        """
}
