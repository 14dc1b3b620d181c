import Base
import Catalog
import Columnar
import Iceberg
import Logging
import Testing

@testable import Ingest

/// The ingest path in one process, on a real warehouse in a temporary folder. Kills are tested from outside.
@Suite struct IngestServiceTests {
    private final class Place {
        let directory: String
        let warehouse: Warehouse

        init() throws {
            directory = "/tmp/firn-ingest-\(Environment.live.uuid())"
            warehouse = try Warehouse(directory: directory, environment: .live, create: true)
        }

        deinit { Self.remove(directory) }

        private static func remove(_ path: String) {
            let files = Environment.live.files
            for entry in (try? files.list(path)) ?? [] {
                if entry.isDirectory {
                    remove(path + "/" + entry.name)
                } else {
                    try? files.remove(path + "/" + entry.name)
                }
            }
            try? files.removeEmptyDirectory(path)
        }

        func createTable(_ name: String) throws -> TableIdentifier {
            let identifier = try TableIdentifier(parsing: name)
            _ = try warehouse.createTable(
                TableDefinition(
                    identifier: identifier, schema: "id long required, name string", partition: nil, sort: nil),
                ifNotExists: false)
            return identifier
        }

        /// A service that commits only when asked to.
        func open() throws -> IngestService {
            var options = IngestOptions()
            options.flushIntervalMs = 3_600_000
            return try IngestService.open(warehouse: warehouse, options: options, logger: Logger(label: "test"))
        }

        func records(_ identifier: TableIdentifier) throws -> Int {
            let summary = try warehouse.loadTable(identifier).metadata.currentSnapshot?.summary
            return summary?["total-records"].flatMap { Int($0) } ?? 0
        }
    }

    private func send(
        _ service: IngestService, _ ids: ClosedRange<Int>, to table: TableIdentifier, stamp: ProducerStamp = .none
    ) async throws -> IngestAnswer {
        let body = ids.map { "{\"id\":\($0)}\n" }.joined()
        return try await service.ingest(
            IngestRequest(table: table, body: Array(body.utf8), format: .ndjson, stamp: stamp))
    }

    @Test func acknowledgedRecordsFollowARenamedTable() async throws {
        let place = try Place()
        let old = try place.createTable("a.old")
        let service = try place.open()
        #expect(try await send(service, 1...3, to: old).accepted == 3)
        let new = try TableIdentifier(parsing: "a.new")
        try place.warehouse.renameTable(old, to: new)
        // Sent under the new name while the old one still holds uncommitted records.
        #expect(try await send(service, 4...5, to: new).accepted == 2)
        service.close()
        #expect(try place.records(new) == 5)
    }

    @Test func aDroppedTableRefusesWhatComesAfter() async throws {
        let place = try Place()
        let table = try place.createTable("a.t")
        let service = try place.open()
        #expect(try await send(service, 1...3, to: table).accepted == 3)
        try place.warehouse.dropTable(table, purge: true)
        service.forget(table)
        await #expect(throws: FirnError.self) { try await send(service, 4...4, to: table) }
        service.close()
        #expect(try place.warehouse.listTables().isEmpty)
    }

    @Test func aRestartRemembersWhoSentWhat() async throws {
        let place = try Place()
        let table = try place.createTable("a.t")
        let stamp = ProducerStamp.sequence(producer: "p", epoch: 1, sequence: 10)
        var service = try place.open()
        let first = try await send(service, 1...3, to: table, stamp: stamp)
        _ = try await send(service, 4...5, to: table, stamp: .key("k"))
        service.close()
        service = try place.open()
        let again = try await send(service, 1...3, to: table, stamp: stamp)
        #expect(again.duplicate && again.accepted == first.accepted && again.position == first.position)
        #expect(try await send(service, 4...5, to: table, stamp: .key("k")).duplicate)
        #expect(try service.producerPosition("p", in: table)?.committed == 10)
        service.close()
        #expect(try place.records(table) == 5)
    }

    @Test func aFlushCommitsEverythingAcknowledgedBefore() async throws {
        let place = try Place()
        let table = try place.createTable("a.t")
        let service = try place.open()
        let answer = try await send(service, 1...2, to: table)
        #expect(answer.state == .durable)
        try await service.flush(table)
        #expect(try place.records(table) == 2)
        #expect(service.figures.tables.allSatisfy { $0.uncommittedRows == 0 } && service.budget.bytesUsed == 0)
        service.close()
    }

    @Test func aFullMemoryBudgetIsAnOverload() throws {
        let budget = MemoryBudget(limit: 100)
        try budget.reserve(60)
        #expect { try budget.reserve(41) } throws: { ($0 as? FirnError)?.code == "memory_limit" }
        try budget.reserve(40)
        budget.adjust(from: 40, to: 70)
        #expect(budget.bytesUsed == 130)
        budget.release(130)
        // A body larger than the whole budget still makes progress when it is alone.
        try budget.reserve(1000)
        #expect { try budget.reserve(1) } throws: { ($0 as? FirnError)?.kind == .overloaded }
    }

    @Test func oneServerHoldsAWarehouse() throws {
        let place = try Place()
        let service = try place.open()
        #expect(throws: FirnError.self) { try place.open() }
        service.close()
        try place.open().close()
    }

    @Test func firstRecordsDefineATableWhereTheNamespaceAllowsIt() async throws {
        let place = try Place()
        try place.warehouse.createNamespace(["closed"])
        try place.warehouse.createNamespace(["open"], properties: ["firn.auto-create-tables": "true"])
        let service = try place.open()
        let open = try TableIdentifier(parsing: "open.t")
        #expect(try await send(service, 1...4, to: open).accepted == 4)
        let closed = try TableIdentifier(parsing: "closed.t")
        await #expect(throws: FirnError.self) { try await send(service, 1...4, to: closed) }
        service.close()
        #expect(try place.records(open) == 4)
        #expect(try place.warehouse.loadTable(open).metadata.currentSchema.fields.map(\.name) == ["id"])
    }
}
