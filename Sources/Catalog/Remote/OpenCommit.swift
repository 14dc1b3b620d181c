import Base
import SQLiteKit

/// A commit that a remote catalog was or will be asked for, until it is known how it ended: a row of
/// `firn_remote_commits`, with its marks beside it.
struct OpenCommit {
    let table: UUID
    /// Names the commit in all its requests.
    let id: UUID
    /// The process that began it.
    let owner: String
    /// The snapshot that tells that it was committed; nil for changes of metadata only, which may be made again.
    let snapshotId: Int64?
    /// Word for word.
    let request: [UInt8]
    /// Files that the caller wrote.
    let added: [String]
    /// Manifests and the manifest list.
    let objects: [String]
    /// Files that nothing needs once it is committed.
    let garbage: [String]

    func insert(mark: IngestMark?, nowMs: Int64, in database: Database) throws {
        try database.run(
            """
            INSERT INTO firn_remote_commits (table_uuid, commit_uuid, owner, snapshot_id, expected_position, request,
                added, objects, garbage, created_ms)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .text(table.description), .text(id.description), .text(owner),
                snapshotId.map { .integer($0) } ?? .null,
                try mark.map { try SQLValue(position: $0.expectedPosition) } ?? .null, .blob(request),
                Self.text(added), Self.text(objects), Self.text(garbage), .integer(nowMs),
            ])
        if let mark { try MarkStore.apply(mark, table: id, in: database) }
    }

    static func find(_ table: UUID, in database: Database) throws -> OpenCommit? {
        let row = try database.queryRow(
            """
            SELECT commit_uuid, owner, snapshot_id, request, added, objects, garbage FROM firn_remote_commits
            WHERE table_uuid = ?
            """, [.text(table.description)])
        guard let row else { return nil }
        guard let id = row[0].textValue.flatMap({ UUID($0) }), let owner = row[1].textValue,
            case .blob(let request) = row[3]
        else { throw MarkStore.malformed("firn_remote_commits") }
        return OpenCommit(
            table: table, id: id, owner: owner, snapshotId: row[2].integerValue, request: request,
            added: try paths(row[4]), objects: try paths(row[5]), garbage: try paths(row[6]))
    }

    static func exists(_ table: UUID, in database: Database) throws -> Bool {
        try database.queryRow(
            "SELECT 1 FROM firn_remote_commits WHERE table_uuid = ?", [.text(table.description)]) != nil
    }

    /// What the commit moves beside the table.
    func mark(in database: Database) throws -> IngestMark? {
        let expected = try database.integer(
            "SELECT expected_position FROM firn_remote_commits WHERE commit_uuid = ?", [.text(id.description)])
        guard let expected else { return nil }
        return IngestMark(
            expectedPosition: UInt64(clamping: expected), position: try MarkStore.position(id, in: database),
            producers: try MarkStore.producers(id, in: database), keys: try MarkStore.keys(id, in: database),
            watermarks: try MarkStore.watermarks(id, in: database))
    }

    /// False when it is not open any more.
    func delete(in database: Database) throws -> Bool {
        try MarkStore.forget(id, in: database)
        return try database.run(
            "DELETE FROM firn_remote_commits WHERE table_uuid = ? AND commit_uuid = ?",
            [.text(table.description), .text(id.description)]) == 1
    }

    private static func text(_ paths: [String]) -> SQLValue { .text(JSONValue.array(paths.map { .string($0) }).text) }

    private static func paths(_ value: SQLValue) throws -> [String] {
        guard let text = value.textValue else { throw MarkStore.malformed("firn_remote_commits") }
        return (try JSONValue(parsing: text, source: "firn_remote_commits").arrayValue ?? []).compactMap(\.stringValue)
    }
}
