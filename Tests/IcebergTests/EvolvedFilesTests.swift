import Base
import Columnar
import Parquet
import Storage
import TestSupport
import Testing

@testable import Iceberg

/// Files of older schemas under a newer one: values, pruning by partition, bounds, statistics and Bloom filters.
@Suite struct EvolvedFilesTests {
    private static let old = """
        id long required, n int required, f float, p decimal(9, 2), day date, s struct<a int required>,
        items list<struct<qty int>>, attrs map<string, int>
        """
    private static let change = SchemaChange([
        .widen(ColumnPath(dotted: "n"), to: .long), .makeOptional(ColumnPath(dotted: "n")),
        .widen(ColumnPath(dotted: "f"), to: .double),
        .widen(ColumnPath(dotted: "p"), to: .decimal(precision: 20, scale: 2)),
        .widen(ColumnPath(dotted: "s.a"), to: .long), .makeOptional(ColumnPath(dotted: "s.a")),
        .widen(ColumnPath(dotted: "items.element.qty"), to: .long),
        .widen(ColumnPath(dotted: "attrs.value"), to: .long),
        .addColumn(parent: .root, field: Field(id: 0, name: "extra", required: false, type: .string)),
        .addColumn(parent: ColumnPath(dotted: "s"), field: Field(id: 0, name: "b", required: false, type: .string)),
        .addColumn(
            parent: ColumnPath(dotted: "items"), field: Field(id: 0, name: "note", required: false, type: .date)),
    ])

    /// A table in memory with real files, partitioned in the ways that promoted columns can be.
    private final class Table {
        let store = MemoryStore()
        var metadata: TableMetadata
        private var location = ""
        private var counter: UInt64 = 0

        init(transforms: [(column: String, Transform)]) throws {
            let schema = try ShortSchema.parse(EvolvedFilesTests.old)
            let fields = transforms.enumerated().map { index, part in
                PartitionField(
                    sourceId: schema.field(path: part.column)!.id, fieldId: 1000 + index, name: "part\(index)",
                    transform: part.1)
            }
            metadata = try TableMetadata.create(
                schema: schema, spec: PartitionSpec(fields: fields), location: "file:///w/t",
                properties: [
                    "commit.manifest.min-count-to-merge": "2", "write.parquet.bloom-filter-enabled.column.n": "true",
                    "write.parquet.bloom-filter-enabled.column.f": "true",
                    "write.parquet.bloom-filter-enabled.column.p": "true",
                ], uuid: UUID(high: 0, low: 1), nowMs: 0)
            try put(MetadataCommit.prepare(metadata, base: nil, baseLocation: nil, context: context()))
        }

        private func context() -> CommitContext {
            counter += 1
            return CommitContext(
                snapshotId: Int64(100 + counter), commitUUID: UUID(high: 2, low: counter),
                metadataUUID: UUID(high: 3, low: counter), nowMs: Int64(counter * 10), attempt: 1)
        }

        private func put(_ commit: PreparedCommit) throws {
            try store.putAll(commit.objects)
            metadata = commit.metadata
            location = commit.metadataLocation
        }

        func evolve() throws {
            var changed = metadata
            let (schema, _) = try EvolvedFilesTests.change.apply(
                to: metadata.currentSchema, lastColumnId: metadata.lastColumnId)
            try changed.setCurrentSchema(changed.addSchema(schema))
            try put(MetadataCommit.prepare(changed, base: metadata, baseLocation: location, context: context()))
        }

        func write(_ rows: [[Value]], _ schema: Schema) throws -> [DataFile] {
            let builder = BatchBuilder(schema)
            for row in rows { for (column, value) in zip(builder.columns, row) { column.append(value) } }
            counter += 1
            let folder = metadata.dataFolder + "/\(counter)"
            let writer = try DataFileWriter(metadata: metadata, schema: schema, store: store) { partition, index in
                "\(folder)/\(partition)/\(index).parquet"
            }
            try writer.write(builder.finish())
            return try writer.finish()
        }

        func append(_ files: [DataFile]) throws {
            try put(
                SnapshotProducer.append(
                    base: metadata, baseLocation: location, files: files, context: context(), store: store))
        }

        /// Rows by id that a scan of a snapshot finds, with the columns of its own schema.
        func scan(_ filter: Predicate, snapshot: Snapshot? = nil) throws -> (rows: [Int64: [Value]], files: Int) {
            let snapshot = snapshot ?? metadata.currentSnapshot!
            let schema = metadata.schema(id: snapshot.schemaId!)!
            let plan = try ScanPlanner.plan(metadata: metadata, snapshot: snapshot, filter: filter, store: store)
            var rows: [Int64: [Value]] = [:]
            for task in plan.tasks {
                let reader = try DataFileReader(task, schema: schema, filter: filter, store: store)
                while let batch = try reader.next() {
                    for row in 0..<batch.rowCount {
                        guard case .long(let id) = batch.columns[0].value(at: row) else { continue }
                        #expect(rows.updateValue(batch.columns.map { $0.value(at: row) }, forKey: id) == nil)
                    }
                }
            }
            return (rows, plan.tasks.count)
        }
    }

    private static func oldRow(_ id: Int64) -> [Value] {
        let n = Int32(id % 7) - 3
        return [
            .long(id), .int(n), id % 5 == 0 ? .null : .float(Float(n) / 3), .decimal(Int128(n) * 100, scale: 2),
            .date(Int32(id)), id % 4 == 0 ? .null : .structure([.int(n)]),
            .list([.structure([.int(n)]), .structure([.null])]), .map([.init(key: .string("k"), value: .int(n))]),
        ]
    }

    /// What an old row is under the new schema.
    private static func promoted(_ row: [Value]) -> [Value] {
        guard case .int(let n) = row[1] else { return row }
        let float: Value = if case .float(let f) = row[2] { .double(Double(f)) } else { .null }
        let structure: Value = row[5] == .null ? .null : .structure([.long(Int64(n)), .null])
        return [
            row[0], .long(Int64(n)), float, row[3], row[4], structure,
            .list([.structure([.long(Int64(n)), .null]), .structure([.null, .null])]),
            .map([.init(key: .string("k"), value: .long(Int64(n)))]), .null,
        ]
    }

    private static func newRow(_ id: Int64) -> [Value] {
        let n = id % 2 == 0 ? 5_000_000_000 + id % 3 : id % 7 - 3
        return [
            .long(id), id % 9 == 0 ? .null : .long(n), .double(Double(n) / 3),
            .decimal(Int128(n) * 100, scale: 2), .date(Int32(id)), .structure([.null, .string("b")]),
            .list([.structure([.long(n), .date(3)])]), .map([.init(key: .string("k"), value: .long(n))]), .string("x"),
        ]
    }

    private static let filters: [Predicate] = {
        var filters: [Predicate] = [.alwaysTrue, .isNull(fieldId: 14), .notNull(fieldId: 14), .isNull(fieldId: 2)]
        for n in [-1, 3, 5_000_000_001] as [Int64] {
            let literals: [(Int, Value)] = [
                (2, .long(n)), (3, .double(Double(Float(n) / 3))), (3, .double(Double(n) / 3)),
                (4, .decimal(Int128(n) * 100, scale: 2)),
            ]
            for (id, literal) in literals {
                for comparison in [Predicate.Comparison.equal, .less, .greaterOrEqual] {
                    filters.append(.compare(fieldId: id, comparison, literal))
                }
                filters.append(.isIn(fieldId: id, [literal, literal]))
            }
        }
        return filters
    }()

    private static let layouts: [[(column: String, Transform)]] = [
        [], [("n", .identity)], [("f", .identity)], [("p", .identity)], [("n", .bucket(4)), ("p", .bucket(3))],
        [("n", .truncate(2)), ("p", .truncate(100))],
    ]

    @Test(arguments: 0..<6) func everyFilterFindsTheSameRows(_ layout: Int) throws {
        let table = try Table(transforms: Self.layouts[layout])
        let schema = table.metadata.currentSchema
        let oldIds: [Int64] = Array(1...20)
        try table.append(try table.write(oldIds.map(Self.oldRow), schema))
        let before = try #require(table.metadata.currentSnapshot)
        // Written before the change, committed behind it.
        let late = try table.write((21...25).map(Self.oldRow), schema)
        try table.evolve()
        try table.append(late)
        // Decoded before the change, written behind it.
        try table.append(try table.write((26...30).map(Self.oldRow), schema))
        let evolved = table.metadata.currentSchema
        try table.append(try table.write((31...42).map(Self.newRow), evolved))

        var expected: [Int64: [Value]] = [:]
        for id in 1...30 as ClosedRange<Int64> { expected[id] = Self.promoted(Self.oldRow(id)) }
        for id in 31...42 as ClosedRange<Int64> { expected[id] = Self.newRow(id) }
        let builder = BatchBuilder(evolved)
        let ids = expected.keys.sorted()
        for id in ids { for (column, value) in zip(builder.columns, expected[id]!) { column.append(value) } }
        let all = builder.finish()
        for filter in Self.filters {
            let passing = try ExpressionEvaluator(filter).select(all).map { ids[Int($0)] }
            let found = try table.scan(filter).rows
            #expect(found == expected.filter { passing.contains($0.key) }, "\(filter)")
        }
        // The old snapshot is what it was, with its own types.
        let rows = try table.scan(.alwaysTrue, snapshot: before).rows
        #expect(rows == Dictionary(uniqueKeysWithValues: oldIds.map { ($0, Self.oldRow($0)) }))
        #expect(try table.scan(.compare(fieldId: 2, .greater, .int(2)), snapshot: before).rows.count == 3)
    }

    @Test func boundsOfTheOldTypeStillPrune() throws {
        let table = try Table(transforms: [("n", .identity)])
        try table.append(try table.write((1...20).map(Self.oldRow), table.metadata.currentSchema))
        try table.evolve()
        try table.append(try table.write((31...60).map(Self.newRow), table.metadata.currentSchema))
        let total = try table.scan(.alwaysTrue).files
        #expect(total > 10)
        #expect(try table.scan(.compare(fieldId: 2, .greater, .long(4))).files == 3)
        #expect(try table.scan(.compare(fieldId: 2, .equal, .long(-3))).files == 2)
        let flat = try Table(transforms: [])
        try flat.append(try flat.write((1...20).map(Self.oldRow), flat.metadata.currentSchema))
        try flat.evolve()
        try flat.append(try flat.write((31...60).map(Self.newRow), flat.metadata.currentSchema))
        #expect(try flat.scan(.compare(fieldId: 2, .greater, .long(4))).files == 1)
        #expect(try flat.scan(.compare(fieldId: 3, .greater, .double(2))).files == 1)
        #expect(try flat.scan(.compare(fieldId: 4, .greater, .decimal(300, scale: 2))).files == 1)
    }
}
