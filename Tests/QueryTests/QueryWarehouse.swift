import Base
import Catalog
import Columnar
import Glibc
import Iceberg
import Query
import SQLiteKit
import Storage

/// A clock that moves when told to.
final class SteppedClock: Clock {
    private let still = StillClock()
    /// 2025-12-31T23:00:00Z.
    private static let startMicros: Int64 = 1_767_222_000_000_000

    func nowMicros() -> Int64 { Self.startMicros + still.nowMicros() }
    func monotonicNanos() -> Int64 { still.monotonicNanos() }
    func advance(ms: Int64) { still.advance(ms: ms) }
}

/// A warehouse on disk with the table `web.clicks`, deleted at the end.
///
/// The first snapshot, of 2026-01-01T00:00:00Z, has rows 0 to 99, the second, an hour later, also 100 to 199. Row i is:
/// id i; ts 2026-01-01T00:00:00Z + i × 15 min; country CH, DE, FR, null in turn; price i × 0.25 (decimal(10, 2));
/// score i / 8, NaN for each 50th; device {os, version}; tags ["t<i mod 3>", …] with i mod 3 members;
/// session, a UUID with i in its last digits. Partitioned by country and day(ts).
final class QueryWarehouse: Sendable {
    let directory: String
    let warehouse: Warehouse
    let clock = SteppedClock()
    let snapshots: [Int64]

    private static let schema = Schema(fields: [
        Field(id: 1, name: "id", required: true, type: .long),
        Field(id: 2, name: "ts", required: false, type: .timestamptz),
        Field(id: 3, name: "country", required: false, type: .string),
        Field(id: 4, name: "price", required: false, type: .decimal(precision: 10, scale: 2)),
        Field(id: 5, name: "score", required: false, type: .double),
        Field(
            id: 6, name: "device", required: false,
            type: .structure(
                StructType(fields: [
                    Field(id: 7, name: "os", required: false, type: .string),
                    Field(id: 8, name: "version", required: false, type: .int),
                ]))),
        Field(
            id: 9, name: "tags", required: false,
            type: .list(ListType(elementId: 10, element: .string, elementRequired: false))),
        Field(id: 11, name: "session", required: false, type: .uuid),
    ])

    init() throws {
        var template = Array("/tmp/firn-query-XXXXXX".utf8CString)
        directory = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)!) }
        let environment = Environment(clock: clock, random: SystemRandom(), files: PosixFileSystem())
        warehouse = try Warehouse(directory: directory + "/w", environment: environment, create: true)
        try warehouse.createNamespace(["web"])
        let id = try TableIdentifier(parsing: "web.clicks")
        _ = try warehouse.createTable(
            id, schema: Self.schema,
            spec: PartitionSpec(fields: [
                PartitionField(sourceId: 3, name: "country", transform: .identity),
                PartitionField(sourceId: 2, name: "ts_day", transform: .day),
            ]))
        _ = try warehouse.createTable(
            TableIdentifier(parsing: "web.empty"), schema: Schema(fields: [Self.schema.fields[0]]))
        var snapshots: [Int64] = []
        for start in [0, 100] {
            clock.advance(ms: 3_600_000)
            snapshots.append(try Self.append(start..<start + 100, to: id, warehouse))
        }
        self.snapshots = snapshots
    }

    deinit {
        let store = LocalStore(files: PosixFileSystem())
        for location in (try? store.list(directory)) ?? [] { try? store.delete(location) }
        try? store.removeEmptyFolders(directory)
    }

    private static func row(_ i: Int) -> [Value] {
        [
            .long(Int64(i)), .timestamptz(1_767_225_600_000_000 + Int64(i) * 900_000_000),
            [.string("CH"), .string("DE"), .string("FR"), .null][i % 4], .decimal(Int128(i * 25), scale: 2),
            .double(i % 50 == 49 ? .nan : Double(i) / 8),
            i % 10 == 9 ? .null : .structure([.string(i % 2 == 0 ? "ios" : "android"), .int(Int32(i % 5))]),
            .list((0..<i % 3).map { _ in .string("t\(i % 3)") }),
            .uuid(UUID(high: 0, low: UInt64(i))),
        ]
    }

    private static func append(
        _ ids: Range<Int>, to id: TableIdentifier, _ warehouse: Warehouse
    ) throws -> Int64 {
        let committer = try warehouse.committer(for: id)
        let metadata = try committer.table().metadata
        let name = warehouse.environment.uuid()
        let writer = try DataFileWriter(metadata: metadata, store: warehouse.store) { folder, index in
            let location = metadata.dataFolder + "/" + folder + "/\(name)-\(index).parquet"
            try warehouse.ledger.record([location], table: metadata.tableUUID)
            return location
        }
        let builder = BatchBuilder(metadata.currentSchema)
        for i in ids {
            for (column, value) in zip(builder.columns, row(i)) { column.append(value) }
        }
        try writer.write(builder.finish())
        return try committer.append(try writer.finish(), ingest: nil).snapshotId!
    }

    func query(_ sql: String) throws -> QueryResult { try QueryEngine(warehouse: warehouse).execute(sql) }
    func rows(_ sql: String) throws -> [[SQLValue]] { try query(sql).rows() }
}
