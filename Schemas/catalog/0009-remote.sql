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
