import Base
import Columnar
import Parquet
import Storage
import Testing

@testable import Iceberg

@Suite struct DataFileTests {
    private static let schema = Schema(fields: [
        Field(id: 1, name: "id", required: true, type: .long),
        Field(id: 2, name: "ts", required: false, type: .timestamptz),
        Field(id: 3, name: "price", required: false, type: .double),
        Field(id: 4, name: "name", required: false, type: .string),
        Field(
            id: 5, name: "tags", required: false,
            type: .list(ListType(elementId: 6, element: .string, elementRequired: false))),
    ])

    private func table(_ fields: [PartitionField] = [], _ properties: [String: String] = [:]) throws -> TableMetadata {
        try TableMetadata.create(
            schema: Self.schema, spec: PartitionSpec(fields: fields), location: "file:///w/t", properties: properties,
            uuid: UUID(high: 0, low: 1), nowMs: 0)
    }

    private func batch(_ rows: [[Value]]) -> RecordBatch {
        let builder = BatchBuilder(Self.schema)
        for row in rows { for (column, value) in zip(builder.columns, row) { column.append(value) } }
        return builder.finish()
    }

    private func row(_ id: Int64, day: Int64?, _ name: String?, price: Double? = 1) -> [Value] {
        [
            .long(id), day.map { .timestamptz($0 * 86_400_000_000 + id) } ?? .null, price.map { .double($0) } ?? .null,
            name.map { .string($0) } ?? .null, .list([.string("t")]),
        ]
    }

    private func write(
        _ metadata: TableMetadata, _ batches: [RecordBatch], _ store: any ObjectStore,
        limits: DataFileWriter.Limits = .init()
    ) throws -> [DataFile] {
        let writer = try DataFileWriter(metadata: metadata, limits: limits, store: store) { folder, index in
            "\(metadata.dataFolder)/\(folder)/\(index).parquet"
        }
        for batch in batches { try writer.write(batch) }
        return try writer.finish()
    }

    private func ids(_ file: DataFile, _ metadata: TableMetadata, _ store: any ObjectStore) throws -> [Int64] {
        let reader = try DataFileReader(
            file, spec: metadata.defaultSpec, schema: metadata.currentSchema, store: store)
        var ids: [Int64] = []
        while let batch = try reader.next() {
            for row in 0..<batch.rowCount {
                guard case .long(let id) = batch.columns[0].value(at: row) else { continue }
                ids.append(id)
            }
        }
        return ids
    }

    @Test func rowsGoToTheirPartitions() throws {
        let metadata = try table([
            PartitionField(sourceId: 2, name: "ts_day", transform: .day),
            PartitionField(sourceId: 4, name: "name", transform: .identity),
        ])
        let store = MemoryStore()
        let rows = [
            row(1, day: 0, "a"), row(2, day: 1, "a"), row(3, day: 0, "b"), row(4, day: 0, "a"), row(5, day: nil, "a"),
            row(6, day: -1, nil), row(7, day: 1, "a"),
        ]
        let files = try write(metadata, [batch(rows), batch([row(8, day: 0, "b")])], store)
        let found = Dictionary(
            uniqueKeysWithValues: try files.map { ($0.partition, try ids($0, metadata, store)) })
        #expect(
            found == [
                [.date(0), .string("a")]: [1, 4], [.date(1), .string("a")]: [2, 7], [.date(0), .string("b")]: [3, 8],
                [.null, .string("a")]: [5], [.date(-1), .null]: [6],
            ])
        #expect(files.contains { $0.path.contains("/data/ts_day=1969-12-31/name=null/") })
        #expect(files.reduce(0) { $0 + $1.recordCount } == 8)
        for file in files { #expect(try store.size(file.path) == Int(file.fileBytes)) }
    }

    @Test func metricsFollowTheirModes() throws {
        let metadata = try table(
            [],
            [
                "write.metadata.metrics.default": "truncate(3)", "write.metadata.metrics.column.price": "counts",
                "write.metadata.metrics.column.ts": "none",
            ])
        let files = try write(
            metadata,
            [
                batch([
                    row(5, day: 1, "abcdef", price: .nan), row(-7, day: 2, "xyzzy", price: nil), row(6, day: 3, nil),
                ])
            ], MemoryStore())
        let file = try #require(files.first)
        #expect(file.recordCount == 3 && file.splitOffsets == [4])
        #expect(Set(file.columnSizes.keys) == [1, 3, 4, 6])
        #expect(file.valueCounts == [1: 3, 3: 3, 4: 3])
        #expect(file.nullValueCounts == [1: 0, 3: 1, 4: 1])
        #expect(file.nanValueCounts == [3: 1])
        #expect(file.lowerBounds == [1: SingleValue.encode(.long(-7))!, 4: Array("abc".utf8)])
        #expect(file.upperBounds == [1: SingleValue.encode(.long(6))!, 4: Array("xy{".utf8)])
    }

    @Test func metricsStopAfterManyColumns() throws {
        let metadata = try table([], ["write.metadata.metrics.max-inferred-column-defaults": "2"])
        let file = try #require(try write(metadata, [batch([row(1, day: 1, "a")])], MemoryStore()).first)
        #expect(Set(file.valueCounts.keys) == [1, 2])
    }

    @Test func openFilesAreBounded() throws {
        let metadata = try table([PartitionField(sourceId: 2, name: "ts_day", transform: .day)])
        let store = CountingStore()
        // Batches of this size are not gathered.
        let batches = (0..<6).map { number -> RecordBatch in
            batch((0..<4096).map { row(Int64(number * 4096 + $0), day: Int64(number % 3), "a") })
        }
        let files = try write(metadata, batches, store, limits: .init(openFilesMax: 2, bufferedBytesMax: 1 << 30))
        // The third day in turn waits until the others are written.
        #expect(files.count == 3)
        #expect(store.counts.withLock { $0.most } == 2)
        #expect(try files.flatMap { try ids($0, metadata, store) }.sorted() == Array(0..<6 * 4096))
        let rows = (0..<20).map { row(Int64($0), day: Int64($0 % 5), "a") }
        let narrow = try write(
            metadata, [batch(rows)], MemoryStore(), limits: .init(openFilesMax: 9, bufferedBytesMax: 0))
        #expect(narrow.count == 5)
    }

    /// Single rows of many partitions in turn share batches before they are divided, and so files.
    @Test func smallBatchesAreGathered() throws {
        let metadata = try table([PartitionField(sourceId: 2, name: "ts_day", transform: .day)])
        let store = MemoryStore()
        let rows = (0..<5000).map { number -> [Value] in
            let name: String? = number % 7 == 0 ? nil : "name \(number)"
            return row(Int64(number), day: Int64(number % 5), name)
        }
        let files = try write(
            metadata, rows.map { batch([$0]) }, store, limits: .init(openFilesMax: 2, bufferedBytesMax: 1 << 30))
        #expect(files.count == 5)
        #expect(files.reduce(0) { $0 + $1.recordCount } == 5000)
        #expect(try files.flatMap { try ids($0, metadata, store) }.sorted() == Array(0..<5000))
    }

    @Test func filesRollAtTheirSize() throws {
        let metadata = try table([], ["write.target-file-size-bytes": "20000"])
        let store = MemoryStore()
        let batches = (0..<40).map { number in
            batch((0..<200).map { row(Int64(number * 200 + $0), day: Int64($0), "name \(number * $0 % 9973)") })
        }
        let files = try write(metadata, batches, store)
        #expect(files.count > 1)
        #expect(try files.flatMap { try ids($0, metadata, store) } == Array(0..<8000))
    }

    /// An import may leave a partition column out of its files.
    @Test func absentPartitionColumnsAreConstant() throws {
        let metadata = try table([PartitionField(sourceId: 4, name: "name", transform: .identity)])
        let store = MemoryStore()
        let narrow = Schema(fields: [Self.schema.fields[0]])
        let sink = try store.putStream("file:///w/t/data/x.parquet")
        let writer = ParquetFileWriter(schema: narrow) { try sink.write($0) }
        let builder = BatchBuilder(narrow)
        builder.columns[0].append(.long(9))
        try writer.write(builder.finish())
        let summary = try writer.close()
        try sink.finish()
        let file = DataFile(
            path: "file:///w/t/data/x.parquet", partition: [.string("p")], recordCount: 1,
            fileBytes: Int64(summary.fileBytes))
        func read(_ filter: Predicate) throws -> RecordBatch? {
            try DataFileReader(
                file, spec: metadata.defaultSpec, schema: Self.schema, filter: filter, store: store
            ).next()
        }
        let rows = try #require(try read(.alwaysTrue))
        #expect(rows.columns.map { $0.value(at: 0) } == [.long(9), .null, .null, .string("p"), .null])
        #expect(try read(.compare(fieldId: 4, .equal, .string("p"))) != nil)
        #expect(try read(.compare(fieldId: 4, .equal, .string("q"))) == nil)
        #expect(try read(.compare(fieldId: 1, .less, .long(9))) == nil)
        #expect(try read(.compare(fieldId: 1, .lessOrEqual, .long(9))) != nil)
    }

    @Test func otherFormatsAreRefused() throws {
        let file = DataFile(path: "file:///w/t/data/x.orc", format: "ORC", recordCount: 1, fileBytes: 1)
        let error = #expect(throws: FirnError.self) {
            try DataFileReader(file, spec: .unpartitioned, schema: Self.schema, store: MemoryStore())
        }
        #expect(error?.code == "file_format")
    }

    /// pyarrow's footer of a file without ids: a list's element is called `element` or `item`.
    @Test func nameMappingGivesIds() throws {
        let mapping = try NameMapping(
            parsing:
                #"""
                [{"field-id":1,"names":["id","ID"]},{"field-id":5,"names":["tags"],"fields":[{"field-id":6,\#
                "names":["element"]}]}]
                """#
        )
        var footer = ParquetFooter()
        func element(_ name: String, children: Int? = nil, _ repetition: ParquetFooter.Repetition = .optional) {
            var element = ParquetFooter.SchemaElement(name: name)
            element.childCount = children
            element.repetition = repetition
            footer.schema.append(element)
        }
        element("schema", children: 3)
        element("ID")
        element("tags", children: 1)
        element("list", children: 1, .repeated)
        element("item")
        element("other")
        #expect(mapping.applied(to: footer).schema.map(\.fieldId) == [nil, 1, 5, nil, 6, nil])
        #expect(throws: FirnError.self) { try NameMapping(parsing: "{}") }
    }

    @Test func takingKeepsNestedRows() {
        let source = batch([
            [.long(1), .null, .null, .string("a"), .list([.string("x"), .null])], row(2, day: 1, nil),
            [.long(3), .null, .double(3), .string("ccc"), .null],
        ])
        let taken = source.taking([2, 0, 0])
        for (place, row) in [2, 0, 0].enumerated() {
            #expect(taken.columns.map { $0.value(at: place) } == source.columns.map { $0.value(at: row) })
        }
    }
}
