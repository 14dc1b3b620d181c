import Base
import Catalog
import Columnar
import Iceberg

/// Tables about a table that the catalog tells rather than the table's metadata: `"ns.table$jobs"`, the history of its
/// maintenance, `"ns.table$schedules"`, the schedules that match it, `"ns.table$producers"`, who has written to it, and
/// `"ns.table$metrics"`, what engines reported of their scans and commits.
struct CatalogTables {
    /// As many as the catalog keeps of all tables together.
    private static let jobsMax = 10_000

    let warehouse: Warehouse
    let table: TableIdentifier

    /// Newest first.
    func jobs() throws -> any Relation {
        typealias Job = (row: JobRow, figures: JobFigures)
        let rows = try warehouse.listJobs(table: table.description, limit: Self.jobsMax)
        let columns: [MetadataColumn<Job>] = [
            .init("id", .string) { .string($0.row.id) },
            .init("kind", .string) { .string($0.row.kind) },
            .init("state", .string) { .string($0.row.state.rawValue) },
            .init("reason", .string) { .optional($0.row.reason) },
            .init("created_at", .timestamptz) { .instant(ms: $0.row.createdMs) },
            .init("started_at", .timestamptz) { $0.row.startedMs.map { .instant(ms: $0) } ?? .null },
            .init("finished_at", .timestamptz) { $0.row.finishedMs.map { .instant(ms: $0) } ?? .null },
            .init("attempts", .int) { .int(Int32(clamping: $0.row.attempts)) },
        ]
        let figures = JobFigures.all.map { figure in
            MetadataColumn<Job>(String(figure.name.map { $0 == "-" ? "_" : $0 }), .long) { job in
                .long(job.figures[keyPath: figure.path])
            }
        }
        let error = MetadataColumn<Job>("error", .string) { .optional($0.row.error) }
        return MetadataRelation(columns + figures + [error], rows: rows.map { ($0, $0.figures) })
    }

    /// By name: how far each producer is committed.
    func producers(of metadata: TableMetadata) throws -> any Relation {
        MetadataRelation<ProducerMark>(
            [
                .init("producer", .string) { .string($0.producer) },
                .init("epoch", .long) { .long($0.epoch) },
                .init("sequence", .long) { .long($0.sequence) },
                .init("log_position", .long) { .long(Int64(clamping: $0.position)) },
                .init("accepted", .long) { .long(Int64($0.accepted)) },
            ], rows: try warehouse.producers(metadata.tableUUID))
    }

    /// Newest first.
    func metrics(of metadata: TableMetadata) throws -> any Relation {
        MetadataRelation<ReceivedReport>(
            [
                .init("received_at", .timestamptz) { .instant(ms: $0.receivedMs) },
                .init("report_type", .string) { .string($0.report.kind.rawValue) },
                .init("snapshot_id", .long) { .long($0.report.snapshotId) },
                .init("sequence_number", .long) { .optional($0.report.sequenceNumber) },
                .init("operation", .string) { .optional($0.report.operation) },
                .init("schema_id", .int) { $0.report.schemaId.map { .int(Int32(clamping: $0)) } ?? .null },
                .init("filter", .string) { .optional($0.report.filter?.text) },
                .init("projected_field_names", MetadataType.list(of: .string)) {
                    $0.report.projectedFieldNames.map { .list($0.map(Value.string)) } ?? .null
                },
                .init("metrics", MetadataType.map(to: .long)) { .object($0.report.metrics.mapValues(Value.long)) },
                .init("metadata", MetadataType.map(to: .string)) {
                    .object($0.report.metadata.mapValues(Value.string))
                },
            ], rows: try warehouse.metricsReports(metadata.tableUUID))
    }

    /// The most specific first.
    func schedules() throws -> any Relation {
        MetadataRelation<ScheduleRow>(
            [
                .init("name", .string) { .string($0.name) },
                .init("pattern", .string) { .string($0.table) },
                .init("paused", .boolean) { .boolean($0.paused) },
                .init("last_run_at", .timestamptz) { $0.lastRunMs.map { .instant(ms: $0) } ?? .null },
                .init("next_run_at", .timestamptz) { $0.nextRunMs.map { .instant(ms: $0) } ?? .null },
                .init("spec", .string) { .string($0.spec) },
            ], rows: try warehouse.schedules(for: table))
    }
}
