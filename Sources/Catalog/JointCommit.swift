// How a change becomes a commit, for one table or for several that change together or not at all.
//
// 1. One commit of a table runs at a time in this process: the committers of all tables are taken, in one order.
// 2. Load the catalog row of each table and the metadata it points to: the bases.
// 3. Build manifests, manifest list and metadata file of each change on its base.
// 4. Record their paths in the ledger, write them, durable.
// 5. One catalog transaction: each pointer moves from its base to the new metadata file, each log position from the one
//    the caller built on to the new one, producer marks and idempotency keys with it; ledger rows of files that become
//    live go, rows for files that become unreachable come.
// 6. Committed: done. A pointer moved by somebody else: delete the files of step 4, wait, go to 2 with the same changes
//    and the same preconditions. Anything else before COMMIT: delete and fail. COMMIT unclear: settle it first.

import Base
import Iceberg
import SQLiteKit

/// One table's change in a commit of several tables; made by `TableCommitter.appending`, `overwriting` and
/// `changingRows`.
public struct JointPart {
    let participant: JointCommit.Participant
}

extension Warehouse {
    /// Commits changes of different tables in one catalog transaction: readers of the catalog see all of them or none
    /// (G3). One result a part, in their order.
    ///
    /// Throws as `TableCommitter` says; when one part cannot be committed, none is.
    public func commit(jointly parts: [JointPart]) throws -> [CommitResult] {
        try JointCommit(core: core).run(parts.map(\.participant))
    }
}

/// Runs the changes of one or several tables to their common end. Throws as `TableCommitter` says.
struct JointCommit {
    struct Participant {
        let committer: TableCommitter
        let change: TableChange
    }

    let core: CatalogCore
    /// Whatever else belongs into the catalog transaction.
    var beside: ((Database, [CommitTransaction.Part]) throws -> Void)?

    /// One result a participant, in their order. No table may take part twice.
    func run(_ participants: [Participant]) throws -> [CommitResult] {
        precondition(
            Set(participants.map(\.committer.tableUUID)).count == participants.count, "a table twice in one commit")
        // Sorted, so that two joint commits never wait for each other.
        let order = participants.indices.sorted {
            participants[$0].committer.tableUUID.description < participants[$1].committer.tableUUID.description
        }
        var states: [TableCommitter.State] = []
        let sorted = order.map { participants[$0] }
        let results = try locked(sorted[...], &states) { try commit(sorted, &$0) }
        var byParticipant = results
        for (place, index) in order.enumerated() { byParticipant[index] = results[place] }
        return byParticipant
    }

    /// Takes the committers one inside the other and hands on their states.
    private func locked(
        _ rest: ArraySlice<Participant>, _ states: inout [TableCommitter.State],
        _ body: (inout [TableCommitter.State]) throws -> [CommitResult]
    ) throws -> [CommitResult] {
        guard let first = rest.first else { return try body(&states) }
        return try first.committer.state.withLock { state in
            let index = states.count
            states.append(state)
            defer { state = states[index] }
            return try locked(rest.dropFirst(), &states, body)
        }
    }

    private func commit(
        _ participants: [Participant], _ states: inout [TableCommitter.State]
    ) throws -> [CommitResult] {
        for index in participants.indices { _ = try participants[index].committer.settle(&states[index]) }
        try checkAlone(participants)
        let clock = core.environment.clock
        let started = clock.monotonicNanos()
        var attempt = 1
        while true {
            var times = CommitTimes()
            if let parts = try attemptOnce(participants, attempt: attempt, &states, &times) {
                for index in participants.indices {
                    states[index].retired += parts[index].retired
                    participants[index].committer.retire(&states[index])
                }
                return parts.map { result($0, attempts: attempt, times) }
            }
            let elapsedMs = Int((clock.monotonicNanos() - started) / 1_000_000)
            try wait(participants, attempt: attempt, elapsedMs: elapsedMs)
            attempt += 1
        }
    }

    private func result(_ part: CommitTransaction.Part, attempts: Int, _ times: CommitTimes) -> CommitResult {
        guard let commit = part.prepared?.commit else {
            return CommitResult(snapshotId: nil, table: part.base, attempts: attempts, times: times)
        }
        core.remember(commit.metadata, at: commit.metadataLocation)
        core.countExpired(in: commit)
        let table = Table(
            identifier: part.identifier, metadataLocation: commit.metadataLocation, metadata: commit.metadata,
            isAttached: part.base.isAttached)
        return CommitResult(
            snapshotId: commit.snapshot?.snapshotId, table: table, attempts: attempts, times: times)
    }

    /// One attempt; nil when another writer moved a pointer first.
    private func attemptOnce(
        _ participants: [Participant], attempt: Int, _ states: inout [TableCommitter.State], _ times: inout CommitTimes
    ) throws -> [CommitTransaction.Part]? {
        let clock = core.environment.clock
        let began = clock.monotonicNanos()
        var parts: [CommitTransaction.Part] = []
        for participant in participants {
            guard let part = try prepare(participant, attempt: attempt) else { return nil }
            parts.append(part)
        }
        guard parts.contains(where: { $0.prepared != nil || $0.change.mark != nil }) else { return parts }
        try core.environment.faults.reach(.commitBuilt)
        let objects = parts.flatMap(\.objects)
        do {
            for part in parts where part.prepared != nil {
                try core.ledger.record(part.objects, table: part.tableUUID)
            }
            try core.environment.faults.reach(.commitPathsRecorded)
            try write(parts.flatMap { $0.prepared?.commit.objects ?? [] })
        } catch {
            abandon(objects)
            throw error
        }
        let written = clock.monotonicNanos()
        times.metadataNanos = written - began
        if parts[0].base.isAttached, parts[0].prepared != nil {
            guard let done = try commitRemotely(parts[0]) else { return nil }
            times.catalogNanos = clock.monotonicNanos() - written
            return [done]
        }
        let transaction = CommitTransaction(parts: parts, nowMs: core.nowMs, beside: beside)
        do {
            try core.environment.faults.reach(.commitBeforeTransaction)
            guard try transaction.run(in: core) else {
                abandon(objects)
                return nil
            }
        } catch let error as FirnError where error.kind == .outcomeUnknown {
            try settle(participants, parts, &states, error)
        } catch {
            abandon(objects)
            throw error
        }
        times.catalogNanos = clock.monotonicNanos() - written
        try core.environment.faults.reach(.commitAfterTransaction)
        return parts
    }

    /// Steps 5 and 6 for a table whose pointer is in another catalog; nil when another writer moved it first.
    private func commitRemotely(_ part: CommitTransaction.Part) throws -> CommitTransaction.Part? {
        let remote = RemoteCommit(attachment: try core.attachment(part.identifier), core: core)
        let outcome: RemoteCommit.Outcome
        do {
            try core.environment.faults.reach(.commitBeforeTransaction)
            outcome = try remote.run(part, beside: beside)
        } catch let error as FirnError where error.code == "remote_commit_open" {
            abandon(part.objects)
            return nil
        } catch let error as FirnError where error.kind == .outcomeUnknown {
            throw error
        } catch {
            abandon(part.objects)
            throw error
        }
        switch outcome {
        case .committed(let table):
            try core.environment.faults.reach(.commitAfterTransaction)
            var part = part
            part.prepared?.commit.metadata = table.metadata
            part.prepared?.commit.metadataLocation = table.metadataLocation
            return part
        case .refused(let error):
            abandon(part.objects)
            guard error.kind == .conflict else { throw error }
            return nil
        }
    }

    /// Two catalogs have no transaction together.
    private func checkAlone(_ participants: [Participant]) throws {
        guard participants.count > 1 else { return }
        for participant in participants where participant.change.creation == nil {
            let id = participant.committer.identifier
            guard try core.database.read({ try TablePointers.pointer(of: id, in: $0) })?.isAttached == true else {
                continue
            }
            throw Attachment.refused(id, "it cannot change together with others")
        }
    }

    /// Nil when the base was overtaken while it was read: what it names may have expired and be gone by now.
    private func prepare(_ participant: Participant, attempt: Int) throws -> CommitTransaction.Part? {
        let committer = participant.committer
        if let creation = participant.change.creation {
            return CommitTransaction.Part(
                identifier: committer.identifier, tableUUID: committer.tableUUID,
                base: Table(identifier: committer.identifier, metadataLocation: "", metadata: creation.metadata),
                prepared: TableChange.Prepared(commit: creation), change: participant.change,
                folders: TableFolders(creation.metadata, warehouse: core.directory))
        }
        let base = try committer.loadBase()
        if let mark = participant.change.mark {
            try core.database.read { try MarkStore.check(mark, table: committer.tableUUID, in: $0) }
        }
        do {
            var prepared = try participant.change.prepare(base, committer.context(on: base, attempt: attempt))
            if base.isAttached {
                // Its catalog writes metadata files, and deletes them.
                prepared?.commit.objects.removeLast()
                prepared?.commit.removedMetadataFiles = []
            }
            return CommitTransaction.Part(
                identifier: committer.identifier, tableUUID: committer.tableUUID, base: base, prepared: prepared,
                change: participant.change,
                folders: TableFolders(base.metadata, warehouse: core.directory, isAttached: base.isAttached))
        } catch let error as FirnError where error.kind == .notFound {
            guard try committer.loadBase().metadataLocation != base.metadataLocation else { throw error }
            return nil
        }
    }

    /// All parts were one transaction, so each of them answers for it. Returns when it was committed.
    private func settle(
        _ participants: [Participant], _ parts: [CommitTransaction.Part], _ states: inout [TableCommitter.State],
        _ error: FirnError
    ) throws {
        for index in parts.indices {
            states[index].open = TableCommitter.OpenAttempt(
                objects: parts[index].objects, position: parts[index].change.mark?.position)
        }
        var committed = true
        for index in parts.indices {
            let properties = parts[index].base.metadata.tableProperties
            committed =
                try settle(participants[index].committer, &states[index], properties) == .committed && committed
        }
        guard committed else {
            throw FirnError(
                .io, "commit_failed", "the commit failed in the catalog and did not happen",
                context: ["table": parts.map(\.identifier.description).joined(separator: ", ")], cause: error)
        }
    }

    /// Asks again for a while: a catalog that was unclear about a commit mostly is busy, not gone.
    private func settle(
        _ committer: TableCommitter, _ state: inout TableCommitter.State, _ properties: TableProperties
    ) throws -> TableCommitter.Settlement {
        let policy = RetryPolicy.statusCheck(properties)
        let clock = core.environment.clock
        let started = clock.monotonicNanos()
        var attempt = 1
        while true {
            do {
                return try committer.settle(&state)
            } catch let error as FirnError where error.kind == .outcomeUnknown {
                let elapsedMs = Int((clock.monotonicNanos() - started) / 1_000_000)
                let random = core.environment.random.next()
                guard let waitMs = policy.waitMs(afterAttempt: attempt, elapsedMs: elapsedMs, random: random) else {
                    throw error
                }
                _ = Semaphore().wait(milliseconds: waitMs)
                attempt += 1
            }
        }
    }

    /// Waits before the next attempt, or gives up.
    private func wait(_ participants: [Participant], attempt: Int, elapsedMs: Int) throws {
        // A pointer moved, so one of them has one already.
        let first = participants.first { $0.change.creation == nil } ?? participants[0]
        let policy = RetryPolicy(try first.committer.loadBase().metadata.tableProperties)
        guard
            let waitMs = policy.waitMs(
                afterAttempt: attempt, elapsedMs: elapsedMs, random: core.environment.random.next())
        else {
            throw FirnError(
                .conflict, "commit_conflict", "other writers won \(attempt) times in a row",
                context: ["table": participants.map(\.committer.identifier.description).joined(separator: ", ")])
        }
        _ = Semaphore().wait(milliseconds: waitMs)
    }

    private func write(_ objects: [(location: String, bytes: [UInt8])]) throws {
        let faults = core.environment.faults
        guard faults.areArmed else { return try core.store.putAll(objects) }
        for object in objects {
            try core.store.put(object.location, object.bytes)
            let isList = object.location.lastPathComponent.hasPrefix("snap-")
            let isManifest = object.location.hasSuffix(".avro") && !isList
            try faults.reach(isManifest ? .commitManifestWritten : isList ? .commitListWritten : .commitMetadataWritten)
        }
    }

    private func abandon(_ objects: [String]) { try? core.ledger.abandon(objects) }
}
