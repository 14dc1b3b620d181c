import Base
import Catalog
import Columnar

/// Tables about a table that the catalog tells rather than the table's metadata: `"ns.table$jobs"`, the history of its
/// maintenance, and `"ns.table$schedules"`, the schedules that match it.
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
