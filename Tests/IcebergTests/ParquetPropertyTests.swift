import Base
import Columnar
import Parquet
import Storage
import Testing

@testable import Iceberg

/// Table properties reach the files.
@Suite struct ParquetPropertyTests {
    private static let schema = Schema(fields: [
        Field(id: 1, name: "id", required: true, type: .long),
        Field(
            id: 2, name: "device", required: false,
            type: .structure(
                StructType(fields: [Field(id: 3, name: "os", required: false, type: .string)]))),
    ])

    private func options(_ properties: [String: String]) -> ParquetWriteOptions {
        TableProperties(properties).parquetOptions(schema: Self.schema)
    }

    @Test func codecs() {
        let names: [(String, ParquetCodec, Int)] = [
            ("zstd", .zstd, 3), ("SNAPPY", .snappy, 3), ("gzip", .gzip, 6), ("lz4", .lz4Raw, 3),
            ("uncompressed", .uncompressed, 3), ("brotli", .zstd, 3),
        ]
        for (name, codec, level) in names {
            let found = options(["write.parquet.compression-codec": name])
            #expect(found.codec == codec && found.compressionLevel == level)
        }
        #expect(options([:]).codec == .zstd)
        #expect(options(["write.parquet.compression-level": "9"]).compressionLevel == 9)
    }

    @Test func columnProperties() {
        let found = options([
            "write.parquet.page-version": "v2", "firn.parquet.encodings": "modern",
            "write.parquet.bloom-filter-enabled.column.id": "true",
            "write.parquet.bloom-filter-fpp.column.id": "0.05",
            "write.parquet.bloom-filter-enabled.column.device.os": "true",
            "write.parquet.bloom-filter-ndv.column.device.os": "1000",
            "write.parquet.bloom-filter-enabled.column.nobody": "true", "write.parquet.bloom-filter-max-bytes": "4096",
            "write.parquet.stats-enabled.column.id": "false",
            "write.parquet.dict-encoding-enabled.column.device.os": "false",
        ])
        #expect(found.pageVersion == .v2 && found.encodingProfile == .modern)
        #expect(
            found.bloomFilters == [
                1: .init(falsePositiveRate: 0.05), 3: .init(falsePositiveRate: 0.01, distinctCount: 1000),
            ])
        #expect(found.bloomFilterBytesMax == 4096)
        #expect(found.columnsWithoutStatistics == [1] && found.columnsWithoutDictionary == [3])
        let plain = options([:])
        #expect(plain.pageVersion == .v1 && plain.encodingProfile == .compatible && plain.bloomFilters.isEmpty)
        #expect(plain.columnsWithoutStatistics.isEmpty && plain.columnsWithoutDictionary.isEmpty)
    }

    @Test func badValuesAreNamed() {
        for (key, value) in [
            ("write.parquet.compression-codec", "brotli"), ("write.parquet.page-version", "v3"),
            ("firn.parquet.encodings", "all"), ("write.parquet.bloom-filter-fpp.column.id", "1"),
            ("write.parquet.bloom-filter-ndv.column.id", "0"),
        ] {
            #expect(TableProperties.problem(key, value)?.contains("\"\(value)\"") == true)
        }
        for (key, value) in [
            ("write.parquet.compression-codec", "lz4"), ("write.parquet.page-version", "v2"),
            ("firn.parquet.encodings", "modern"), ("write.parquet.bloom-filter-fpp.column.id", "0.5"), ("other", "x"),
        ] {
            #expect(TableProperties.problem(key, value) == nil)
        }
    }

    @Test func sortedFilesNameTheirColumns() throws {
        let order = SortOrder(
            orderId: 1,
            fields: [
                SortField(sourceId: 3, direction: .descending), SortField(sourceId: 1),
                SortField(sourceId: 1, transform: .bucket(4)),
            ])
        let metadata = try TableMetadata.create(
            schema: Self.schema, sortOrder: order, location: "file:///w/t", properties: [:],
            uuid: UUID(high: 0, low: 1), nowMs: 0)
        for sortOrderId in [nil, 1] {
            let store = MemoryStore()
            let writer = try DataFileWriter(metadata: metadata, sortOrderId: sortOrderId, store: store) { _, index in
                "file:///w/t/data/\(index).parquet"
            }
            let builder = BatchBuilder(metadata.currentSchema)
            builder.columns[0].append(.long(1))
            builder.columns[1].append(.structure([.string("x")]))
            try writer.write(builder.finish())
            let file = try #require(try writer.finish().first)
            let bytes = try store.get(file.path)
            let footer = try ParquetFileReader(fileBytes: bytes.count, source: file.path) { Array(bytes[$0]) }.footer
            let sorting = footer.rowGroups[0].sortingColumns
            // The writer sorts, or is told that the rows come sorted.
            #expect(file.sortOrderId == 1)
            #expect(
                sorting == [
                    .init(column: 1, isDescending: true, nullsFirst: false),
                    .init(column: 0, isDescending: false, nullsFirst: true),
                ])
        }
    }
}
