import Base
import Columnar
import Storage
import Testing

@testable import Avro
@testable import Iceberg

@Suite struct ManifestTests {
    @Test func schemasAreTheContract() throws {
        func schema(_ name: String) throws -> JSONValue {
            try JSONValue(parsing: try contract("iceberg/" + name), source: name)
        }
        #expect(ManifestSchemas.manifestFile.json == (try schema("manifest_file.avsc")))
        #expect(ManifestSchemas.manifestFileV3.json == (try schema("manifest_file_v3.avsc")))
        #expect(ManifestSchemas.manifestEntry(partition: []).json == (try schema("manifest_entry.avsc")))
        let entry = ManifestSchemas.manifestEntry(partition: [], formatVersion: 3)
        #expect(entry.json == (try schema("manifest_entry_v3.avsc")))
    }

    @Test func partitionNamesAndTypes() throws {
        let schema = ManifestSchemas.manifestEntry(partition: [
            Field(id: 1000, name: "1day", required: false, type: .date),
            Field(id: 1001, name: "a-b", required: false, type: .decimal(precision: 9, scale: 2)),
            Field(id: 1002, name: "c", required: false, type: .decimal(precision: 9, scale: 2)),
        ])
        let text = schema.json.text
        #expect(
            text.contains(
                #"""
                {"name":"_1day","type":["null",{"type":"int","logicalType":"date"}],"default":null,\#
                "field-id":1000,"iceberg-field-name":"1day"}
                """#
            ))
        #expect(text.contains(#""name":"a_x2Db""#))
        #expect(
            text.contains(
                #"{"type":"fixed","name":"decimal_9_2","size":4,"logicalType":"decimal","precision":9,"scale":2}"#))
        // A named type is written out once.
        #expect(text.contains(#"{"name":"c","type":["null","decimal_9_2"]"#))
        #expect([1, 9, 18, 20, 38].map(ManifestSchemas.decimalBytes(precision:)) == [1, 4, 8, 9, 16])
    }

    /// Every partition type, with nulls, through a manifest and back.
    @Test func partitionTuplesSurvive() throws {
        let types: [(DataType, Value)] = [
            (.boolean, .boolean(true)), (.int, .int(-7)), (.long, .long(.max)), (.float, .float(1.5)),
            (.double, .double(-2.5)), (.decimal(precision: 9, scale: 2), .decimal(-1420, scale: 2)),
            (.decimal(precision: 38, scale: 0), .decimal(Int128(1) << 100, scale: 0)), (.date, .date(-1)),
            (.time, .time(5)), (.timestamp, .timestamp(-5)), (.timestamptz, .timestamptz(6)), (.string, .string("é/")),
            (.uuid, .uuid(UUID(high: 9, low: 8))), (.fixed(3), .binary([1, 2, 3])), (.binary, .binary([])),
        ]
        let schema = Schema(
            fields: types.enumerated().map { Field(id: $0 + 1, name: "c\($0)", required: false, type: $1.0) })
        let spec = PartitionSpec(
            fields: types.indices.map { PartitionField(sourceId: $0 + 1, name: "c\($0)", transform: .identity) })
        let metadata = try TableMetadata.create(
            schema: schema, spec: spec, location: "file:///w/t", uuid: UUID(high: 0, low: 1), nowMs: 0)
        let tuples = [types.map(\.1), types.map { _ in Value.null }]
        var writer = ManifestWriter(
            metadata: metadata, spec: metadata.defaultSpec, content: .data, snapshotId: 5, sync: UUID(high: 1, low: 1))
        for tuple in tuples {
            try writer.append(
                ManifestEntry(
                    status: .added, snapshotId: 5, sequenceNumber: nil, fileSequenceNumber: nil,
                    dataFile: DataFile(path: "file:///w/t/x", partition: tuple, recordCount: 1, fileBytes: 2)))
        }
        let (manifest, bytes) = try writer.finish(path: "file:///w/t/m.avro", sequenceNumber: 9)
        let store = MemoryStore()
        try store.put(manifest.path, bytes)
        let entries = try Manifests.entries(of: manifest, metadata: metadata, store: store)
        #expect(entries.map(\.dataFile.partition) == tuples)
        #expect(entries.allSatisfy { $0.sequenceNumber == 9 && $0.fileSequenceNumber == 9 && $0.snapshotId == 5 })
        for (summary, value) in zip(try #require(manifest.partitions), types.map(\.1)) {
            #expect(summary.containsNull && summary.containsNaN == false)
            #expect(summary.lowerBound == SingleValue.encode(value) && summary.upperBound == summary.lowerBound)
        }
    }

    @Test func everyFieldSurvives() throws {
        let table = try TestTable()
        var file = table.file("a", bounds: [1: (.long(1), .long(9)), 4: (.string("a"), .string("z"))])
        file.columnSizes = [1: 50, 4: 60]
        file.nanValueCounts = [3: 2]
        file.keyMetadata = [1, 2]
        file.splitOffsets = [4, 1000]
        file.sortOrderId = 0
        file.equalityIds = [1]
        file.referencedDataFile = "file:///w/t/data/x.parquet"
        try table.append([file])
        #expect(try table.live().map(\.dataFile) == [file])
    }

    @Test func headersSayWhatReadersNeed() throws {
        let table = try TestTable(spec: TestTable.byDay)
        try table.append([table.file("a", partition: [.date(17486)])])
        try table.append([table.file("b", partition: [.date(17487)])])
        let snapshot = try #require(table.metadata.currentSnapshot)
        let list = try AvroFileReader(try table.store.get(snapshot.manifestList), source: "list")
        #expect(list.text("snapshot-id") == "\(snapshot.snapshotId)")
        #expect(list.text("parent-snapshot-id") == "\(snapshot.parentSnapshotId!)")
        #expect(list.text("sequence-number") == "2")
        #expect(list.text("format-version") == "2")
        #expect(list.text("avro.codec") == "deflate")
        let manifest = try AvroFileReader(try table.store.get(try table.manifests()[0].path), source: "manifest")
        #expect(
            manifest.text("partition-spec") == #"[{"source-id":2,"field-id":1000,"name":"ts_day","transform":"day"}]"#)
        #expect(manifest.text("partition-spec-id") == "0")
        #expect(manifest.text("schema-id") == "0")
        #expect(manifest.text("format-version") == "2")
        #expect(manifest.text("content") == "data")
        #expect(manifest.text("schema") == TestTable.schema.json.text)
    }

    /// PyIceberg declares equality ids as longs, and others mix the two as well.
    @Test func intsMayBeLongs() throws {
        let table = try TestTable()
        var file = table.file("a")
        file.sortOrderId = 3
        file.equalityIds = [1]
        try table.append([file])
        let manifest = try table.manifests()[0]
        var reader = try AvroFileReader(try table.store.get(manifest.path), source: "manifest")
        let text = String(decoding: try #require(reader.metadata["avro.schema"]), as: UTF8.self)
        let longs = text.split(separator: #""int""#, omittingEmptySubsequences: false).joined(separator: #""long""#)
        #expect(longs != text)
        var writer = AvroFileWriter(schemaText: Array(longs.utf8), metadata: [], sync: UUID(high: 1, low: 1))
        while let (_, records) = try reader.nextBlock() {
            try writer.append { $0.raw(records.bytes[records.offset..<records.end]) }
        }
        try table.store.overwrite(manifest.path, try writer.finish())
        #expect(try table.live().map(\.dataFile) == [file])
    }

    @Test func summariesLeaveOutNaN() {
        var summary = PartitionSummary(type: .double)
        for value in [Value.double(.nan), .double(2), .null, .double(-1)] { summary.add(value) }
        #expect(summary.summary.containsNaN == true && summary.summary.containsNull)
        #expect(summary.summary.lowerBound == SingleValue.encode(.double(-1)))
        #expect(summary.summary.upperBound == SingleValue.encode(.double(2)))
    }

    @Test func damagedManifestsAreRefused() throws {
        let table = try TestTable()
        try table.append([table.file("a"), table.file("b")])
        let manifest = try table.manifests()[0]
        let good = try table.store.get(manifest.path)
        for index in stride(from: 0, to: good.count, by: 7) {
            var bad = good
            bad[index] ^= 0x55
            try table.store.overwrite(manifest.path, bad)
            // Any answer but a crash; most flips are noticed.
            _ = try? table.live()
        }
        try table.store.overwrite(manifest.path, Array(good.prefix(good.count / 2)))
        #expect(throws: FirnError.self) { try table.live() }
    }

    /// Lists that Java, Rust and DuckDB wrote.
    @Test(arguments: [
        ("iceberg/iceberg-rust/crates/iceberg/testdata/manifests_lists/manifest-list-v2-1.avro", 2),
        ("iceberg/iceberg-rust/crates/iceberg/testdata/manifests_lists/manifest-list-v2-2.avro", 2),
        ("iceberg/iceberg-go/testdata/duckdb_v3_manifest_list.avro", 3),
    ])
    func foreignLists(path: String, version: Int) throws {
        guard let bytes = try Corpus.read(path) else { return }
        let manifests = try Manifests.readList(bytes, source: path)
        #expect(!manifests.isEmpty)
        for manifest in manifests {
            #expect(manifest.path.hasSuffix(".avro") && manifest.length > 0 && manifest.addedSnapshotId != 0)
            #expect(manifest.sequenceNumber > 0 && manifest.addedFilesCount != nil)
        }
    }
}
