import Base
import Columnar

extension TableMetadata {
    /// The metadata of a new, empty table of format version 2, or 3 where the property `format-version` says so.
    ///
    /// Column ids are given anew (struct by struct), and with them the ids in `spec`, `sortOrder` and the identifier
    /// fields, which must refer to the ids of `schema` as passed; when those are not unique, neither spec nor order nor
    /// identifier fields may be given. Partition field ids count from 1000.
    ///
    /// Throws `.invalidInput` for names that clash or differ only by case and for a spec, order or identifier that does
    /// not fit the schema; `.unsupported` (`format_version`) when the properties ask for another version, or the schema
    /// for more than the version has.
    public static func create(
        schema: Schema, spec: PartitionSpec = .unpartitioned, sortOrder: SortOrder = .unsorted, location: String,
        properties: [String: String] = [:], uuid: UUID, nowMs: Int64
    ) throws(FirnError) -> TableMetadata {
        guard let version = [nil: 2, "2": 2, "3": 3][properties["format-version"]] else {
            throw FirnError(
                .unsupported, "format_version",
                "a table can be created with format version 2 or 3, not \(properties["format-version"]!)")
        }
        try SchemaRules.check(schema, formatVersion: version)
        try SchemaRules.check(spec, schema)
        try SchemaRules.check(sortOrder, schema)
        let old = schema.allFields.map(\.field.id)
        precondition(
            Set(old).count == old.count
                || spec.fields.isEmpty && sortOrder.isUnsorted && schema.identifierFieldIds.isEmpty,
            "ids that are not unique cannot be referred to")

        var ids = FieldIds(after: 0)
        let fields = ids.assign(schema.fields)
        let fresh = Schema(
            schemaId: 0, fields: fields, identifierFieldIds: schema.identifierFieldIds.map { ids.renumbered[$0]! })
        var freshSpec = PartitionSpec(specId: 0, fields: spec.fields)
        for index in freshSpec.fields.indices {
            freshSpec.fields[index].sourceId = ids.renumbered[freshSpec.fields[index].sourceId]!
            freshSpec.fields[index].fieldId = 1000 + index
        }
        var orders: [SortOrder] = [.unsorted]
        if !sortOrder.isUnsorted {
            var order = SortOrder(orderId: 1, fields: sortOrder.fields)
            for index in order.fields.indices {
                order.fields[index].sourceId = ids.renumbered[order.fields[index].sourceId]!
            }
            orders.append(order)
        }
        var stored = properties.filter { !TableProperties.reserved.contains($0.key) }
        if stored["write.parquet.compression-codec"] == nil { stored["write.parquet.compression-codec"] = "zstd" }
        var folder = location
        while folder.count > 1, folder.hasSuffix("/") { folder.removeLast() }
        return TableMetadata(
            formatVersion: version, tableUUID: uuid, location: folder, lastSequenceNumber: 0, lastUpdatedMs: nowMs,
            lastColumnId: ids.last, schemas: [fresh], currentSchemaId: 0, partitionSpecs: [freshSpec],
            defaultSpecId: 0, lastPartitionId: 999 + freshSpec.fields.count, sortOrders: orders,
            defaultSortOrderId: orders.count - 1, properties: stored, currentSnapshotId: nil, snapshots: [], refs: [:],
            snapshotLog: [], metadataLog: [], nextRowId: version >= 3 ? 0 : nil, preserved: [], schemaJSON: [:])
    }
}
