// How a commit to an attached table becomes atomic, when the pointer is in one catalog and the log position in another.
//
// 1. One transaction here: the guards hold, files that become live leave the ledger, and the commit is written down as
//    open: the request, the files, the marks. A table has at most one.
// 2. The request is sent. It requires of the other catalog that the table's branch still is at the base.
// 3. Committed: one transaction here applies the marks, and the commit is not open any more.
//    Refused: one transaction takes the files back into the ledger. The caller builds on the new state.
//    Unclear: the same request again, with the same key, until it is clear, by this process or by whoever comes after.
//
// Why sending it again decides it: of two requests that both require the branch at the base, one at most takes effect.
// So when the branch has moved, neither will be applied any more, and whether one was can be seen: every commit sets a
// property of the table to its own id. Snapshots show it too, but expire.

import Base
import Iceberg
import SQLiteKit
import Storage

struct RemoteCommit {
    let attachment: Attachment
    let core: CatalogCore

    enum Outcome {
        case committed(RemoteTable)
        /// Nothing has changed, and nothing will.
        case refused(FirnError)
    }

    // MARK: A new commit

    /// Takes a prepared commit to its end. A refusal because of others leaves the files of `part` pending in the
    /// ledger, as they were.
    ///
    /// Throws `.outcomeUnknown` while it cannot be told how it ended, and every error after which nothing has changed.
    func run(
        _ part: CommitTransaction.Part, beside: ((Database, [CommitTransaction.Part]) throws -> Void)?
    ) throws -> Outcome {
        guard let commit = part.prepared?.commit else { preconditionFailure("a remote commit without a change") }
        let owner = try core.ledger.owner.id(in: core.database)
        let random = core.environment.random
        let id = UUID(nowMs: core.nowMs, random: random.next(), random.next())
        let open = OpenCommit(
            table: part.tableUUID, id: id, owner: owner, snapshotId: commit.snapshot?.snapshotId,
            request: request(commit, id), added: part.change.added, objects: part.objects,
            garbage: ((part.prepared?.unreachable ?? []) + part.retired).filter { part.folders.owns($0) })
        try record(open, part)
        try core.environment.faults.reach(.remoteRecorded)
        let outcome = try decide(open, isRepeated: false, RetryPolicy.statusCheck(part.base.metadata.tableProperties))
        switch outcome {
        case .committed(let table):
            try conclude(open, table) { database in
                var done = part
                done.prepared?.commit.metadata = table.metadata
                done.prepared?.commit.metadataLocation = table.metadataLocation
                try beside?(database, [done])
            }
        case .refused: try takeBack(open, as: .pending, owner: owner)
        }
        return outcome
    }

    private func record(_ open: OpenCommit, _ part: CommitTransaction.Part) throws {
        do {
            try core.database.write { database in
                if let mark = part.change.mark { try MarkStore.check(mark, table: open.table, in: database) }
                guard try !OpenCommit.exists(open.table, in: database) else { throw Self.busy(attachment) }
                for path in open.added + open.objects {
                    try CommitTransaction.becomeLive(path, part.identifier, owner: open.owner, in: database)
                }
                try open.insert(mark: part.change.mark, nowMs: core.nowMs, in: database)
            }
        } catch let error as FirnError where error.kind == .outcomeUnknown {
            let isThere = try core.database.settle { try OpenCommit.find(open.table, in: $0)?.id == open.id }
            guard isThere else {
                throw FirnError(.io, "commit_failed", "the commit failed here and was not sent", cause: error)
            }
        }
    }

    private func request(_ commit: PreparedCommit, _ id: UUID) -> [UInt8] {
        let table = attachment.remote
        let updates = commit.updates + [.setProperties([attachment.commitProperty: id.description])]
        let json: JSONValue = [
            "identifier": [
                "namespace": .array(table.namespace.map { .string($0) }), "name": .string(table.name),
            ],
            "requirements": .array(commit.requirements.map(\.json)), "updates": .array(updates.map(\.json)),
        ]
        return json.serialize()
    }

    /// Another process is in the middle of a commit.
    static func busy(_ attachment: Attachment) -> FirnError {
        FirnError(
            .conflict, "remote_commit_open", "another commit to \(attachment.identifier) is under way",
            context: ["table": attachment.identifier.description])
    }

    private static func overtaken(_ attachment: Attachment) -> FirnError {
        FirnError(
            .conflict, "remote_conflict", "another writer committed to \(attachment.identifier) first",
            context: ["table": attachment.identifier.description])
    }

    // MARK: An open one

    /// Ends the table's open commit, if there is one and its process is this one or gone. What was not committed is
    /// garbage then. Throws `.outcomeUnknown` while it cannot be told; `.conflict` (`remote_commit_open`) while the
    /// process that began it is at work.
    func settle(_ properties: TableProperties) throws -> TableCommitter.Settlement {
        guard let open = try core.database.read({ try OpenCommit.find(attachment.tableUUID, in: $0) }) else {
            return .nothingOpen
        }
        let own = try core.ledger.owner.id(in: core.database)
        if open.owner != own {
            let isKnown = try core.database.read { database in
                try database.queryRow("SELECT 1 FROM firn_owners WHERE id = ?", [.text(open.owner)]) != nil
            }
            guard try !isKnown || core.ledger.owner.deadIds(in: core.database).contains(open.owner) else {
                throw Self.busy(attachment)
            }
        }
        switch try decide(open, isRepeated: true, RetryPolicy.statusCheck(properties)) {
        case .committed(let table):
            try conclude(open, table) { _ in }
            return .committed
        case .refused:
            try takeBack(open, as: .garbage, owner: nil)
            return .notCommitted
        }
    }

    /// Asks until the answer is clear, or for as long as the policy says.
    ///
    /// - Parameter isRepeated: a request of this commit may be under way already.
    private func decide(_ open: OpenCommit, isRepeated: Bool, _ policy: RetryPolicy) throws -> Outcome {
        let clock = core.environment.clock
        let started = clock.monotonicNanos()
        var isRepeated = isRepeated
        var attempt = 1
        while true {
            // Looked at first: after a rollback to the base, what was committed could be taken once more.
            if isRepeated, let outcome = try look(for: open, orElse: Self.overtaken(attachment)) { return outcome }
            let unclear: FirnError
            do {
                let table = try core.remotes.commit(open.request, to: attachment, key: open.id)
                return .committed(table)
            } catch let error as FirnError where error.kind == .conflict {
                guard isRepeated else { return .refused(error) }
                // Another commit may have been in the way that changed nothing of what this one requires.
                if let outcome = try look(for: open, orElse: error) { return outcome }
                unclear = error
            } catch let error as FirnError where error.code == "remote_table_not_found" {
                return .refused(error)
            } catch let error as FirnError where error.kind == .outcomeUnknown || isRepeated {
                unclear = error
            } catch let error as FirnError {
                return .refused(error)
            }
            isRepeated = true
            let elapsedMs = Int((clock.monotonicNanos() - started) / 1_000_000)
            let random = core.environment.random.next()
            guard let waitMs = policy.waitMs(afterAttempt: attempt, elapsedMs: elapsedMs, random: random) else {
                throw unknown(unclear)
            }
            _ = Semaphore().wait(milliseconds: waitMs)
            attempt += 1
        }
    }

    /// What one look at the table says of the commit: done, impossible by now, or nil where an earlier request may be
    /// taken yet, since what it requires holds.
    private func look(for open: OpenCommit, orElse refusal: FirnError) throws -> Outcome? {
        let table: RemoteTable
        do {
            table = try core.remotes.load(attachment)
        } catch let error as FirnError
            where ["remote_table_not_found", "remote_table_replaced"].contains(error.code)
        {
            // Every request for it went with it.
            return .refused(error)
        } catch let error as FirnError {
            throw unknown(error)
        }
        let metadata = table.metadata
        let isThere = open.snapshotId.map { metadata.snapshot(id: $0) != nil } ?? false
        guard !isThere, metadata.properties[attachment.commitProperty] != open.id.description else {
            return .committed(table)
        }
        let request = try JSONValue(parsing: open.request, source: "firn_remote_commits")
        let holds = (request["requirements"]?.arrayValue ?? []).allSatisfy { item in
            (try? TableRequirement(json: item).check(metadata)) != nil
        }
        return holds ? nil : .refused(refusal)
    }

    private func unknown(_ cause: FirnError) -> FirnError {
        FirnError(
            .outcomeUnknown, "commit_outcome_unknown",
            "the catalog of \(attachment.identifier) does not say whether it committed; it is asked again",
            context: ["table": attachment.identifier.description, "uri": attachment.endpoint.uri], cause: cause)
    }

    // MARK: Its end

    private func conclude(_ open: OpenCommit, _ table: RemoteTable, _ more: (Database) throws -> Void) throws {
        try core.environment.faults.reach(.remoteAnswered)
        do {
            try core.database.write { database in
                let mark = try open.mark(in: database)
                guard try open.delete(in: database) else { return }
                if let mark { try MarkStore.apply(mark, table: open.table, in: database) }
                try Attachments.note(attachment, table, in: database)
                for path in open.garbage { try insert(path, open, .garbage, owner: nil, in: database) }
                try more(database)
            }
        } catch let error as FirnError {
            // It is committed there; here it stays open, and is concluded when it is looked at again.
            throw FirnError(
                .outcomeUnknown, "commit_outcome_unknown",
                "the commit happened, but could not be noted: \(error.message)",
                context: ["table": attachment.identifier.description], cause: error)
        }
    }

    private func takeBack(_ open: OpenCommit, as state: LedgerEntry.State, owner: String?) throws {
        do {
            try core.database.write { database in
                guard try open.delete(in: database) else { return }
                for path in open.added + open.objects { try insert(path, open, state, owner: owner, in: database) }
            }
        } catch let error as FirnError {
            throw FirnError(
                .outcomeUnknown, "commit_outcome_unknown", "a refused commit could not be noted: \(error.message)",
                context: ["table": attachment.identifier.description], cause: error)
        }
    }

    private func insert(
        _ path: String, _ open: OpenCommit, _ state: LedgerEntry.State, owner: String?, in database: Database
    ) throws {
        try database.run(
            """
            INSERT INTO firn_ledger (path, table_uuid, owner, state, created_ms) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (path) DO NOTHING
            """,
            [
                .text(path), .text(open.table.description), SQLValue(owner), .text(state.rawValue),
                .integer(core.nowMs),
            ])
    }
}
