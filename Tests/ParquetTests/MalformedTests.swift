import Base
import Columnar
import Testing

@testable import Parquet

/// Damaged files are refused or read, never a trap; a trap would end the test process.
@Suite struct MalformedTests {
    private static let schema = Schema(fields: [
        Field(id: 1, name: "n", required: true, type: .long),
        Field(id: 2, name: "t", required: false, type: .string),
        Field(
            id: 3, name: "l", required: false,
            type: .list(
                ListType(
                    elementId: 4,
                    element: .structure(
                        StructType(fields: [
                            Field(id: 5, name: "x", required: false, type: .decimal(precision: 25, scale: 3)),
                            Field(id: 6, name: "y", required: false, type: .boolean),
                        ])), elementRequired: false))),
        Field(
            id: 7, name: "m", required: false,
            type: .map(MapType(keyId: 8, key: .string, valueId: 9, value: .double, valueRequired: false))),
    ])

    private static func file(_ codec: ParquetCodec) throws -> [UInt8] {
        var generator = Generator(seed: 11, nullPercent: 20, isRepetitive: true)
        var options = ParquetWriteOptions()
        options.codec = codec
        options.pageRowsMax = 20
        options.rowGroupRowsMax = 60
        return try write(schema, generator.rows(schema, count: 100), options).bytes
    }

    /// Reads everything there is to read; returns the error, which must be typed.
    private static func readAll(_ bytes: [UInt8]) -> FirnError? {
        do {
            let reader = try open(bytes)
            _ = try reader.fileSchema()
            for group in 0..<reader.rowGroupCount {
                for id in 1...9 { _ = reader.statistics(rowGroup: group, fieldId: id) }
                // Each top-level column alone, so that one failure does not hide the others' paths.
                for field in schema.fields {
                    _ = try? reader.readRowGroup(group, projection: Schema(fields: [field]))
                }
                _ = rows(try reader.readRowGroup(group, projection: schema))
            }
            return nil
        } catch let error as FirnError {
            return error
        } catch {
            Issue.record("an untyped error: \(error)")
            return nil
        }
    }

    @Test func everyTruncationIsRefused() throws {
        let bytes = try Self.file(.zstd)
        #expect(Self.readAll(bytes) == nil)
        for length in 0..<bytes.count where length % 3 == 0 || length > bytes.count - 300 {
            let error = Self.readAll(Array(bytes[..<length]))
            #expect(error?.kind == .corrupted, "cut to \(length)")
            #expect(error?.context["file"] == "test.parquet")
        }
    }

    /// Without checksums, so that flips reach the decoders.
    @Test(arguments: [ParquetCodec.uncompressed, .zstd])
    func noByteFlipTraps(_ codec: ParquetCodec) throws {
        let bytes = try Self.file(codec)
        var generator = Generator(seed: 1, nullPercent: 0, isRepetitive: false)
        for position in 4..<bytes.count {
            var damaged = bytes
            damaged[position] ^= UInt8(truncatingIfNeeded: 1 + generator.next() % 255)
            if let error = Self.readAll(damaged) {
                #expect([.corrupted, .unsupported, .limitExceeded].contains(error.kind), "\(error)")
            }
        }
    }

    /// Several random changes at once in the footer, where lengths and offsets live.
    @Test func noFooterDamageTraps() throws {
        let bytes = try Self.file(.uncompressed)
        let footer = try open(bytes).footer.footerBytes
        var generator = Generator(seed: 2, nullPercent: 0, isRepetitive: false)
        for _ in 0..<3000 {
            var damaged = bytes
            for _ in 0..<1 + generator.below(4) {
                let position = bytes.count - 8 - 1 - generator.below(UInt64(footer))
                damaged[position] = [0, 0xff, 0x7f, 0x80, UInt8(generator.below(256))][generator.below(5)]
            }
            _ = Self.readAll(damaged)
        }
    }

    @Test func damagedPagesFailTheirChecksum() throws {
        let bytes = try Self.file(.uncompressed)
        let chunk = try open(bytes).footer.rowGroups[0].columns[0]
        var damaged = bytes
        // The last byte of the chunk lies in the body of its last page.
        damaged[(chunk.dictionaryPageOffset ?? chunk.dataPageOffset) + chunk.compressedBytes - 1] ^= 1
        let error = Self.readAll(damaged)
        #expect(error?.code == "page_checksum")
        #expect(error?.context["column"] == "n")
        #expect(Int(error?.context["offset"] ?? "") != nil)
    }

    @Test func claimsBeyondTheBytesAreRefused() throws {
        let bytes = try Self.file(.zstd)
        let reader = try open(bytes)
        let reopen = { (change: (inout ParquetFooter) -> Void) throws -> RecordBatch in
            var footer = reader.footer
            change(&footer)
            let other = try ParquetFileReader(footer: footer, fileBytes: bytes.count, source: "f") { Array(bytes[$0]) }
            return try other.readRowGroup(0, projection: Self.schema)
        }
        let changes: [(inout ParquetFooter) -> Void] = [
            { $0.rowGroups[0].columns[0].valueCount = 1 << 40 },
            { $0.rowGroups[0].columns[0].valueCount += 1 },
            { $0.rowGroups[0].columns[0].compressedBytes = Int.max },
            {
                $0.rowGroups[0].columns[0].dictionaryPageOffset = nil
                $0.rowGroups[0].columns[0].dataPageOffset = Int.max
            },
            { $0.rowGroups[0].columns[1].dictionaryPageOffset = 4 },
            { $0.rowGroups[0].columns.removeLast() },
            { $0.rowGroups[0].rowCount = 1 << 40 },
            {
                $0.rowGroups[0].rowCount += 1
                $0.rowCount += 1
            },
            { $0.schema.removeLast() },
            { $0.schema[0].childCount = Int.max },
        ]
        for (number, change) in changes.enumerated() {
            let error = #expect(throws: FirnError.self, "change \(number)") { try reopen(change) }
            #expect(error?.kind == .corrupted)
        }
    }

    /// Found by fuzzing: such a chunk has no bytes, and may claim pages, an index and a filter all the same.
    @Test func aChunkWithoutValuesHasNothingToShow() throws {
        let bytes = try Self.file(.zstd)
        var footer = try open(bytes).footer
        for column in footer.rowGroups[0].columns.indices {
            footer.rowGroups[0].columns[column].valueCount = 0
            footer.rowGroups[0].columns[column].bloomFilterOffset = 0
            footer.rowGroups[0].columns[column].bloomFilterBytes = 0
        }
        let reader = try ParquetFileReader(footer: footer, fileBytes: bytes.count, source: "f") { Array(bytes[$0]) }
        for column in footer.rowGroups[0].columns.indices {
            _ = try? reader.pages(rowGroup: 0, column: column)
            _ = try? reader.pageIndex(rowGroup: 0, column: column)
            _ = try? reader.bloomFilter(rowGroup: 0, column: column)
        }
        #expect(throws: FirnError.self) { try reader.readRowGroup(0, projection: Self.schema) }
    }

    @Test func thriftBoundsItsInput() {
        // A list of 2^60 elements, a string past the end, 200 nested structs, an endless number.
        let inputs: [[UInt8]] = [
            [0x29, 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f], [0x68, 0xff, 0x01, 0x41],
            [UInt8](repeating: 0xfc, count: 200), [0x15] + [UInt8](repeating: 0xff, count: 20), [0x15], [],
        ]
        for input in inputs {
            var reader = CompactReader(input, range: 0..<input.count, source: "t", base: 0)
            #expect(throws: FirnError.self) { try ParquetFooter(thrift: &reader) }
        }
    }

    @Test func aSmallPageCannotClaimALargeOne() {
        let decompressor = PageDecompressor()
        let stored = [UInt8](repeating: 0, count: 10)
        for codec in [ParquetCodec.zstd, .snappy, .gzip, .uncompressed, .brotli, .lz4, .lz4Raw, .lzo] {
            #expect(throws: FirnError.self) {
                try stored.withUnsafeBytes {
                    try decompressor.decompress(codec, $0, into: Buffer(), count: 1 << 30)
                }
            }
        }
    }

    /// A null of a fixed type takes its width in memory, but nothing in the file.
    @Test func wideNullsAreBounded() throws {
        let narrow = Schema(fields: [Field(id: 1, name: "c", required: false, type: .int)])
        let (bytes, _) = try write(narrow, [[Value]](repeating: [.null], count: 5000))
        var footer = try open(bytes).footer
        footer.schema[1].physicalType = .fixedLenByteArray
        footer.schema[1].typeLength = 1 << 30
        footer.rowGroups[0].columns[0].physicalType = .fixedLenByteArray
        let reader = try ParquetFileReader(footer: footer, fileBytes: bytes.count, source: "f") { Array(bytes[$0]) }
        let error = #expect(throws: FirnError.self) {
            try reader.readRowGroup(0, projection: reader.fileSchema())
        }
        #expect(error?.kind == .limitExceeded)
    }
}
