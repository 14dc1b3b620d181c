import Base
import Columnar
import Testing

@testable import Iceberg

@Suite struct MetadataTests {
    static let nested = Schema(
        fields: [
            Field(id: 10, name: "id", required: true, type: .long),
            Field(
                id: 20, name: "device", required: false,
                type: .structure(
                    StructType(fields: [
                        Field(id: 21, name: "os", required: false, type: .string),
                        Field(id: 22, name: "seen", required: false, type: .timestamptz),
                    ]))),
            Field(
                id: 30, name: "tags", required: false,
                type: .list(ListType(elementId: 31, element: .string, elementRequired: false))),
            Field(
                id: 40, name: "counts", required: false,
                type: .map(MapType(keyId: 41, key: .string, valueId: 42, value: .int, valueRequired: false))),
            Field(id: 50, name: "day", required: false, type: .date),
        ], identifierFieldIds: [10])

    private func create(
        _ schema: Schema, spec: PartitionSpec = .unpartitioned, order: SortOrder = .unsorted,
        properties: [String: String] = [:]
    ) throws -> TableMetadata {
        try TableMetadata.create(
            schema: schema, spec: spec, sortOrder: order, location: "file:///w/t/", properties: properties,
            uuid: UUID(high: 1, low: 2), nowMs: 1000)
    }

    /// The ids that PyIceberg 0.12 and Java give the same schema.
    @Test func idsAreGivenLevelByLevel() throws {
        let metadata = try create(
            Self.nested,
            spec: PartitionSpec(fields: [
                PartitionField(sourceId: 22, name: "seen_hour", transform: .hour),
                PartitionField(sourceId: 50, name: "day", transform: .identity),
            ]), order: SortOrder(fields: [SortField(sourceId: 21)]))
        let ids = Dictionary(
            uniqueKeysWithValues: metadata.currentSchema.allFields.map { ($0.path, $0.field.id) })
        #expect(
            ids == [
                "id": 1, "device": 2, "tags": 3, "counts": 4, "day": 5, "device.os": 6, "device.seen": 7,
                "tags.element": 8, "counts.key": 9, "counts.value": 10,
            ])
        #expect(metadata.lastColumnId == 10)
        #expect(metadata.currentSchema.identifierFieldIds == [1])
        #expect(metadata.defaultSpec.fields.map(\.sourceId) == [7, 5])
        #expect(metadata.defaultSpec.fields.map(\.fieldId) == [1000, 1001])
        #expect(metadata.lastPartitionId == 1001)
        #expect(metadata.defaultSortOrderId == 1)
        #expect(metadata.sortOrders.map(\.orderId) == [0, 1])
        #expect(metadata.defaultSortOrder.fields[0].sourceId == 6)
        #expect(metadata.location == "file:///w/t")
    }

    @Test func newTablesHoldEveryMember() throws {
        let metadata = try create(Self.nested, properties: ["format-version": "2", "a": "b"])
        let json = try JSONValue(parsing: metadata.serialize(), source: "test")
        #expect(json["format-version"] == 2)
        #expect(json["last-sequence-number"] == 0)
        #expect(json["current-snapshot-id"] == -1)
        #expect(json["last-partition-id"] == 999)
        #expect(json["default-sort-order-id"] == 0)
        #expect(json["refs"] == .object([]))
        for key in ["snapshots", "snapshot-log", "metadata-log", "statistics", "partition-statistics"] {
            #expect(json[key] == [], "\(key)")
        }
        #expect(json["properties"] == ["a": "b", "write.parquet.compression-codec": "zstd"])
        #expect(json["partition-specs"] == [["spec-id": 0, "fields": []]])
        #expect(json["sort-orders"] == [["order-id": 0, "fields": []]])
        #expect(try TableMetadata.parse(metadata.serialize(), source: "test").json == json)
    }

    @Test(
        arguments: [
            (["a", "A"], "duplicate_column"), (["a-b", "a_x2Db"], "duplicate_column"), ([""], "bad_column_name"),
            (["a\u{7}"], "bad_column_name"), ([String(repeating: "x", count: 256)], "bad_column_name"),
        ] as [([String], String)])
    func clashingNamesAreRefused(names: [String], code: String) {
        let fields = names.enumerated().map { Field(id: $0 + 1, name: $1, required: false, type: .int) }
        for schema in [
            Schema(fields: fields),
            Schema(fields: [Field(id: 99, name: "s", required: false, type: .structure(StructType(fields: fields)))]),
        ] {
            let error = #expect(throws: FirnError.self) { try create(schema) }
            #expect(error?.code == code)
        }
    }

    @Test func badSpecsAreRefused() {
        let specs: [[PartitionField]] = [
            [PartitionField(sourceId: 99, name: "x", transform: .identity)],
            [PartitionField(sourceId: 10, name: "x", transform: .day)],
            [PartitionField(sourceId: 31, name: "x", transform: .identity)],
            [PartitionField(sourceId: 20, name: "x", transform: .identity)],
            [PartitionField(sourceId: 50, name: "id", transform: .day)],
            [PartitionField(sourceId: 50, name: "id", transform: .identity)],
            [
                PartitionField(sourceId: 50, name: "a", transform: .day),
                PartitionField(sourceId: 50, name: "A", transform: .year),
            ],
            [
                PartitionField(sourceId: 50, name: "a", transform: .day),
                PartitionField(sourceId: 50, name: "b", transform: .day),
            ], [PartitionField(sourceId: 50, name: "x", transform: .unknown("zorder"))],
        ]
        for fields in specs {
            let error = #expect(throws: FirnError.self) { try create(Self.nested, spec: PartitionSpec(fields: fields)) }
            #expect(error?.code == "bad_partition_spec", "\(fields)")
        }
        #expect(throws: FirnError.self) { try create(Self.nested, properties: ["format-version": "4"]) }
        var identifiers = Self.nested
        identifiers.identifierFieldIds = [21]
        #expect(throws: FirnError.self) { try create(identifiers) }
    }

    @Test func unknownMembersSurvive() throws {
        var json = try create(Self.nested).json
        guard case .object(let members) = json else { return }
        let extra: [JSONValue.Member] = [
            .init("statistics", [["snapshot-id": 7, "statistics-path": "file:///w/t/s.puffin", "odd": [1, nil]]]),
            .init("encryption-keys", [["key-id": "k"]]), .init("x-vendor", ["deep": ["er": .double(1.5)]]),
        ]
        json = .object(members.filter { $0.key != "statistics" } + extra)
        let metadata = try TableMetadata(json: json, source: "test")
        let written = try JSONValue(parsing: metadata.serialize(), source: "test")
        for member in extra { #expect(written[member.key] == member.value) }
    }

    @Test func otherVersionsAreReadOnly() throws {
        var metadata = try create(Self.nested)
        metadata.formatVersion = 1
        let error = #expect(throws: FirnError.self) { try metadata.serialize() }
        #expect(error?.kind == .unsupported)
        let later = #expect(throws: FirnError.self) {
            try TableMetadata(json: ["format-version": 4], source: "test")
        }
        #expect(later?.kind == .unsupported)
    }

    @Test func schemaEvolutionKeepsIds() throws {
        var metadata = try create(Self.nested)
        var schema = metadata.currentSchema
        schema.fields.append(Field(id: 11, name: "extra", required: false, type: .string))
        let id = try metadata.addSchema(schema)
        try metadata.setCurrentSchema(id)
        #expect(id == 1)
        #expect(metadata.lastColumnId == 11)
        #expect(try metadata.addSchema(schema) == 1)
        let spec = try metadata.addSpec(
            PartitionSpec(fields: [PartitionField(sourceId: 11, name: "extra", transform: .identity)]))
        try metadata.setDefaultSpec(spec)
        #expect(metadata.defaultSpec.fields[0].fieldId == 1000)
        // The same source and transform in a new spec keeps its field id; another one gets the next.
        let next = try metadata.addSpec(
            PartitionSpec(fields: [
                PartitionField(sourceId: 5, name: "d", transform: .month),
                PartitionField(sourceId: 11, name: "extra", transform: .identity),
            ]))
        #expect(metadata.spec(id: next)?.fields.map(\.fieldId) == [1001, 1000])
        #expect(metadata.lastPartitionId == 1001)
        let error = #expect(throws: FirnError.self) { try metadata.setCurrentSchema(0) }
        #expect(error?.code == "column_in_use")
    }
}

/// Metadata files from the tests of other implementations.
@Suite struct MetadataSampleTests {
    private static let rust = "iceberg/iceberg-rust/crates/iceberg/testdata/"
    private static let cpp = "iceberg/iceberg-cpp/src/iceberg/test/resources/"

    @Test(arguments: [
        rust + "example_table_metadata_v2.json", rust + "example_empty_table_metadata_v2.json",
        rust + "example_table_metadata_v2_deep_history.json",
        rust + "example_table_metadata_v2_partition_evolution.json", rust + "table_metadata/TableMetadataV2Valid.json",
        rust + "table_metadata/TableMetadataV2ValidMinimal.json", cpp + "TableMetadataStatisticsFiles.json",
        cpp + "TableMetadataPartitionStatisticsFiles.json", cpp + "TableMetadataV2Valid.json",
    ])
    func validSamplesSurvive(path: String) throws {
        guard let raw = try Corpus.read(path) else { return }
        let metadata = try TableMetadata.parse(raw, source: path)
        let again = try TableMetadata.parse(try metadata.serialize(), source: path)
        #expect(again == metadata)
        // Whatever the original says, the new text says too.
        let (before, after) = (try JSONValue(parsing: raw, source: path), again.json)
        for member in before.objectValue ?? []
        where !["schemas", "snapshots", "refs", "sort-orders"].contains(member.key) {
            if member.key == "location" || member.key == "partition-specs" { continue }
            #expect(Self.normal(after[member.key]) == Self.normal(member.value), "\(member.key)")
        }
        #expect(after["snapshots"]?.arrayValue?.count == before["snapshots"]?.arrayValue?.count ?? 0)
    }

    /// Members in one order at every depth.
    private static func normal(_ value: JSONValue?) -> JSONValue? {
        switch value {
        case .object(let members)?:
            .object(members.map { .init($0.key, normal($0.value)!) }.sorted { $0.key < $1.key })
        case .array(let items)?: .array(items.map { normal($0)! })
        default: value
        }
    }

    @Test(arguments: [
        rust + "table_metadata/TableMetadataV1Valid.json", rust + "table_metadata/TableMetadataV1Compat.json",
        rust + "table_metadata/TableMetadataV1PartitionSpecsWithoutDefaultId.json",
    ])
    func versionOneIsRead(path: String) throws {
        guard let raw = try Corpus.read(path) else { return }
        let metadata = try TableMetadata.parse(raw, source: path)
        #expect(!metadata.currentSchema.fields.isEmpty)
        #expect(throws: FirnError.self) { try metadata.serialize() }
    }

    @Test(
        arguments: [
            (rust + "table_metadata/TableMetadataUnsupportedVersion.json", .corrupted),
            (rust + "table_metadata/TableMetadataV2CurrentSchemaNotFound.json", .corrupted),
            (rust + "table_metadata/TableMetadataV2MissingPartitionSpecs.json", .corrupted),
            (rust + "table_metadata/TableMetadataV2MissingSchemas.json", .corrupted),
            (rust + "table_metadata/TableMetadataV1NoValidSchema.json", .corrupted),
        ] as [(String, FirnError.Kind)])
    func invalidSamplesAreRefused(path: String, kind: FirnError.Kind) throws {
        guard let raw = try Corpus.read(path) else { return }
        let error = #expect(throws: FirnError.self) { try TableMetadata.parse(raw, source: path) }
        #expect(error?.kind == kind)
    }

    @Test func statisticsGoWithTheirSnapshot() throws {
        guard let raw = try Corpus.read(Self.cpp + "TableMetadataStatisticsFiles.json") else { return }
        var metadata = try TableMetadata.parse(raw, source: "test")
        let file = try #require(metadata.statisticsFiles.first)
        metadata.refs = [:]
        metadata.currentSnapshotId = nil
        try metadata.removeSnapshots([file.snapshotId])
        #expect(metadata.statisticsFiles.allSatisfy { $0.snapshotId != file.snapshotId })
    }
}
