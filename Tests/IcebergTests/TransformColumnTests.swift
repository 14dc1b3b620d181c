import Base
import Columnar
import Storage
import TestSupport
import Testing

@testable import Iceberg

/// Every transform of every source type, by column, by value and through the grouping of rows.
@Suite struct TransformColumnTests {
    private func spec(_ transform: Transform) -> PartitionSpec {
        PartitionSpec(fields: [PartitionField(sourceId: 1, fieldId: 1000, name: "p", transform: transform)])
    }

    @Test(arguments: TransformValues.types, 0..<5) func columnsAgreeWithValues(_ type: DataType, _ seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed))
        let column = TransformValues.column(random, type, rows: 200)
        let batch = RecordBatch(
            schema: Schema(fields: [Field(id: 1, name: "c", required: false, type: type)]), columns: [column],
            rowCount: column.rowCount)
        for transform in TransformValues.transforms where transform.accepts(type) {
            let output = transform.apply(column)
            #expect(output.type == transform.resultType(of: type) && output.rowCount == column.rowCount)
            let spec = spec(transform)
            let grouping = PartitionGrouping(batch, spec: spec, partitionFields: spec.partitionFields { _ in type })
            var seen = 0
            for group in grouping.groups {
                for place in group.range {
                    let row = grouping.order.map { Int($0[place]) } ?? place
                    let expected = transform.apply(column.value(at: row))
                    #expect(output.value(at: row).isSame(as: expected), "\(transform) of \(column.value(at: row))")
                    #expect(group.partition[0].isSame(as: expected), "\(transform) of \(column.value(at: row))")
                    seen += 1
                }
                // The folder's name is made of any value there may be.
                #expect(spec.path(group.partition).hasPrefix("p="))
            }
            #expect(seen == column.rowCount)
            #expect(Set(grouping.groups.map { SingleValue.encode($0.partition[0]) }).count == grouping.groups.count)
        }
    }

    @Test func acceptedSources() {
        let accepted = Dictionary(
            uniqueKeysWithValues: TransformValues.transforms.map { transform in
                (transform.description, TransformValues.types.filter(transform.accepts).map(\.description))
            })
        let times = ["timestamp", "timestamptz", "timestamp_ns", "timestamptz_ns"]
        #expect(accepted["hour"] == times && accepted["day"] == ["date"] + times && accepted["year"] == accepted["day"])
        #expect(accepted["truncate[7]"] == ["int", "long", "decimal(9, 2)", "decimal(38, 0)", "string", "binary"])
        #expect(Set(["boolean", "float", "double"]).isDisjoint(with: accepted["bucket[16]"] ?? []))
        #expect(accepted["bucket[16]"]?.count == TransformValues.types.count - 3)
        #expect(accepted["identity"]?.count == TransformValues.types.count)
    }

    /// What the tables of the spec's appendix B and the transforms' own tests have beyond `TransformTests`.
    @Test func furtherVectors() {
        #expect(Transform.bucketHash(.int(-1)) == Transform.bucketHash(.long(-1)))
        #expect(Int32(bitPattern: Transform.bucketHash(.int(0))) == 1_669_671_676)
        #expect(Int32(bitPattern: Transform.bucketHash(.timestamptz(1_510_871_468_000_000))) == -2_047_944_441)
        #expect(Int32(bitPattern: Transform.bucketHash(.timestamp(1_510_871_468_000_001))) == -1_207_196_810)
        for (width, value, expected) in [(10, Int64(1), Int64(0)), (10, -1, -10), (10, 10, 10), (10, -10, -10)] {
            #expect(Transform.truncate(width).apply(.long(value)) == .long(expected))
            #expect(Transform.truncate(width).apply(.int(Int32(value))) == .int(Int32(expected)))
        }
        #expect(Transform.truncate(10).apply(.int(-11)) == .int(-20))
        for transform in TransformValues.transforms { #expect(transform.apply(.null) == .null) }
        #expect(Transform.void.apply(.long(3)) == .null)
    }

    /// A batch of an older schema lacks the column; rows of it hold its initial default.
    @Test func columnsOfALaterSchema() {
        let old = Schema(fields: [Field(id: 1, name: "id", required: true, type: .long)])
        let builder = BatchBuilder(old)
        for id in 0..<3 { builder.columns[0].append(.long(Int64(id))) }
        let batch = builder.finish()
        let spec = PartitionSpec(fields: [
            PartitionField(sourceId: 2, fieldId: 1000, name: "d", transform: .identity),
            PartitionField(sourceId: 2, fieldId: 1001, name: "b", transform: .bucket(16)),
            PartitionField(sourceId: 3, fieldId: 1002, name: "n", transform: .identity),
        ])
        let grouping = PartitionGrouping(
            batch, spec: spec, partitionFields: spec.partitionFields { $0 == 2 ? .long : .string },
            defaults: [2: .long(34)])
        #expect(grouping.groups.map(\.partition) == [[.long(34), .int(3), .null]])
    }

    /// 10,000 partitions in one batch, and in a thousand: never more files or memory than allowed.
    @Test(arguments: ["", "id desc"]) func manyPartitionsStayBounded(_ sort: String) throws {
        let schema = Schema(fields: [
            Field(id: 1, name: "id", required: true, type: .long),
            Field(id: 2, name: "text", required: false, type: .string),
        ])
        let metadata = try TableMetadata.create(
            schema: schema, spec: spec(.identity), sortOrder: try SortOrder(parsing: sort, schema: schema),
            location: "file:///w/t", uuid: UUID(high: 0, low: 1), nowMs: 0)
        for batches in sort.isEmpty ? [1, 20] : [1] {
            let store = CountingStore()
            let limits = DataFileWriter.Limits(openFilesMax: 8, bufferedBytesMax: 1 << 20)
            let writer = try DataFileWriter(metadata: metadata, limits: limits, store: store) { folder, index in
                "file:///w/t/data/\(folder)/\(index).parquet"
            }
            for number in 0..<batches {
                let builder = BatchBuilder(metadata.currentSchema)
                for row in 0..<10_000 / batches {
                    builder.columns[0].append(.long(Int64(number * 10_000 / batches + row)))
                    builder.columns[1].append(.string("text \(row)"))
                }
                try writer.write(builder.finish())
                #expect(writer.bufferedBytes <= limits.bufferedBytesMax)
            }
            let files = try writer.finish()
            #expect(files.count == 10_000 && files.reduce(0) { $0 + $1.recordCount } == 10_000)
            #expect(store.counts.withLock { $0.most } <= 8)
            #expect(store.counts.withLock { $0.now } == 0)
            #expect(Set(files.map(\.partition)).count == 10_000)
        }
    }
}
