import Base
import Columnar
import SQLiteKit

/// A schema change that records would need, and what was decided about it.
public struct SchemaProposal: Sendable, Hashable {
    public enum State: String, Sendable, CaseIterable {
        /// Waits; may become approved or rejected.
        case open
        /// The schema has the change. Final.
        case approved
        /// Nobody is asked about the change again; may still become approved.
        case rejected
    }

    public let id: Int64
    /// One operation.
    public let change: SchemaChange
    public let state: State
    /// Records that asked for it so far.
    public let records: Int64
    /// One of these records, cut short.
    public let sample: String
    public let createdMs: Int64
    /// When a record last asked for it.
    public let seenMs: Int64
    public let decidedMs: Int64?

    public var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("id", .integer(id)), .init("state", .string(state.rawValue)),
            .init("description", .string(change.description)), .init("change", change.json),
            .init("records", .integer(records)), .init("sample", .string(sample)),
            .init("created-ms", .integer(createdMs)), .init("seen-ms", .integer(seenMs)),
        ]
        if let decidedMs { members.append(.init("decided-ms", .integer(decidedMs))) }
        return .object(members)
    }

    init(row: [SQLValue]) throws {
        guard let id = row[0].integerValue, let change = row[1].textValue,
            let state = row[2].textValue.flatMap(State.init(rawValue:)), let records = row[3].integerValue,
            let sample = row[4].textValue, let created = row[5].integerValue, let seen = row[6].integerValue
        else { throw MarkStore.malformed("firn_schema_proposals") }
        self.id = id
        self.change = try SchemaChange(json: JSONValue(parsing: change, source: "firn_schema_proposals"))
        self.state = state
        self.records = records
        self.sample = sample
        createdMs = created
        seenMs = seen
        decidedMs = row[7].integerValue
    }
}

extension Warehouse {
    /// Open proposals a table may have; records that need more are rejected without one.
    public static let openProposalsMax = 1000
    /// Characters kept of a sample.
    static let sampleLengthMax = 1000

    private static let proposalColumns = """
        SELECT id, change, state, records, sample, created_ms, seen_ms, decided_ms FROM firn_schema_proposals
        """

    /// Proposes each operation of a change, or counts the records to a proposal of the same that is open or rejected.
    /// Answers the proposals, without those beyond `openProposalsMax`.
    ///
    /// - Parameters:
    ///   - records: how many records need the change.
    ///   - sample: one of them.
    @discardableResult
    public func propose(
        _ table: UUID, change: SchemaChange, records: Int, sample: [UInt8]
    ) throws -> [SchemaProposal] {
        let now = core.nowMs
        let text = String(
            String(decoding: sample.prefix(4 * Self.sampleLengthMax), as: UTF8.self)
                .prefix(Self.sampleLengthMax))
        return try core.database.write { database in
            var found: [SchemaProposal] = []
            for operation in change.operations {
                let json = SchemaChange([operation]).json.text
                var row = try Self.undecided(table, json, in: database)
                if let row {
                    try database.run(
                        "UPDATE firn_schema_proposals SET records = records + ?, seen_ms = max(seen_ms, ?) WHERE id = ?",
                        [SQLValue(records), .integer(now), .integer(row.id)])
                } else {
                    let open = try database.integer(
                        "SELECT count(*) FROM firn_schema_proposals WHERE table_uuid = ? AND state = 'open'",
                        [.text(table.description)])
                    guard open ?? 0 < Self.openProposalsMax else { continue }
                    try database.run(
                        """
                        INSERT INTO firn_schema_proposals (table_uuid, change, state, records, sample, created_ms, seen_ms)
                        VALUES (?, ?, 'open', ?, ?, ?, ?)
                        """,
                        [
                            .text(table.description), .text(json), SQLValue(records), .text(text), .integer(now),
                            .integer(now),
                        ])
                }
                row = try Self.undecided(table, json, in: database)
                if let row { found.append(row) }
            }
            return found
        }
    }

    /// The open or rejected proposal of a change, the open one first.
    private static func undecided(_ table: UUID, _ change: String, in database: Database) throws -> SchemaProposal? {
        try database.queryRow(
            proposalColumns + """
                 WHERE table_uuid = ? AND change = ? AND state <> 'approved' ORDER BY state = 'open' DESC, id LIMIT 1
                """, [.text(table.description), .text(change)]
        ).map(SchemaProposal.init(row:))
    }

    /// The proposals of a table, oldest first; all states or one.
    public func schemaProposals(_ table: UUID, state: SchemaProposal.State? = nil) throws -> [SchemaProposal] {
        try core.database.read { database in
            try database.query(
                Self.proposalColumns + " WHERE table_uuid = ?1 AND (?2 IS NULL OR state = ?2) ORDER BY id",
                [.text(table.description), SQLValue(state?.rawValue)]
            ).map(SchemaProposal.init(row:))
        }
    }

    /// Throws `.notFound` (`proposal_not_found`).
    public func schemaProposal(_ table: UUID, id: Int64) throws -> SchemaProposal {
        let found = try core.database.read { database in
            try database.queryRow(
                Self.proposalColumns + " WHERE table_uuid = ? AND id = ?", [.text(table.description), .integer(id)]
            ).map(SchemaProposal.init(row:))
        }
        guard let found else {
            throw FirnError(.notFound, "proposal_not_found", "the table has no schema proposal \(id)")
        }
        return found
    }

    /// Makes the change of a proposal and marks it, and every other one that the new schema answers, as approved. May
    /// be repeated: after a crash between the two, or by two people at once.
    ///
    /// Throws as `evolve`; `.notFound` (`proposal_not_found`).
    @discardableResult
    public func approveProposal(_ table: TableIdentifier, id: Int64) throws -> (proposal: SchemaProposal, table: Table)
    {
        let uuid = try loadTable(table).metadata.tableUUID
        let proposal = try schemaProposal(uuid, id: id)
        let evolved = try evolve(table, uuid: uuid, change: proposal.change)
        var answered = [id]
        for other in try schemaProposals(uuid, state: .open) where other.id != id {
            let schema = evolved.metadata.currentSchema
            let after = try? other.change.apply(to: schema, lastColumnId: evolved.metadata.lastColumnId).schema
            if let after, after.hasSameShape(as: schema) { answered.append(other.id) }
        }
        try decide(uuid, answered, .approved)
        return (try schemaProposal(uuid, id: id), evolved)
    }

    /// Marks a proposal as rejected: records that need it go on being rejected, and it is not proposed again.
    ///
    /// Throws `.notFound` (`proposal_not_found`), `.conflict` (`proposal_approved`).
    @discardableResult
    public func rejectProposal(_ table: TableIdentifier, id: Int64) throws -> SchemaProposal {
        let uuid = try loadTable(table).metadata.tableUUID
        try decide(uuid, [id], .rejected)
        let proposal = try schemaProposal(uuid, id: id)
        guard proposal.state == .rejected else {
            throw FirnError(.conflict, "proposal_approved", "schema proposal \(id) is approved already")
        }
        return proposal
    }

    private func decide(_ table: UUID, _ ids: [Int64], _ state: SchemaProposal.State) throws {
        let now = core.nowMs
        try core.database.write { database in
            for id in ids {
                try database.run(
                    """
                    UPDATE firn_schema_proposals SET state = ?1, decided_ms = ?2
                    WHERE table_uuid = ?3 AND id = ?4 AND state <> 'approved' AND state <> ?1
                    """, [.text(state.rawValue), .integer(now), .text(table.description), .integer(id)])
            }
        }
    }
}
