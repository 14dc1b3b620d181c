import Base

/// What a transaction relies on: the state that its author saw and that must still hold when it is applied.
///
/// Spec: https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml (TableRequirement)
public enum TableRequirement: Hashable, Sendable {
    /// The table does not exist yet.
    case assertCreate
    case assertTableUUID(UUID)
    /// Nil: there is no such branch or tag.
    case assertRefSnapshotId(ref: String, snapshotId: Int64?)
    case assertLastAssignedFieldId(Int)
    case assertCurrentSchemaId(Int)
    case assertLastAssignedPartitionId(Int)
    case assertDefaultSpecId(Int)
    case assertDefaultSortOrderId(Int)

    /// Throws `.conflict` (`requirement_failed`) unless the requirement holds; nil stands for no table.
    public func check(_ metadata: TableMetadata?) throws(FirnError) {
        guard let metadata else {
            guard self == .assertCreate else { throw failed("the table does not exist") }
            return
        }
        func require<T: Equatable>(_ what: String, _ expected: T, _ found: T) throws(FirnError) {
            if expected != found { throw failed("the \(what) is \(found), not \(expected)") }
        }
        switch self {
        case .assertCreate: throw failed("the table exists already")
        case .assertTableUUID(let uuid): try require("table's UUID", uuid, metadata.tableUUID)
        case .assertRefSnapshotId(let ref, let snapshotId):
            let found = metadata.refs[ref]?.snapshotId
            guard found != snapshotId else { return }
            throw failed(
                "reference \"\(ref)\" is at \(found.map { "snapshot \($0)" } ?? "no snapshot"), not at "
                    + (snapshotId.map { "snapshot \($0)" } ?? "none"))
        case .assertLastAssignedFieldId(let id): try require("last field id", id, metadata.lastColumnId)
        case .assertCurrentSchemaId(let id): try require("current schema", id, metadata.currentSchemaId)
        case .assertLastAssignedPartitionId(let id):
            try require("last partition field id", id, metadata.lastPartitionId)
        case .assertDefaultSpecId(let id): try require("default partition spec", id, metadata.defaultSpecId)
        case .assertDefaultSortOrderId(let id): try require("default sort order", id, metadata.defaultSortOrderId)
        }
    }

    private func failed(_ message: String) -> FirnError {
        FirnError(.conflict, "requirement_failed", message, context: ["requirement": type])
    }

    /// What must hold for `updates` that were made on `base`, as the reference clients derive it; nil for a new table.
    static func derived(from base: TableMetadata?, _ updates: [TableUpdate]) -> [TableRequirement] {
        guard let base else { return [.assertCreate] }
        var requirements: [TableRequirement] = [.assertTableUUID(base.tableUUID)]
        func add(_ requirement: TableRequirement) {
            if !requirements.contains(requirement) { requirements.append(requirement) }
        }
        func keepBranches() {
            for (name, reference) in base.refs.sorted(by: { $0.key < $1.key }) where reference.kind == .branch {
                add(.assertRefSnapshotId(ref: name, snapshotId: reference.snapshotId))
            }
        }
        for update in updates {
            switch update {
            case .setSnapshotRef(let name, _), .removeSnapshotRef(let name):
                add(.assertRefSnapshotId(ref: name, snapshotId: base.refs[name]?.snapshotId))
            case .addSchema: add(.assertLastAssignedFieldId(base.lastColumnId))
            case .setCurrentSchema: add(.assertCurrentSchemaId(base.currentSchemaId))
            case .addSpec: add(.assertLastAssignedPartitionId(base.lastPartitionId))
            case .setDefaultSpec: add(.assertDefaultSpecId(base.defaultSpecId))
            case .setDefaultSortOrder: add(.assertDefaultSortOrderId(base.defaultSortOrderId))
            case .removePartitionSpecs:
                add(.assertDefaultSpecId(base.defaultSpecId))
                keepBranches()
            case .removeSchemas:
                add(.assertCurrentSchemaId(base.currentSchemaId))
                keepBranches()
            default: break
            }
        }
        return requirements
    }
}

extension TableRequirement {
    /// Throws `.invalidInput`: `unknown_requirement`, or `bad_requirement` for a missing or wrong member.
    public init(json: JSONValue) throws(FirnError) {
        let reader = MetadataReader(json, source: "requirements")
        do throws(FirnError) {
            switch try reader.string("type") {
            case "assert-create": self = .assertCreate
            case "assert-table-uuid":
                guard let uuid = UUID(try reader.string("uuid")) else { throw reader.bad("\"uuid\" is not a UUID") }
                self = .assertTableUUID(uuid)
            case "assert-ref-snapshot-id":
                self = .assertRefSnapshotId(
                    ref: try reader.string("ref"), snapshotId: try reader.optionalLong("snapshot-id"))
            case "assert-last-assigned-field-id":
                self = .assertLastAssignedFieldId(try reader.int("last-assigned-field-id"))
            case "assert-current-schema-id": self = .assertCurrentSchemaId(try reader.int("current-schema-id"))
            case "assert-last-assigned-partition-id":
                self = .assertLastAssignedPartitionId(try reader.int("last-assigned-partition-id"))
            case "assert-default-spec-id": self = .assertDefaultSpecId(try reader.int("default-spec-id"))
            case "assert-default-sort-order-id":
                self = .assertDefaultSortOrderId(try reader.int("default-sort-order-id"))
            case let type:
                throw FirnError(.invalidInput, "unknown_requirement", "there is no requirement \"\(type)\"")
            }
        } catch let error where error.kind == .corrupted {
            throw FirnError(.invalidInput, "bad_requirement", error.message, cause: error)
        }
    }

    public var json: JSONValue {
        func id(_ key: String, _ value: Int) -> JSONValue {
            ["type": .string(type), key: .integer(Int64(value))]
        }
        return switch self {
        case .assertCreate: ["type": .string(type)]
        case .assertTableUUID(let uuid): ["type": .string(type), "uuid": .string(uuid.description)]
        case .assertRefSnapshotId(let ref, let snapshot):
            ["type": .string(type), "ref": .string(ref), "snapshot-id": snapshot.map { .integer($0) } ?? .null]
        case .assertLastAssignedFieldId(let value): id("last-assigned-field-id", value)
        case .assertCurrentSchemaId(let value): id("current-schema-id", value)
        case .assertLastAssignedPartitionId(let value): id("last-assigned-partition-id", value)
        case .assertDefaultSpecId(let value): id("default-spec-id", value)
        case .assertDefaultSortOrderId(let value): id("default-sort-order-id", value)
        }
    }

    private var type: String {
        switch self {
        case .assertCreate: "assert-create"
        case .assertTableUUID: "assert-table-uuid"
        case .assertRefSnapshotId: "assert-ref-snapshot-id"
        case .assertLastAssignedFieldId: "assert-last-assigned-field-id"
        case .assertCurrentSchemaId: "assert-current-schema-id"
        case .assertLastAssignedPartitionId: "assert-last-assigned-partition-id"
        case .assertDefaultSpecId: "assert-default-spec-id"
        case .assertDefaultSortOrderId: "assert-default-sort-order-id"
        }
    }
}
