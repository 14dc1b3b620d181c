import Base
import Columnar
import Parquet
import Storage
import TestSupport
import Testing

@testable import Iceberg

/// Rows within a data file stand in the table's sort order, and the file says so only then.
@Suite struct SortedFilesTests {
    private static let schema = Schema(fields: [
        Field(id: 1, name: "id", required: true, type: .long),
        Field(id: 2, name: "key", required: false, type: .string),
        Field(id: 3, name: "n", required: false, type: .double),
        Field(
            id: 4, name: "s", required: false,
            type: .structure(StructType(fields: [Field(id: 5, name: "day", required: false, type: .date)]))),
    ])

    private func table(
        _ sort: String, _ partition: [PartitionField] = [], _ properties: [String: String] = [:]
    ) throws -> TableMetadata {
        try TableMetadata.create(
            schema: Self.schema, spec: PartitionSpec(fields: partition),
            sortOrder: try SortOrder(parsing: sort, schema: Self.schema), location: "file:///w/t",
            properties: properties, uuid: UUID(high: 0, low: 1), nowMs: 0)
    }

    private func batch(_ random: SeededRandom, ids: Range<Int>) -> RecordBatch {
        let builder = BatchBuilder(Self.schema)
        for id in ids {
            builder.columns[0].append(.long(Int64(id)))
            let text = String(repeating: "k", count: 7 + random.next(below: 3)) + "\(random.next(below: 30))"
            builder.columns[1].append(random.chance(1, in: 5) ? .null : .string(text))
            builder.columns[2].append(
                [.null, .double(.nan), .double(Double(random.next(below: 9)) - 4)].randomElement(random))
            builder.columns[3].append(
                random.chance(1, in: 6)
                    ? .null : .structure([random.chance(1, in: 6) ? .null : .date(Int32(random.next(below: 4)))]))
        }
        return builder.finish()
    }

    private func write(
        _ metadata: TableMetadata, _ batches: [RecordBatch], _ store: MemoryStore,
        limits: DataFileWriter.Limits = .init()
    ) throws -> [DataFile] {
        let writer = try DataFileWriter(metadata: metadata, limits: limits, store: store) { folder, index in
            "\(metadata.dataFolder)/\(folder)/\(index).parquet"
        }
        for batch in batches { try writer.write(batch) }
        return try writer.finish()
    }

    private func rows(_ file: DataFile, _ metadata: TableMetadata, _ store: MemoryStore) throws -> [[Value]] {
        let reader = try DataFileReader(
            file, spec: metadata.defaultSpec, schema: metadata.currentSchema, store: store)
        var rows: [[Value]] = []
        while let batch = try reader.next() {
            for row in 0..<batch.rowCount { rows.append(batch.columns.map { $0.value(at: row) }) }
        }
        return rows
    }

    private func footer(_ file: DataFile, _ store: MemoryStore) throws -> ParquetFooter {
        let bytes = try store.get(file.path)
        return try ParquetFileReader(fileBytes: bytes.count, source: file.path) { Array(bytes[$0]) }.footer
    }

    /// A comparison by single values, which shares nothing with the sorter's.
    private func precedes(_ a: [Value], _ b: [Value], _ order: SortOrder) -> Bool? {
        func source(_ row: [Value], _ id: Int) -> Value {
            guard id == 5 else { return row[id - 1] }
            if case .structure(let members) = row[3] { return members[0] }
            return .null
        }
        for field in order.fields {
            let (x, y) = (
                field.transform.apply(source(a, field.sourceId)), field.transform.apply(source(b, field.sourceId))
            )
            if x == .null || y == .null {
                if x == y { continue }
                return (x == .null) == (field.nullOrder == .first)
            }
            let isLess: Bool
            switch (ValueOrder.isNaN(x), ValueOrder.isNaN(y)) {
            case (true, true): continue
            case (true, false): isLess = false
            case (false, true): isLess = true
            default:
                guard let result = ValueOrder.compare(x, y), result != .equal else { continue }
                isLess = result == .less
            }
            return isLess == (field.direction == .ascending)
        }
        return nil
    }

    @Test(
        arguments: [
            "id desc", "key", "key desc nulls first, id desc", "n, id", "n desc nulls first", "n nulls last, key desc",
            "bucket(4, key), n desc", "truncate(8, key) desc, s.day", "day(s.day) nulls last, id",
        ], 0..<3)
    func rowsAreInOrder(_ sort: String, _ seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed))
        let metadata = try table(sort)
        let store = MemoryStore()
        let batches = (0..<3).map { batch(random, ids: $0 * 300..<($0 + 1) * 300) }
        let files = try write(metadata, batches, store)
        #expect(files.count == 1 && files[0].sortOrderId == 1)
        let found = try rows(files[0], metadata, store)
        // Stable: rows without an order of their own keep the one in which they came.
        let expected = batches.flatMap { batch in
            (0..<batch.rowCount).map { row in batch.columns.map { $0.value(at: row) } }
        }.enumerated().sorted { a, b in
            precedes(a.element, b.element, metadata.defaultSortOrder) ?? (a.offset < b.offset)
        }.map(\.element)
        #expect(found.map { $0[0] } == expected.map { $0[0] })
        #expect(found.map { $0[1] } == expected.map { $0[1] })
        let sorting = try footer(files[0], store).rowGroups[0].sortingColumns
        #expect(sorting.count == metadata.defaultSortOrder.parquetColumns.count)
    }

    @Test func everyTypeHasItsOrder() throws {
        for type in TransformValues.types {
            let random = SeededRandom(seed: 7)
            let schema = Schema(fields: [Field(id: 1, name: "c", required: false, type: type)])
            let column = TransformValues.column(random, type, rows: 300)
            let batch = RecordBatch(schema: schema, columns: [column], rowCount: 300)
            for field in [
                SortField(sourceId: 1), SortField(sourceId: 1, direction: .descending),
                SortField(sourceId: 1, direction: .descending, nullOrder: .first),
            ] {
                let order = SortOrder(orderId: 1, fields: [field])
                let rows = try #require(RowSorter(order, schema: schema)?.permutation(of: batch))
                #expect(Set(rows).count == 300)
                for (before, after) in zip(rows, rows.dropFirst()) {
                    let (a, b) = (column.value(at: Int(before)), column.value(at: Int(after)))
                    // Nothing stands behind what it must precede.
                    let wrong = precedes([b], [a], order) ?? (after < before)
                    #expect(!wrong, "\(type): \(a) before \(b)")
                }
                #expect(RowSorter(order, schema: schema)?.permutation(of: batch.taking(rows)) == nil)
            }
        }
    }

    /// IEEE 754 total order, as the spec has it.
    @Test func floatsAreTotallyOrdered() throws {
        let values: [Double] = [-.infinity, -1, -Double.leastNonzeroMagnitude, -0.0, 0.0, 1, .infinity, .nan]
        let schema = Schema(fields: [Field(id: 1, name: "c", required: false, type: .double)])
        let builder = BatchBuilder(schema)
        for value in values.reversed() { builder.columns[0].append(.double(value)) }
        let sorter = try #require(RowSorter(SortOrder(orderId: 1, fields: [SortField(sourceId: 1)]), schema: schema))
        #expect(sorter.permutation(of: builder.finish()) == [7, 6, 5, 4, 3, 2, 1, 0])
    }

    @Test func partitionsAreSortedEach() throws {
        let metadata = try table("key desc, id", [PartitionField(sourceId: 5, name: "day", transform: .identity)])
        let store = MemoryStore()
        let random = SeededRandom(seed: 1)
        let files = try write(metadata, (0..<4).map { batch(random, ids: $0 * 2000..<($0 + 1) * 2000) }, store)
        #expect(files.count == 5 && files.allSatisfy { $0.sortOrderId == 1 })
        #expect(files.reduce(0) { $0 + $1.recordCount } == 8000)
        for file in files {
            let rows = try rows(file, metadata, store)
            for (a, b) in zip(rows, rows.dropFirst()) {
                #expect(precedes(a, b, metadata.defaultSortOrder) == true)
            }
        }
    }

    /// Runs that memory cannot hold together go into one file, which then has no order.
    @Test func runsBeyondTheBoundClaimNothing() throws {
        let metadata = try table("id desc")
        let store = MemoryStore()
        let random = SeededRandom(seed: 2)
        let batches = (0..<6).map { batch(random, ids: $0 * 5000..<($0 + 1) * 5000) }
        let limits = DataFileWriter.Limits(openFilesMax: 4, bufferedBytesMax: batches[0].byteCount * 4)
        let files = try write(metadata, batches, store, limits: limits)
        #expect(files.count == 1 && files[0].sortOrderId == nil && files[0].recordCount == 30_000)
        #expect(try footer(files[0], store).rowGroups.allSatisfy { $0.sortingColumns.isEmpty })
        let ids = try rows(files[0], metadata, store).map { $0[0] }
        #expect(Set(ids).count == 30_000)
    }

    /// A run that fills several files is divided in its order.
    @Test func filesOfOneRunFollowEachOther() throws {
        let metadata = try table("id desc", [], ["write.target-file-size-bytes": "20000"])
        let store = MemoryStore()
        let random = SeededRandom(seed: 3)
        let files = try write(metadata, [batch(random, ids: 0..<150_000)], store)
        #expect(files.count > 1 && files.allSatisfy { $0.sortOrderId == 1 })
        let ids = try files.flatMap { try rows($0, metadata, store).map { $0[0] } }
        #expect(ids == (0..<150_000).reversed().map { .long(Int64($0)) })
    }

    @Test func unsortedTablesClaimNothing() throws {
        let store = MemoryStore()
        let files = try write(try table("none"), [batch(SeededRandom(seed: 4), ids: 0..<10)], store)
        #expect(files[0].sortOrderId == nil)
        #expect(try footer(files[0], store).rowGroups[0].sortingColumns.isEmpty)
    }

    /// A batch of an older schema lacks the column: all its rows are equal there.
    @Test func absentColumnsDecideNothing() throws {
        let old = Schema(fields: [Self.schema.fields[0]])
        let builder = BatchBuilder(old)
        for id in [3, 1, 2] { builder.columns[0].append(.long(Int64(id))) }
        let metadata = try table("key desc, id")
        let store = MemoryStore()
        let writer = try DataFileWriter(metadata: metadata, schema: old, store: store) { _, index in
            "file:///w/t/data/\(index).parquet"
        }
        try writer.write(builder.finish())
        let file = try #require(try writer.finish().first)
        #expect(file.sortOrderId == 1)
        #expect(try rows(file, metadata, store).map { $0[0] } == [.long(1), .long(2), .long(3)])
    }
}

extension Array {
    fileprivate func randomElement(_ random: SeededRandom) -> Element { self[random.next(below: count)] }
}
