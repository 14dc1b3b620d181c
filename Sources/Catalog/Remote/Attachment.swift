import Base
import Iceberg
import SQLiteKit

/// A table of this warehouse whose catalog is another one.
public struct Attachment: Hashable, Sendable {
    /// Its name here.
    public let identifier: TableIdentifier
    public let tableUUID: UUID
    public let endpoint: RemoteEndpoint
    /// Its name there.
    public let remote: RemoteTableName
    /// Tells the commits through this attachment from those of others.
    let id: UUID
    /// Of the newest state that was seen.
    let lastSequenceNumber: Int64
    let lastUpdatedMs: Int64

    /// The property of the table that holds the id of the last commit through this attachment.
    var commitProperty: String { "firn.attached.\(id)" }

    public var json: JSONValue {
        ["table": .string(remote.description), "endpoint": endpoint.json]
    }

    static func refused(_ id: TableIdentifier, _ what: String) -> FirnError {
        FirnError(
            .unsupported, "attached_table", "\(id) is kept in another catalog: \(what)",
            context: ["table": id.description])
    }
}

/// The rows of `firn_attachments`. Each has one in `iceberg_tables` beside it, which holds the name, and the metadata
/// file that was seen last.
enum Attachments {
    private static let columns =
        "table_namespace, table_name, table_uuid, endpoint, remote_namespace, remote_name, attachment_uuid, "
        + "last_sequence_number, last_updated_ms"

    static func find(_ id: TableIdentifier, in database: Database) throws -> Attachment? {
        try database.queryRow(
            "SELECT \(columns) FROM firn_attachments WHERE table_namespace = ? AND table_name = ?",
            [.text(id.namespaceText), .text(id.name)]
        ).map(attachment)
    }

    static func find(_ uuid: UUID, in database: Database) throws -> Attachment? {
        try database.queryRow(
            "SELECT \(columns) FROM firn_attachments WHERE table_uuid = ?", [.text(uuid.description)]
        ).map(attachment)
    }

    static func list(in database: Database) throws -> [Attachment] {
        try database.query("SELECT \(columns) FROM firn_attachments ORDER BY table_namespace, table_name")
            .map(attachment)
    }

    /// Throws `.alreadyExists` (`table_exists`, `already_attached`).
    static func insert(_ attachment: Attachment, _ table: RemoteTable, nowMs: Int64, in database: Database) throws {
        if let other = try find(attachment.tableUUID, in: database) {
            throw FirnError(
                .alreadyExists, "already_attached", "the table is attached already, as \(other.identifier)",
                context: ["table": attachment.identifier.description])
        }
        try TablePointers.insert(
            attachment.identifier, location: table.metadataLocation, isAttached: true, in: database)
        try database.run(
            """
            INSERT INTO firn_attachments (\(columns), metadata, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .text(attachment.identifier.namespaceText), .text(attachment.identifier.name),
                .text(attachment.tableUUID.description), .text(attachment.endpoint.json.text),
                .text(JSONValue.array(attachment.remote.namespace.map { .string($0) }).text),
                .text(attachment.remote.name), .text(attachment.id.description),
                .integer(table.metadata.lastSequenceNumber), .integer(table.metadata.lastUpdatedMs),
                .text(try Self.outline(table.metadata)), .integer(nowMs),
            ])
    }

    /// Notes what was seen last of a table.
    static func note(_ attachment: Attachment, _ table: RemoteTable, in database: Database) throws {
        try TablePointers.note(attachment.identifier, location: table.metadataLocation, in: database)
        try database.run(
            """
            UPDATE firn_attachments SET metadata = ?, last_sequence_number = ?, last_updated_ms = ?
            WHERE table_uuid = ?
            """,
            [
                .text(try outline(table.metadata)), .integer(table.metadata.lastSequenceNumber),
                .integer(table.metadata.lastUpdatedMs), .text(attachment.tableUUID.description),
            ])
    }

    /// What was seen last, without snapshots.
    static func outline(of attachment: Attachment, in database: Database) throws -> TableMetadata {
        let row = try database.queryRow(
            "SELECT metadata FROM firn_attachments WHERE table_uuid = ?", [.text(attachment.tableUUID.description)])
        guard let text = row?[0].textValue else { throw TablePointers.missing(attachment.identifier) }
        return try TableMetadata.parse(Array(text.utf8), source: "firn_attachments")
    }

    private static func outline(_ metadata: TableMetadata) throws -> String {
        var outline = metadata
        outline.currentSnapshotId = nil
        outline.snapshots = []
        outline.refs = [:]
        outline.snapshotLog = []
        outline.metadataLog = []
        return String(decoding: try outline.serialize(), as: UTF8.self)
    }

    static func delete(_ attachment: Attachment, in database: Database) throws {
        try database.run("DELETE FROM firn_attachments WHERE table_uuid = ?", [.text(attachment.tableUUID.description)])
        try TablePointers.deleteAttached(attachment.identifier, in: database)
    }

    private static func attachment(_ row: [SQLValue]) throws -> Attachment {
        guard let space = row[0].textValue, let name = row[1].textValue,
            let uuid = row[2].textValue.flatMap({ UUID($0) }), let endpoint = row[3].textValue,
            let levels = row[4].textValue, let remote = row[5].textValue,
            let id = row[6].textValue.flatMap({ UUID($0) }), let sequenceNumber = row[7].integerValue,
            let updatedMs = row[8].integerValue
        else { throw MarkStore.malformed("firn_attachments") }
        return Attachment(
            identifier: TableIdentifier(unchecked: space.split(separator: ".").map(String.init), name: name),
            tableUUID: uuid, endpoint: try RemoteEndpoint(json: try parse(endpoint)),
            remote: RemoteTableName(
                namespace: (try parse(levels).arrayValue ?? []).compactMap(\.stringValue), name: remote), id: id,
            lastSequenceNumber: sequenceNumber, lastUpdatedMs: updatedMs)
    }

    private static func parse(_ text: String) throws -> JSONValue {
        try JSONValue(parsing: text, source: "firn_attachments")
    }
}
