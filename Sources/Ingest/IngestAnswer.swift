import Base

/// What a sender gets back for one batch.
public struct IngestAnswer: Sendable {
    public enum State: String, Sendable {
        /// In the synced log: survives a crash, not yet visible to plain file readers.
        case durable
        /// In a snapshot of the table.
        case committed
    }

    public var accepted: Int
    public var rejections: [Rejection]
    public var rejectedCount: Int
    /// True when an earlier request had landed these records.
    public var duplicate: Bool
    public var state: State
    public var position: UInt64
    public var snapshotId: Int64?

    public var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("accepted", .integer(Int64(accepted))),
            .init("rejected", .array(rejections.map(\.json))),
        ]
        if rejectedCount > rejections.count {
            members.append(.init("rejected-count", .integer(Int64(rejectedCount))))
        }
        members.append(.init("duplicate", .bool(duplicate)))
        members.append(.init("state", .string(state.rawValue)))
        members.append(.init("position", .integer(Int64(bitPattern: position))))
        if let snapshotId { members.append(.init("snapshot-id", .integer(snapshotId))) }
        return .object(members)
    }
}

/// Thrown as the cause of `.invalidInput` `all_records_rejected`: none of a body's records could be accepted.
public struct AllRecordsRejected: Error {
    public let rejections: [Rejection]
    public let rejectedCount: Int
}
