import Base
import Columnar
import Testing

@testable import Parquet

/// Reads what pyarrow wrote; the expected values are those that pyarrow was given.
@Suite struct ForeignFileTests {
    private static let schema = Schema(fields: [
        Field(id: 1, name: "id", required: true, type: .long),
        Field(id: 2, name: "ts", required: false, type: .timestamptz),
        Field(id: 3, name: "price", required: false, type: .decimal(precision: 20, scale: 2)),
        Field(id: 4, name: "ok", required: false, type: .boolean),
        Field(
            id: 5, name: "device", required: false,
            type: .structure(
                StructType(fields: [
                    Field(id: 6, name: "os", required: false, type: .string),
                    Field(id: 7, name: "v", required: false, type: .int),
                ]))),
        Field(
            id: 8, name: "tags", required: false,
            type: .list(ListType(elementId: 9, element: .string, elementRequired: false))),
        Field(
            id: 10, name: "m", required: false,
            type: .map(
                MapType(
                    keyId: 11, key: .string, valueId: 12,
                    value: .list(ListType(elementId: 13, element: .double, elementRequired: false)),
                    valueRequired: false))),
    ])

    private static let expected: [[Value]] = [
        [
            .long(1), .timestamptz(1_767_323_045_678_901), .decimal(-1_234_567_890_123_456_789, scale: 2),
            .boolean(true), .structure([.string("linux"), .int(6)]), .list([.string("a"), .null, .string("b")]),
            .map([
                .init(key: .string("x"), value: .list([.double(1.5), .null])),
                .init(key: .string("y"), value: .list([])),
            ]),
        ],
        [.long(2), .null, .null, .null, .null, .list([]), .null],
        [
            .long(3), .timestamptz(-1), .decimal(1, scale: 2), .boolean(false), .structure([.null, .null]), .null,
            .map([.init(key: .string("z"), value: .null)]),
        ],
        [
            .long(4), .timestamptz(1_767_323_045_678_901), .decimal(1, scale: 2), .boolean(false),
            .structure([.string("linux"), .int(7)]), .list([.string("a")]), .map([]),
        ],
    ]

    /// Snappy with dictionaries; gzip pages of version 2 in two row groups; PLAIN pages of version 2; zstd with INT96.
    @Test(arguments: [
        ForeignFiles.pyarrowDefault, ForeignFiles.gzipV2, ForeignFiles.plainV2, ForeignFiles.zstd,
    ])
    func nestedFile(_ bytes: [UInt8]) throws {
        #expect(try readAll(bytes, Self.schema) == Self.expected)
    }

    @Test func schemaAndStatistics() throws {
        let reader = try open(ForeignFiles.pyarrowDefault)
        #expect(try reader.fileSchema().fields == Self.schema.fields)
        #expect(reader.footer.rowGroups[0].columns[0].codec == .snappy)
        let bounds = reader.statistics(rowGroup: 0, fieldId: 3)
        #expect(bounds?.lower == .decimal(-1_234_567_890_123_456_789, scale: 2))
        #expect(bounds?.upper == .decimal(1, scale: 2))
        #expect(bounds?.nullCount == 1)
        #expect(reader.statistics(rowGroup: 0, fieldId: 7)?.upper == .int(7))
        #expect(reader.statistics(rowGroup: 0, fieldId: 7, as: .long)?.upper == .long(7))
        #expect(reader.statistics(rowGroup: 0, fieldId: 9) == nil)
        #expect(reader.statistics(rowGroup: 0, fieldId: 99) == nil)
    }

    /// A file without field ids, with types that Iceberg lacks.
    @Test func otherTypes() throws {
        let schema = try open(ForeignFiles.otherTypes).fileSchema()
        #expect(schema.fields.map(\.id) == [-1, -2, -3, -4, -5, -6, -7])
        #expect(
            schema.fields.map(\.type) == [
                .timestamp, .timestampNs, .long, .decimal(precision: 20, scale: 0), .int, .time, .int,
            ])
        #expect(
            try readAll(ForeignFiles.otherTypes, schema) == [
                [
                    .timestamp(1000), .timestampNs(1999), .long(4_294_967_295),
                    .decimal(18_446_744_073_709_551_615, scale: 0),
                    .int(-5), .time(1000), .null,
                ],
                [.null, .timestampNs(-1), .long(0), .decimal(0, scale: 0), .int(5), .time(2000), .null],
                [.timestamp(-1000), .null, .null, .null, .null, .null, .null],
            ])
        // A table in microseconds gets them rounded towards the past.
        let micros = Schema(fields: [Field(id: -2, name: "t", required: false, type: .timestamp)])
        #expect(try readAll(ForeignFiles.otherTypes, micros) == [[.timestamp(1)], [.timestamp(-1)], [.null]])
    }

    @Test func damagedForeignFilesDoNotTrap() throws {
        var generator = Generator(seed: 6, nullPercent: 0, isRepetitive: false)
        for file in [ForeignFiles.pyarrowDefault, ForeignFiles.gzipV2, ForeignFiles.plainV2, ForeignFiles.otherTypes] {
            for position in 4..<file.count {
                var damaged = file
                damaged[position] ^= UInt8(1 + generator.below(255))
                do {
                    let reader = try open(damaged)
                    let schema = try reader.fileSchema()
                    for group in 0..<reader.rowGroupCount {
                        _ = rows(try reader.readRowGroup(group, projection: schema))
                    }
                } catch let error as FirnError {
                    #expect([.corrupted, .unsupported, .limitExceeded].contains(error.kind), "\(error)")
                }
            }
        }
    }
}
