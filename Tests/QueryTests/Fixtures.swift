import Base
import Columnar
import SQLiteKit
import Synchronization

@testable import Query

/// Time that moves only when told.
final class StillClock: Clock {
    private let nanos = Atomic<Int64>(0)
    func nowMicros() -> Int64 { nanos.load(ordering: .relaxed) / 1000 }
    func monotonicNanos() -> Int64 { nanos.load(ordering: .relaxed) }
    func advance(ms: Int64) { nanos.add(ms * 1_000_000, ordering: .relaxed) }
}

/// Tables in memory, whose snapshots are numbered.
struct FakeSource: SnapshotSource {
    typealias Make = @Sendable (TableReference) throws -> any Relation
    var tables: [String: Make] = [:]

    func relations(_ references: [TableReference], statistics: QueryStatistics) throws -> [any Relation] {
        try references.map { reference in
            guard let make = tables[reference.tableName] else {
                throw FirnError(.notFound, "table_not_found", "there is no table '\(reference.tableName)'")
            }
            return try make(reference)
        }
    }

    mutating func add(_ name: String, _ batches: RecordBatch...) {
        tables[name] = { _ in MemoryRelation(schema: batches[0].schema, batches: batches) }
    }

    func engine(pushesDown: Bool = true, clock: any Clock = StillClock()) -> QueryEngine {
        QueryEngine(source: self, clock: clock, pushesDown: pushesDown)
    }
}

/// A batch from rows of values.
func batch(_ columns: [(String, DataType)], _ rows: [[Value]]) -> RecordBatch {
    let fields = columns.enumerated().map {
        Field(id: $0.offset + 1, name: $0.element.0, required: false, type: $0.element.1)
    }
    let builder = BatchBuilder(Schema(fields: fields))
    for row in rows {
        for (column, value) in zip(builder.columns, row) { column.append(value) }
    }
    return builder.finish()
}

func error<T>(of body: () throws -> T) -> FirnError? {
    do {
        _ = try body()
        return nil
    } catch { return error as? FirnError }
}

/// Remembers what was asked of it.
final class SpyRelation: Relation, @unchecked Sendable {
    let inner: MemoryRelation
    private(set) var scans: [(projection: [String], filter: Expression)] = []
    private(set) var batchesRead = 0

    init(_ batches: [RecordBatch]) { inner = MemoryRelation(schema: batches[0].schema, batches: batches) }

    var schema: Schema { inner.schema }
    var estimatedRows: Int { inner.estimatedRows }

    func scan(projection: Schema, filter: Expression) throws -> any RowScan {
        scans.append((projection.fields.map(\.name), filter))
        return Scan(self, inner.scan(projection: projection, filter: filter))
    }

    private final class Scan: RowScan {
        let spy: SpyRelation
        let inner: any RowScan

        init(_ spy: SpyRelation, _ inner: any RowScan) {
            self.spy = spy
            self.inner = inner
        }

        func next() throws -> NumberedBatch? {
            spy.batchesRead += 1
            return try inner.next()
        }
    }
}
