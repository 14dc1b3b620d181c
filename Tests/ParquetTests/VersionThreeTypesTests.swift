import Base
import Columnar
import Testing

@testable import Parquet

/// What format version 3 adds, through a file and back.
@Suite struct VersionThreeTypesTests {
    private static func variant(_ item: VariantItem) throws -> Value {
        let encoded = try item.encoded()
        return .structure([.binary(encoded.metadata), .binary(encoded.value)])
    }

    private static let schema = Schema(fields: [
        Field(id: 1, name: "v", required: false, type: .variant),
        Field(id: 2, name: "n", required: false, type: .unknown),
        Field(id: 3, name: "t", required: false, type: .timestampNs),
        Field(
            id: 4, name: "s", required: false,
            type: .structure(
                StructType(fields: [
                    Field(id: 5, name: "v", required: true, type: .variant),
                    Field(id: 6, name: "n", required: false, type: .unknown),
                ]))),
        Field(
            id: 7, name: "l", required: false,
            type: .list(ListType(elementId: 8, element: .variant, elementRequired: false))),
    ])

    private static func rows() throws -> [[Value]] {
        try (0..<200).map { row in
            let item = VariantItem.object([
                .init("row", .integer(Int64(row))), .init("text", .string(String(repeating: "é", count: row % 40))),
            ])
            let other = try variant(row % 3 == 0 ? .null : .array([.double(Double(row)), item]))
            return [
                row % 5 == 0 ? .null : try variant(item), .null, row % 7 == 0 ? .null : .timestampNs(Int64(row) - 100),
                row % 4 == 0 ? .null : .structure([other, .null]),
                row % 6 == 0 ? .null : .list((0..<row % 4).map { $0 == 1 ? .null : other }),
            ]
        }
    }

    @Test(arguments: RoundTripTests.layouts.indices) func roundTrip(_ layout: Int) throws {
        let rows = try Self.rows()
        let (bytes, summary) = try write(Self.schema, rows, RoundTripTests.layouts[layout])
        #expect(try readAll(bytes, Self.schema) == rows)
        let reader = try open(bytes)
        // One column fewer than the table, and ids on the groups alone.
        let elements = reader.footer.schema
        #expect(
            elements.map(\.name) == [
                "table", "v", "metadata", "value", "t", "s", "v", "metadata", "value", "l", "list", "element",
                "metadata",
                "value",
            ])
        #expect(elements.filter { $0.name == "metadata" || $0.name == "value" }.allSatisfy { $0.fieldId == nil })
        #expect(elements[1].logicalType == .variant(specificationVersion: 1) && elements[1].fieldId == 1)
        #expect(elements[4].logicalType == .timestamp(isAdjustedToUTC: false, unit: .nanos))
        for chunk in reader.footer.rowGroups[0].columns where chunk.path.last != "t" {
            #expect(
                chunk.statistics?.minValue == nil && chunk.statistics?.maxValue == nil && chunk.columnIndexOffset == nil
            )
        }
        let metrics = try #require(summary.columns[1])
        #expect(metrics.valueCount == 200 && metrics.nullCount == 40 && metrics.lowerBound == nil)
        #expect(summary.columns[3]?.lowerBound == .timestampNs(-99) && summary.columns.keys.allSatisfy { $0 > 0 })
        #expect(try reader.fileSchema().fields.map(\.type)[0] == .variant)
    }

    @Test func aFilterReachesBesideVariants() throws {
        let rows = try Self.rows()
        let (bytes, _) = try write(Self.schema, rows)
        let reader = try open(bytes)
        let filter = Predicate.compare(fieldId: 3, .greaterOrEqual, .timestampNs(95))
        let batch = try reader.readRowGroup(0, projection: Self.schema, filter: filter)
        #expect(rows.filter { if case .timestampNs(let t) = $0[2] { t >= 95 } else { false } }.count == batch.rowCount)
        let nulls = try reader.readRowGroup(0, projection: Self.schema, filter: .isNull(fieldId: 1))
        #expect(nulls.rowCount == 40)
    }

    @Test func absentColumnsHaveTheirDefault() throws {
        let stored = Schema(fields: [
            Field(id: 1, name: "a", required: true, type: .int),
            Field(
                id: 2, name: "s", required: false,
                type: .structure(StructType(fields: [Field(id: 3, name: "x", required: true, type: .int)]))),
        ])
        let (bytes, _) = try write(stored, (0..<10).map { [.int(Int32($0)), $0 == 0 ? .null : .structure([.int(1)])] })
        let inner = [
            Field(id: 3, name: "x", required: true, type: .int),
            Field(id: 4, name: "y", required: true, type: .string, initialDefault: .string("d")),
        ]
        let wanted = Schema(fields: [
            stored.fields[0],
            Field(id: 2, name: "s", required: false, type: .structure(StructType(fields: inner))),
            Field(id: 5, name: "q", required: true, type: .long, initialDefault: .long(42)),
            Field(
                id: 6, name: "r", required: false,
                type: .structure(
                    StructType(fields: [Field(id: 7, name: "z", required: false, type: .int, initialDefault: .int(9))])),
                initialDefault: .structure([])),
            Field(id: 8, name: "u", required: false, type: .unknown),
        ])
        let found = try readAll(bytes, wanted)
        #expect(found.count == 10)
        #expect(found[1] == [.int(1), .structure([.int(1), .string("d")]), .long(42), .structure([.int(9)]), .null])
        #expect(found[0][1] == .null)
        let reader = try open(bytes)
        func count(_ filter: Predicate) throws -> Int {
            try reader.readRowGroup(0, projection: wanted, filter: filter).rowCount
        }
        #expect(try count(.compare(fieldId: 5, .equal, .long(42))) == 10)
        #expect(try count(.compare(fieldId: 5, .equal, .long(41))) == 0)
        #expect(try count(.isNull(fieldId: 5)) == 0)
        #expect(try count(.compare(fieldId: 4, .equal, .string("d"))) == 9)
        #expect(try count(.isNull(fieldId: 4)) == 1)
    }

    @Test func datesReadAsTimestampsAfterPromotion() throws {
        let stored = Schema(fields: [Field(id: 1, name: "d", required: false, type: .date)])
        var options = ParquetWriteOptions()
        options.bloomFilters[1] = .init(falsePositiveRate: 0.01, distinctCount: nil)
        let (bytes, _) = try write(stored, [[.date(-1)], [.null], [.date(20_000)]], options)
        let micros = Schema(fields: [Field(id: 1, name: "d", required: false, type: .timestamp)])
        let nanos = Schema(fields: [Field(id: 1, name: "d", required: false, type: .timestampNs)])
        let day: Int64 = 86_400_000_000
        #expect(try readAll(bytes, micros) == [[.timestamp(-day)], [.null], [.timestamp(20_000 * day)]])
        #expect(
            try readAll(bytes, nanos) == [[.timestampNs(-day * 1000)], [.null], [.timestampNs(20_000 * day * 1000)]])
        let filter = Predicate.compare(fieldId: 1, .equal, .timestamp(20_000 * day))
        #expect(try open(bytes).readRowGroup(0, projection: micros, filter: filter).rowCount == 1)
    }

    @Test func whatParquetCannotHoldIsRefused() {
        for type in [DataType.list(ListType(elementId: 2, element: .unknown, elementRequired: false)), .unknown] {
            let schema = Schema(fields: [Field(id: 1, name: "n", required: false, type: type)])
            #expect(throws: FirnError.self) { try write(schema, [[.null]]) }
        }
    }

    @Test func aMalformedVariantIsAnError() throws {
        let schema = Schema(fields: [Self.schema.fields[0]])
        let (bytes, _) = try write(schema, [[.structure([.binary([0x11, 0, 0]), .binary([0x0c])])]])
        let error = #expect(throws: FirnError.self) { try readAll(bytes, schema) }
        #expect(error?.kind == .corrupted && error?.code == "bad_variant")
    }
}
