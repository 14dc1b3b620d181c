-- What engines report of their scans and commits, newest last; a number of reports for each table.
CREATE TABLE firn_metrics_reports (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    table_uuid TEXT NOT NULL,
    received_ms INTEGER NOT NULL,
    report TEXT NOT NULL
) STRICT;
CREATE INDEX firn_metrics_reports_by_table ON firn_metrics_reports (table_uuid, id);
