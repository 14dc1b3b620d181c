import Base
import Columnar

extension TableMetadata {
    /// A new table from the updates of a transaction that requires `assertCreate`, as REST clients send it for a table
    /// that they staged. Ids stay as given.
    ///
    /// Schema updates count first: clients send specs and orders before they make the schema current.
    ///
    /// - Parameter uuid: for a transaction that assigns none.
    ///
    /// Throws `.invalidInput`: `no_schema`, `bad_location`, and as `apply`.
    public init(creating updates: [TableUpdate], uuid: UUID, nowMs: Int64) throws(FirnError) {
        self.init(
            formatVersion: 2, tableUUID: uuid, location: "", lastSequenceNumber: 0, lastUpdatedMs: nowMs,
            lastColumnId: 0, schemas: [], currentSchemaId: 0, partitionSpecs: [], defaultSpecId: 0,
            lastPartitionId: 999, sortOrders: [.unsorted], defaultSortOrderId: 0, properties: [:],
            currentSnapshotId: nil, snapshots: [], refs: [:], snapshotLog: [], metadataLog: [], nextRowId: nil,
            preserved: [], schemaJSON: [:])
        var rest: [TableUpdate] = []
        var lastSchema: Int?
        for update in updates {
            switch update {
            case .assignUUID(let uuid): tableUUID = uuid
            case .upgradeFormatVersion(let version) where version >= 2: try upgrade(to: version)
            case .addSchema(let schema): lastSchema = try addSchema(schema)
            case .setCurrentSchema(let id): currentSchemaId = try LastAdded.resolve(id, lastSchema, "schema")
            default: rest.append(update)
            }
        }
        guard schema(id: currentSchemaId) != nil else {
            throw FirnError(.invalidInput, "no_schema", "a new table needs a current schema")
        }
        if !rest.contains(where: { if case .addSpec = $0 { true } else { false } }) {
            partitionSpecs = [.unpartitioned]
        }
        // A spec may be made the default only after it was added, in whatever order the two came.
        let (defaults, others) = rest.reduce(into: ([TableUpdate](), [TableUpdate]())) {
            if case .setDefaultSpec = $1 { $0.0.append($1) } else { $0.1.append($1) }
        }
        let firstSnapshot = others.firstIndex { if case .addSnapshot = $0 { true } else { false } } ?? others.count
        try apply(Array(others[..<firstSnapshot]) + defaults + others[firstSnapshot...], nowMs: nowMs)
        guard !location.isEmpty else {
            throw FirnError(.invalidInput, "bad_location", "a new table needs a location")
        }
    }
}
