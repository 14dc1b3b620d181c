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
    /// A table with a name mapping keeps it in step, and properties that name a column follow it.
    ///
    /// Throws as `SchemaChange.apply` and `TableCommitter.update`; `.invalidInput` `partition_source` for a type under
    /// which a partition or sort transform would give other values, `duplicate_column` for a name that a partition
    /// field has, `bad_promotion` for a promotion of a later format version; `.conflict` `column_in_use` for dropping a
    /// column that the default spec, the sort order or the ingest properties need; `.unsupported` `bad_type`,
    /// `format_version` for types and defaults that the table's format version lacks.
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

    /// Changes how rows are divided from now on, in one commit; see `TableMetadata.partitioned`. Rows that writers hold
    /// go where the spec that they loaded says, which stays valid.
    @discardableResult
    public func repartition(_ id: TableIdentifier, change: PartitionChange) throws -> Table {
        try committer(for: id).update { try $0.partitioned(by: change) }.table
    }

    /// Changes the order of rows inside new files, in one commit; `none` for no order. Throws as
    /// `TableMetadata.sorted(by:)`.
    @discardableResult
    public func sort(_ id: TableIdentifier, by text: String) throws -> Table {
        try committer(for: id).update { try $0.sorted(by: text) }.table
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
        let (schema, last) = try change.apply(to: currentSchema, lastColumnId: lastColumnId)
        guard !schema.hasSameShape(as: currentSchema) else { return self }
        try checkTypes(schema)
        try checkNames(schema)
        var metadata = self
        try metadata.setCurrentSchema(metadata.addSchema(schema))
        // Ids that the change gave and took away again are spent as well.
        metadata.lastColumnId = max(metadata.lastColumnId, last)
        try metadata.followColumns(from: currentSchema, to: schema)
        return metadata
    }

    /// What the format version, and the table's partition specs and sort order, do not allow.
    ///
    /// Spec: https://iceberg.apache.org/spec/#schema-evolution
    private func checkTypes(_ schema: Schema) throws(FirnError) {
        for (path, field) in schema.allFields {
            if formatVersion < 3, field.type.isNanoseconds {
                throw FirnError(
                    .unsupported, "bad_type", "\(field.type) needs a table of format version 3",
                    context: ["column": path])
            }
            guard let old = currentSchema.field(id: field.id)?.type, old != field.type, !old.isNested,
                !old.widens(to: field.type)
            else { continue }
            guard formatVersion >= 3 else {
                throw FirnError(
                    .invalidInput, "bad_promotion",
                    "column \"\(path)\" of type \(old) can become \(field.type) only in a table of format version 3",
                    context: ["column": path])
            }
        }
        let uses =
            partitionSpecs.flatMap(\.fields).map { ($0.sourceId, $0.transform, keepsOrder: false) }
            + defaultSortOrder.fields.map { ($0.sourceId, $0.transform, keepsOrder: true) }
        for (id, transform, keepsOrder) in uses {
            guard let old = currentSchema.field(id: id)?.type, let new = schema.field(id: id)?.type,
                !transform.survives(old, new, keepsOrder: keepsOrder)
            else { continue }
            throw FirnError(
                .invalidInput, "partition_source",
                "the table is partitioned or sorted by \(transform) of this column, which would change with its type",
                context: ["column": schema.path(id: id) ?? "id \(id)"])
        }
    }

    /// A partition field shares a column's name only where it shares its values.
    private func checkNames(_ schema: Schema) throws(FirnError) {
        for column in schema.fields where currentSchema.field(id: column.id)?.name != column.name {
            let keys = AvroNames.clashKeys(column.name)
            guard
                let field = defaultSpec.fields.first(where: { !keys.isDisjoint(with: AvroNames.clashKeys($0.name)) }),
                field.sourceId != column.id || field.transform != .identity
            else { continue }
            throw FirnError(
                .invalidInput, "duplicate_column",
                "column \"\(column.name)\" would have the name of the partition field \"\(field.name)\"",
                context: ["column": column.name])
        }
    }
}

extension DataType {
    fileprivate var isNested: Bool {
        switch self {
        case .structure, .list, .map: true
        default: false
        }
    }
}

extension Transform {
    /// True when values of type `old` give the same results as the values of type `new` that they become or, for a sort
    /// order, results in the same order.
    fileprivate func survives(_ old: DataType, _ new: DataType, keepsOrder: Bool) -> Bool {
        switch (old, self) {
        case _ where old == new: true
        case (_, .unknown): false
        case (.date, .identity): keepsOrder
        case (.date, .bucket): false
        default: true
        }
    }
}
