import Base
import CPlatform
import Catalog
import Ingest
import Maintenance

/// The figures of `/metrics`, and the only place that names them. Docs/guides/operate.md explains each.
struct MetricsText: Sendable {
    /// Tables with samples of their own, the busiest first; the others are only in the totals.
    static let tablesMax = 100

    let ingest: IngestService
    let http: HTTPCounters
    let admission: Admission
    let maintenance: MaintenanceCounters
    let health: HealthProbe

    func render() -> String {
        var out = PrometheusText()
        let figures = ingest.figures
        addIngest(&out, figures)
        addAckTimes(&out)
        addBacklog(&out, figures)
        addTables(&out, figures)
        addCommits(&out)
        addHTTP(&out)
        addMaintenance(&out)
        addHealth(&out, figures)
        addProcess(&out)
        return out.text
    }

    private func addIngest(_ out: inout PrometheusText, _ figures: IngestFigures) {
        let totals = ingest.counters.totals
        out.add("ingest_requests_total", .counter, "Requests acknowledged.", totals.requests)
        out.add("ingest_records_total", .counter, "Records acknowledged.", totals.records)
        out.add("ingest_bytes_total", .counter, "Body bytes acknowledged, decoded.", totals.bytes)
        out.add(
            "ingest_rejected_records_total", .counter, "Records refused with a reason, dead letters included.",
            totals.rejected)
        out.begin("ingest_rejections_total", .counter, "Refused records by code, as far as answers listed them.")
        for (code, count) in totals.rejectedByCode.sorted(by: { $0.key < $1.key }) {
            out.sample("ingest_rejections_total", [("code", code)], Double(count))
        }
        out.add(
            "ingest_dead_letter_records_total", .counter, "Refused records that dead letters took.",
            totals.deadLettered)
        out.add(
            "ingest_late_records_total", .counter, "Records behind their table's watermark, wherever they went.",
            totals.late)
        out.add(
            "ingest_duplicate_requests_total", .counter, "Requests recognised as sent before, and answered again.",
            totals.duplicates)
        out.add(
            "ingest_memory_refusals_total", .counter, "Requests refused because the memory budget was used up.",
            totals.refused)
    }

    private func addAckTimes(_ out: inout PrometheusText) {
        let totals = ingest.counters.totals
        out.begin("ack_seconds", .histogram, "Time from a complete request to its durable acknowledgement.")
        var seen = 0
        for (index, count) in totals.ackBuckets.enumerated() {
            seen += count
            let isLast = index == totals.ackBuckets.count - 1
            let edge = isLast ? "+Inf" : "\(Double(64 << index) / 1_000_000)"
            out.sample("ack_seconds_bucket", [("le", edge)], Double(seen))
        }
        out.sample("ack_seconds_sum", [], Double(totals.ackNanosTotal) / 1e9)
        out.sample("ack_seconds_count", [], Double(seen))
    }

    private func addBacklog(_ out: inout PrometheusText, _ figures: IngestFigures) {
        let rows = figures.tables.reduce(0) { $0 + $1.uncommittedRows }
        let oldest = figures.tables.compactMap(\.oldestNanos).max() ?? 0
        out.add("ingest_uncommitted_records", .gauge, "Records durable and not yet in a snapshot.", rows)
        out.add(
            "ingest_uncommitted_bytes", .gauge, "Memory held by those records.",
            figures.tables.reduce(0) { $0 + $1.uncommittedBytes })
        out.add("ingest_oldest_uncommitted_seconds", .gauge, "Age of the oldest of those records.", seconds(oldest))
        out.add("ingest_memory_bytes", .gauge, "Memory reserved by the ingest path.", figures.memoryBytes)
        out.add("ingest_memory_limit_bytes", .gauge, "Past this, requests are refused.", figures.memoryBytesMax)
        out.add("ingest_decode_queue", .gauge, "Requests that wait for a decode thread.", figures.decodeQueue)
        out.add("ingest_open_tables", .gauge, "Tables that took records since start.", figures.tables.count)
        out.add("log_bytes", .gauge, "Bytes of log not yet released.", figures.log.bytesInUse)
        out.add("log_limit_bytes", .gauge, "Past this, requests are refused.", figures.logBytesMax)
        out.add("log_segments", .gauge, "Segment files with records.", figures.log.segments)
        out.add("log_syncs_total", .counter, "Groups of requests written and synced at once.", figures.log.groups)
        out.add("log_failed_syncs_total", .counter, "Groups that could not be made durable.", figures.log.failedGroups)
        out.add("log_available", .gauge, "0 while the log cannot be written.", figures.log.isAvailable ? 1 : 0)
    }

    private func addTables(_ out: inout PrometheusText, _ figures: IngestFigures) {
        let tables = figures.tables.sorted { ($0.landedRows, $1.table) > ($1.landedRows, $0.table) }
            .prefix(Self.tablesMax)
        func each(
            _ name: String, _ kind: PrometheusText.Kind, _ help: String, _ value: (IngestFigures.OpenTable) -> Double
        ) {
            out.begin(name, kind, help)
            for table in tables { out.sample(name, [("table", table.table.description)], value(table)) }
        }
        each("table_records_total", .counter, "Records landed in the table.") { Double($0.landedRows) }
        each("table_bytes_total", .counter, "Memory those records took.") { Double($0.landedBytes) }
        each("table_uncommitted_records", .gauge, "Records durable and not yet in a snapshot.") {
            Double($0.uncommittedRows)
        }
        each("table_oldest_uncommitted_seconds", .gauge, "Age of the oldest of those records.") {
            seconds($0.oldestNanos ?? 0)
        }
        each("table_seconds_since_commit", .gauge, "Since this process last committed the table, or opened it.") {
            seconds($0.sinceCommitNanos)
        }
        out.begin("table_watermark_seconds", .gauge, "How far the table has come in event time, since 1970.")
        for table in tables {
            guard let micros = table.watermarkMicros else { continue }
            out.sample("table_watermark_seconds", [("table", table.table.description)], Double(micros) / 1e6)
        }
        each("table_flush_failures", .gauge, "Flushes that failed since the last one that did not.") {
            Double($0.failures)
        }
    }

    private func addCommits(_ out: inout PrometheusText) {
        let totals = ingest.counters.totals
        out.add("commits_total", .counter, "Flushes committed.", totals.commits)
        out.add("commit_records_total", .counter, "Records committed.", totals.commitRows)
        out.add("commit_failures_total", .counter, "Flushes that failed and are tried again.", totals.commitFailures)
        out.begin("commit_seconds_total", .counter, "Where the time of committed flushes went.")
        out.sample("commit_seconds_total", [("part", "files")], seconds(totals.writeNanos))
        out.sample("commit_seconds_total", [("part", "metadata")], seconds(totals.metadataNanos))
        out.sample("commit_seconds_total", [("part", "catalog")], seconds(totals.catalogNanos))
    }

    private func addHTTP(_ out: inout PrometheusText) {
        let totals = http.totals
        let load = admission.load
        out.begin("http_requests_total", .counter, "Requests answered.")
        for (route, counts) in [("records", totals.ingest), ("other", totals.other)] {
            for (status, count) in counts.sorted(by: { $0.key < $1.key }) {
                out.sample("http_requests_total", [("route", route), ("status", String(status))], Double(count))
            }
        }
        out.begin("http_errors_total", .counter, "Failed ingest requests by their code.")
        for (code, count) in totals.codes.sorted(by: { $0.key < $1.key }) {
            out.sample("http_errors_total", [("code", code)], Double(count))
        }
        out.add("http_connections", .gauge, "Open HTTP/1.1 connections.", totals.connections)
        out.add("http_connections_total", .counter, "HTTP connections accepted.", totals.accepted)
        out.add("http_in_flight_requests", .gauge, "Ingest requests complete and not answered.", load.requests)
        out.add(
            "http_in_flight_requests_limit", .gauge, "Past this, requests are refused.", admission.limits.requestsMax)
        out.add("http_in_flight_bytes", .gauge, "Bytes of ingest bodies on their way in.", load.bytes)
        out.add("http_in_flight_bytes_limit", .gauge, "Past this, requests are refused.", admission.limits.bytesMax)
    }

    private func addMaintenance(_ out: inout PrometheusText) {
        let totals = maintenance.totals
        out.add("compactions_total", .counter, "Background compactions that merged files.", totals.compactions)
        out.add("compaction_files_total", .counter, "Data files they merged.", totals.filesMerged)
        out.add("compaction_bytes_total", .counter, "Bytes of those files.", Double(totals.bytesMerged))
        out.add(
            "compaction_written_bytes_total", .counter, "Bytes of the files that came of them.",
            Double(totals.bytesWritten))
        out.add("compaction_commits_total", .counter, "Snapshots they made.", totals.commits)
        out.add("compaction_seconds_total", .counter, "Time they took.", Double(totals.durationMs) / 1000)
        out.add("compaction_conflicts_total", .counter, "Groups rewritten in vain.", totals.conflicts)
        if let last = totals.lastMs {
            out.add("compaction_last_seconds", .gauge, "When one last succeeded, since 1970.", Double(last) / 1000)
        }
        out.add(
            "snapshots_expired_total", .counter, "Snapshots removed by commits of this process.",
            ingest.warehouse.snapshotsExpired)
        out.add("garbage_files_total", .counter, "Files deleted because nothing refers to them.", totals.filesCollected)
        out.add("maintenance_failures_total", .counter, "Maintenance runs that failed.", totals.failures)
    }

    private func addProcess(_ out: inout PrometheusText) {
        out.add(
            "process_cpu_seconds_total", .counter, "CPU time of this process.", seconds(firn_process_cpu_ns()))
        let files = ingest.warehouse.environment.files
        if let bytes = ProcessFacts.residentBytes(files) {
            out.add("process_resident_memory_bytes", .gauge, "Memory of this process.", bytes)
        }
        if let count = ProcessFacts.openDescriptors(files) {
            out.add("process_open_fds", .gauge, "Open files and sockets.", count)
        }
        out.begin("build_info", .gauge, "Always 1; the version is a label.")
        out.sample("build_info", [("version", FirnVersion.current)], 1)
    }

    private func seconds(_ nanos: Int64) -> Double { Double(nanos) / 1e9 }
}

/// What the kernel knows about this process.
enum ProcessFacts {
    static func residentBytes(_ files: any FileSystem) -> Int? {
        guard let file = try? files.open("/proc/self/statm", .read) else { return nil }
        defer { file.close() }
        guard let bytes = try? file.read(at: 0, count: 256) else { return nil }
        let pages = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        return pages.count > 1 ? Int(pages[1]).map { $0 * 4096 } : nil
    }

    static func openDescriptors(_ files: any FileSystem) -> Int? {
        guard let entries = try? files.list("/proc/self/fd"), !entries.isEmpty else { return nil }
        // One of them is the listing's own.
        return entries.count - 1
    }
}
