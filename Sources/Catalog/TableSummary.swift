import Base
import Columnar
import Iceberg

/// A table described for people and programs: what `firn table show` and `GET /v1/tables/{ns}/{table}` give.
public struct TableSummary: Sendable {
    private let table: Table
    private let attachment: Attachment?

    /// - Parameter attachment: where the table is kept, when that is another catalog.
    public init(_ table: Table, attachment: Attachment? = nil) {
        self.table = table
        self.attachment = attachment
    }

    private var metadata: TableMetadata { table.metadata }

    private func total(_ key: String) -> Int64 {
        metadata.currentSnapshot?.summary[key].flatMap { Int64($0) } ?? 0
    }

    /// `day(ts), country`
    private var partitioning: [String] {
        metadata.defaultSpec.fields.map { field in
            let column = metadata.currentSchema.path(id: field.sourceId) ?? "\(field.sourceId)"
            return field.transform == .identity ? column : "\(field.transform)(\(column))"
        }
    }

    public var json: JSONValue {
        guard let attachment, case .object(let members) = ownJSON else { return ownJSON }
        return .object(members + [JSONValue.Member("attached-to", attachment.json)])
    }

    private var ownJSON: JSONValue {
        [
            "namespace": .string(table.identifier.namespaceText), "name": .string(table.identifier.name),
            "table-uuid": .string(metadata.tableUUID.description),
            "format-version": .integer(Int64(metadata.formatVersion)), "location": .string(metadata.location),
            "metadata-location": .string(table.metadataLocation), "schema": metadata.currentSchema.json,
            "partition": .array(partitioning.map { .string($0) }),
            "properties": JSONValue(strings: metadata.properties),
            "current-snapshot-id": metadata.currentSnapshotId.map { .integer($0) } ?? .null,
            "snapshots": .integer(Int64(metadata.snapshots.count)),
            "total-records": .integer(total("total-records")),
            "total-data-files": .integer(total("total-data-files")),
            "total-files-size": .integer(total("total-files-size")),
        ]
    }

    public var text: String {
        var lines = [
            "table         \(table.identifier)", "format        Iceberg v\(metadata.formatVersion)",
            "location      \(metadata.location)", "metadata      \(table.metadataLocation)",
            "records       \(total("total-records"))",
            "data files    \(total("total-data-files")), \(total("total-files-size")) bytes",
            "snapshots     \(metadata.snapshots.count)",
            "partitioned   \(partitioning.isEmpty ? "no" : "by " + partitioning.joined(separator: ", "))",
        ]
        if let attachment {
            lines.append("attached to   \(attachment.remote) at \(attachment.endpoint.uri)")
        }
        lines.append("columns")
        for field in metadata.currentSchema.fields {
            lines.append("  \(field.name)  \(field.type)\(field.required ? "  required" : "")")
        }
        lines.append("properties")
        for (key, value) in metadata.properties.sorted(by: { $0.key < $1.key }) { lines.append("  \(key) = \(value)") }
        return lines.joined(separator: "\n") + "\n"
    }
}
