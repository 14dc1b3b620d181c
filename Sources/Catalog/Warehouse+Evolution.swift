import Base
import Columnar
import Iceberg

extension Warehouse {
    /// Changes the schema of a table: one new schema, made current, in one commit. A change that is already true makes
    /// no commit.
    ///
    /// - Parameters:
    ///   - uuid: the table that is meant; `.conflict` (`table_replaced`) when the name has gone to another one.
    ///   - partially: leaves out operations that cannot be had instead of refusing the whole change.
    ///
    /// Throws as `SchemaChange.apply` and `TableCommitter.update`; `.invalidInput` `partition_source` for a wider type
    /// beneath a transform that Firn does not know, `duplicate_column` for a name that a partition field has;
    /// `.unsupported` `bad_type` for types that the table's format version lacks.
    public func evolve(
        _ id: TableIdentifier, uuid: UUID? = nil, change: SchemaChange, partially: Bool = false
    ) throws -> Table {
        let committer = try committer(for: id)
        guard uuid == nil || committer.tableUUID == uuid else {
            throw FirnError(
                .conflict, "table_replaced", "\(id) is another table than before", context: ["table": id.description])
        }
        return try committer.update { try $0.evolved(by: change, partially: partially) }.table
    }
}

extension TableMetadata {
    /// The metadata with the change made and its schema current.
    ///
    /// Throws as `Warehouse.evolve`.
    public func evolved(by change: SchemaChange, partially: Bool) throws(FirnError) -> TableMetadata {
        do throws(FirnError) {
            return try evolved(by: change)
        } catch {
            guard partially, error.kind != .internal else { throw error }
        }
        var kept: [SchemaChange.Operation] = []
        var probe = self
        for operation in change.operations {
            guard let next = try? probe.evolved(by: SchemaChange([operation])) else { continue }
            kept.append(operation)
            probe = next
            probe.schemas = [next.currentSchema]
        }
        return try evolved(by: SchemaChange(kept))
    }

    private func evolved(by change: SchemaChange) throws(FirnError) -> TableMetadata {
        let (schema, _) = try change.apply(to: currentSchema, lastColumnId: lastColumnId)
        guard !schema.hasSameShape(as: currentSchema) else { return self }
        try checkPartitions(schema)
        if formatVersion < 3, let field = schema.allFields.first(where: { $0.field.type.isNanoseconds }) {
            throw FirnError(
                .unsupported, "bad_type", "\(field.field.type) needs a table of format version 3",
                context: ["column": field.path])
        }
        var metadata = self
        try metadata.setCurrentSchema(metadata.addSchema(schema))
        return metadata
    }

    /// What the table's partition specs do not allow. Every transform of versions 1 and 2 gives the same value before
    /// and after a promotion of these versions.
    ///
    /// Spec: https://iceberg.apache.org/spec/#schema-evolution
    private func checkPartitions(_ schema: Schema) throws(FirnError) {
        for field in partitionSpecs.flatMap(\.fields) {
            if case .unknown = field.transform,
                currentSchema.field(id: field.sourceId)?.type != schema.field(id: field.sourceId)?.type
            {
                throw FirnError(
                    .invalidInput, "partition_source",
                    "the table is partitioned by \(field.transform) of this column, which may not survive the change",
                    context: ["column": schema.path(id: field.sourceId) ?? "id \(field.sourceId)"])
            }
        }
        for column in schema.fields where currentSchema.field(id: column.id) == nil {
            let keys = AvroNames.clashKeys(column.name)
            guard
                let field = defaultSpec.fields.first(where: { !keys.isDisjoint(with: AvroNames.clashKeys($0.name)) })
            else { continue }
            throw FirnError(
                .invalidInput, "duplicate_column",
                "column \"\(column.name)\" would have the name of the partition field \"\(field.name)\"",
                context: ["column": column.name])
        }
    }
}
