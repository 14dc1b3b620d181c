import Base
import Catalog

/// What a sender gets back for one request.
public struct IngestAnswer: Sendable {
    public enum State: String, Sendable {
        /// In the synced log: survives a crash, not yet visible to plain file readers.
        case durable
        /// In a snapshot of the table.
        case committed
    }

    /// One table's part of a request for several.
    public struct Part: Sendable {
        public var table: TableIdentifier
        public var accepted: Int
        public var rejectedCount: Int
        public var deadLettered: Int
        public var snapshotId: Int64?
    }

    /// Records that became rows.
    public var accepted: Int
    public var rejections: [Rejection]
    public var rejectedCount: Int
    /// Of the rejected records, those that the dead letters took: they need not be sent again.
    public var deadLettered: Int
    /// True when an earlier request had landed these records.
    public var duplicate: Bool
    public var state: State
    public var position: UInt64
    public var snapshotId: Int64?
    /// Empty for a request for one table.
    public var parts: [Part] = []

    public var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("accepted", .integer(Int64(accepted))),
            .init("rejected", .array(rejections.map(\.json))),
        ]
        if rejectedCount > rejections.count {
            members.append(.init("rejected-count", .integer(Int64(rejectedCount))))
        }
        if deadLettered > 0 { members.append(.init("dead-lettered", .integer(Int64(deadLettered)))) }
        members.append(.init("duplicate", .bool(duplicate)))
        members.append(.init("state", .string(state.rawValue)))
        members.append(.init("position", .integer(Int64(bitPattern: position))))
        if let snapshotId { members.append(.init("snapshot-id", .integer(snapshotId))) }
        if !parts.isEmpty {
            members.append(.init("tables", .object(parts.map { .init($0.table.description, $0.json) })))
        }
        return .object(members)
    }
}

extension IngestAnswer.Part {
    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [.init("accepted", .integer(Int64(accepted)))]
        if rejectedCount > 0 { members.append(.init("rejected-count", .integer(Int64(rejectedCount)))) }
        if deadLettered > 0 { members.append(.init("dead-lettered", .integer(Int64(deadLettered)))) }
        if let snapshotId { members.append(.init("snapshot-id", .integer(snapshotId))) }
        return .object(members)
    }
}

/// Thrown as the cause of `.invalidInput` `all_records_rejected` and `records_rejected`: nothing of the request landed.
public struct AllRecordsRejected: Error {
    public let rejections: [Rejection]
    public let rejectedCount: Int
}
