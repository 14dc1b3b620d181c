-- Who waits for a lease, so that it is theirs when it gets free; `wanted_ms` tells when they asked last.
ALTER TABLE firn_leases ADD COLUMN wanted_by TEXT;
