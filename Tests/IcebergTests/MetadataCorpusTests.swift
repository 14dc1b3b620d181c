import Base
import Columnar
import Testing

@testable import Iceberg

/// Every metadata sample of the other implementations' tests, valid and invalid.
///
/// The folder is walked, so that a sample nobody has decided on fails the test.
@Suite struct MetadataCorpusTests {
    private enum Verdict: Equatable {
        /// Read, written, read again: nothing is lost.
        case valid
        /// `bad_metadata`, with this in its message.
        case corrupted(String)
        case unsupported
        /// Metadata of views and functions: no table, whatever its version.
        case noTable
    }

    private static let verdicts: [String: Verdict] = [
        "TableMetadataPartitionStatisticsFiles.json": .valid, "TableMetadataStatisticsFiles.json": .valid,
        "TableMetadataUnsupportedVersion.json": .unsupported,
        "TableMetadataV1Compat.json": .valid,
        "TableMetadataV1MissingSchemaType.json": .corrupted("a schema must be a struct"),
        "TableMetadataV1NoValidSchema.json": .corrupted("\"current-schema-id\" is missing"),
        "TableMetadataV1PartitionSpecsWithoutDefaultId.json": .valid,
        // The one schema beside the list is the current one.
        "TableMetadataV1SchemasWithoutCurrentId.json": .valid, "TableMetadataV1Valid.json": .valid,
        "TableMetadataV2.json": .valid,
        "TableMetadataV2CurrentSchemaNotFound.json": .corrupted("there is no current schema 2"),
        "TableMetadataV2MissingLastPartitionId.json": .corrupted("\"last-partition-id\" is missing"),
        "TableMetadataV2MissingPartitionSpecs.json": .corrupted("\"partition-specs\" is missing"),
        "TableMetadataV2MissingSchemas.json": .corrupted("\"schemas\" is missing"),
        "TableMetadataV2MissingSortOrder.json": .corrupted("\"sort-orders\" is missing"),
        "TableMetadataV2Valid.json": .valid, "TableMetadataV2Valid.zstd.metadata.json": .valid,
        "TableMetadataV2ValidMinimal.json": .valid, "TableMetadataV3ValidEncryption.json": .valid,
        "TableMetadataV3ValidMinimal.json": .valid, "TableMetadataV3WithPartitionStatistics.json": .valid,
        "example_empty_table_metadata_v2.json": .valid, "example_table_metadata_v2.json": .valid,
        "example_table_metadata_v2_deep_history.json": .valid,
        "example_table_metadata_v2_partition_evolution.json": .valid,
        // Answers of a REST catalog, which hold metadata.
        "create_table_response.json": .valid, "load_table_response.json": .valid,
        "update_table_response.json": .corrupted("\"partition-specs\" is empty"),
    ]

    /// One of these says version 3 and has the members of version 1.
    private static func verdict(_ path: String) -> Verdict? {
        let name = String(path.lastPathComponent)
        if path.contains("iceberg-rust"), name == "TableMetadataUnsupportedVersion.json" {
            return .corrupted("\"schemas\" is missing")
        }
        if ["/view/", "view_metadata/", "/udf/"].contains(where: path.contains) { return .noTable }
        return verdicts[name]
    }

    /// JSON that is no metadata of anything.
    private static let others = ["/kafka-connect/", "/metrics/", "avro_schema_", "geo-schema-java-main.json"]

    private static func samples() throws -> [String] {
        guard let root = Corpus.root else { return [] }
        let files = PosixFileSystem()
        var found: [String] = []
        var folders = ["iceberg"]
        while let folder = folders.popLast() {
            for entry in try files.list(root + "/" + folder) {
                let path = folder + "/" + entry.name
                if entry.isDirectory {
                    folders.append(path)
                } else if entry.name.hasSuffix(".json") {
                    found.append(path)
                }
            }
        }
        return found.sorted()
    }

    @Test func everySampleHasItsVerdict() throws {
        guard try Corpus.read("iceberg/iceberg-rust/ORIGIN.txt") != nil else { return }
        var seen: Set<String> = []
        for path in try Self.samples() where !Self.others.contains(where: path.contains) {
            guard let verdict = Self.verdict(path) else {
                Issue.record("nobody has decided on \(path)")
                continue
            }
            seen.insert(String(path.lastPathComponent))
            try check(path, verdict)
        }
        #expect(Set(Self.verdicts.keys).subtracting(seen).isEmpty)
    }

    private func check(_ path: String, _ verdict: Verdict) throws {
        let bytes = try #require(try Corpus.read(path))
        var error: FirnError?
        var metadata: TableMetadata?
        do {
            metadata = try read(bytes, path)
        } catch let caught as FirnError { error = caught }
        switch verdict {
        case .valid:
            let metadata = try #require(metadata, "\(path): \(error.map(String.init(describing:)) ?? "")")
            try checkNothingIsLost(metadata, try text(bytes, path), path)
        case .corrupted(let reason):
            #expect(
                error?.code == "bad_metadata" && error?.message.contains(reason) == true, "\(path): \(error as Any)")
        case .unsupported: #expect(error?.kind == .unsupported, "\(path): \(error as Any)")
        case .noTable: #expect(error?.kind == .corrupted, "\(path): \(error as Any)")
        }
    }

    private func read(_ bytes: [UInt8], _ path: String) throws -> TableMetadata {
        guard path.contains("_response.json") else { return try TableMetadata.parse(bytes, source: path) }
        return try TableMetadata(json: try text(bytes, path), source: path)
    }

    private func text(_ bytes: [UInt8], _ path: String) throws -> JSONValue {
        if path.contains(".zstd.") {
            return try JSONValue(parsing: try Zstd.decompress(bytes, limit: 1 << 20), source: path)
        }
        let json = try JSONValue(parsing: bytes, source: path)
        return path.contains("_response.json") ? try #require(json["metadata"]) : json
    }

    private func checkNothingIsLost(_ metadata: TableMetadata, _ original: JSONValue, _ path: String) throws {
        let text = metadata.json
        if metadata.formatVersion >= 2 {
            #expect(try metadata.serialize() == text.serialize(), "\(path)")
        }
        #expect(try TableMetadata(json: text, source: path) == metadata, "\(path)")
        for difference in Self.missing(original, in: text, at: "") { Issue.record("\(path): \(difference)") }
    }

    /// What `original` says and `text` does not.
    private static func missing(_ original: JSONValue, in text: JSONValue?, at place: String) -> [String] {
        switch (original, text) {
        case (.null, nil), (.null, .null?): return []
        case (.object(let members), .object?):
            return members.flatMap { missing($0.value, in: text?[$0.key], at: place + "/" + $0.key) }
        case (.array(let items), .array(let others)?) where items.count == others.count:
            return items.indices.flatMap { missing(items[$0], in: others[$0], at: place + "/\($0)") }
        // An empty list says no more than none.
        case (.array(let items), nil) where items.isEmpty: return []
        case (.string(let a), .string(let b)?) where a == b + "/" && place == "/location": return []
        default: return original == text ? [] : ["\(place): \(original.text) became \(text?.text ?? "nothing")"]
        }
    }
}

/// Manifest lists of other implementations.
@Suite struct ManifestCorpusTests {
    private static let rust = "iceberg/iceberg-rust/crates/iceberg/testdata/manifests_lists/"

    @Test(arguments: [
        rust + "manifest-list-v2-1.avro", rust + "manifest-list-v2-2.avro",
        "iceberg/iceberg-go/testdata/duckdb_v3_manifest_list.avro",
    ])
    func listsSurvive(path: String) throws {
        guard let bytes = try Corpus.read(path) else { return }
        let manifests = try Manifests.readList(bytes, source: path)
        #expect(!manifests.isEmpty)
        for manifest in manifests {
            #expect(manifest.path.hasSuffix(".avro") && manifest.length > 0 && manifest.addedSnapshotId != 0)
            #expect(manifest.addedFilesCount != nil && manifest.deletedRowsCount != nil)
        }
        let isV3 = path.contains("v3")
        #expect(!isV3 || manifests.contains { $0.firstRowId != nil })
        let again = try ManifestList.write(
            manifests, snapshotId: 1, parentSnapshotId: nil, sequenceNumber: 1, firstRowId: isV3 ? 0 : nil,
            sync: UUID(high: 1, low: 1))
        #expect(try Manifests.readList(again, source: path) == manifests)
    }

    @Test func encryptedListsAreRefused() throws {
        let path = Self.rust + "manifest-list-v3-encrypted.avro"
        guard let bytes = try Corpus.read(path) else { return }
        let error = #expect(throws: FirnError.self) { try Manifests.readList(bytes, source: path) }
        #expect(error?.kind == .corrupted || error?.kind == .unsupported)
    }
}
