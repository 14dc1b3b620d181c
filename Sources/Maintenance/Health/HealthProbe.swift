import Base
import Catalog
import Iceberg
import Synchronization

/// Looks at the health of tables again and again; each manifest is read once, and a table no more often than every
/// `intervalMs`.
public final class HealthProbe: Sendable {
    private struct Look: Sendable {
        var scan = LiveFileScan()
        var health: TableHealth
        var nanos: Int64
    }

    /// Beyond these many all are forgotten: a bound on memory for warehouses of very many tables.
    private static let looksMax = 1000

    private let warehouse: Warehouse
    private let intervalMs: Int64
    private let looks = Mutex<[TableIdentifier: Look]>([:])

    public init(warehouse: Warehouse, intervalMs: Int64 = 10_000) {
        self.warehouse = warehouse
        self.intervalMs = intervalMs
    }

    /// The tables that could be looked at, in the given order; unless told to `keep` them, others are forgotten. One
    /// caller looks at a time.
    public func healths(
        of tables: [TableIdentifier], keep: Bool = false
    ) -> [(table: TableIdentifier, health: TableHealth)] {
        looks.withLock { looks in
            let known = Set(tables)
            if looks.count > Self.looksMax { looks = [:] }
            if !keep { looks = looks.filter { known.contains($0.key) } }
            return tables.compactMap { table in
                let now = warehouse.environment.clock.monotonicNanos()
                if let look = looks[table], now - look.nanos < intervalMs * 1_000_000 { return (table, look.health) }
                var scan = looks[table]?.scan ?? LiveFileScan()
                guard let health = try? Self.health(of: table, warehouse, &scan) else { return nil }
                looks[table] = Look(scan: scan, health: health, nanos: now)
                return (table, health)
            }
        }
    }

    /// The health of one table now. Throws `.notFound` (`table_not_found`) and what reading its metadata throws.
    public static func health(of table: TableIdentifier, _ warehouse: Warehouse) throws -> TableHealth {
        var scan = LiveFileScan()
        return try health(of: table, warehouse, &scan)
    }

    private static func health(
        of identifier: TableIdentifier, _ warehouse: Warehouse, _ scan: inout LiveFileScan
    ) throws -> TableHealth {
        let table = try warehouse.loadTable(identifier)
        let live = try scan.read(table, store: warehouse.store)
        let jobs = try warehouse.listJobs(table: identifier.description, limit: CompactionHistory.jobsMax)
        return TableHealth(
            live.state, options: CompactionOptions(table.metadata.tableProperties),
            nowMs: warehouse.environment.clock.nowMs(),
            history: CompactionHistory(jobs: jobs, tableBytes: live.bytes))
    }
}
