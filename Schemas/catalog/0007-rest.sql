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
