-- Jobs that outlive their process, and what is asked of those who run them.

-- `attempts` counts the processes that began the job; `cancel_ms` says since when somebody wants it to stop.
ALTER TABLE firn_jobs ADD COLUMN attempts INTEGER NOT NULL DEFAULT 1;
ALTER TABLE firn_jobs ADD COLUMN cancel_ms INTEGER;
CREATE INDEX firn_jobs_by_state ON firn_jobs (state, created_ms);

-- Since when another process waits for the lease; a holder that has nothing to do gives it away.
ALTER TABLE firn_leases ADD COLUMN wanted_ms INTEGER;
