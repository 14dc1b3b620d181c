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
