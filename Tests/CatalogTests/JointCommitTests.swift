import Base
import Iceberg
import Testing

@testable import Catalog

@Suite struct JointCommitTests {
    private struct Pair {
        let scratch: ScratchWarehouse
        let left: Table
        let right: Table

        init() throws {
            scratch = try ScratchWarehouse()
            left = try scratch.makeTable("shop.left")
            right = try scratch.makeTable("shop.right")
        }

        var warehouse: Warehouse { scratch.warehouse }

        func parts(position: UInt64, from expected: UInt64) throws -> [JointPart] {
            try [left, right].map { table in
                try warehouse.committer(for: table.identifier).appending(
                    try warehouse.writeDataFiles(1, of: table),
                    ingest: IngestMark(expectedPosition: expected, position: position))
            }
        }

        func records(_ table: Table) throws -> String? {
            try warehouse.loadTable(table.identifier).metadata.currentSnapshot?.summary["total-records"]
        }
    }

    @Test func bothTablesMoveTogether() throws {
        let pair = try Pair()
        let results = try pair.warehouse.commit(jointly: pair.parts(position: 7, from: 0))
        #expect(results.map(\.table.identifier) == [pair.left.identifier, pair.right.identifier])
        for (table, result) in zip([pair.left, pair.right], results) {
            #expect(try pair.records(table) == "1")
            #expect(try pair.warehouse.logPosition(table.metadata.tableUUID) == 7)
            #expect(result.snapshotId == result.table.metadata.currentSnapshotId)
        }
        #expect(try pair.warehouse.ledger.entries() == [])
        #expect(try pair.warehouse.findOrphans() == [])
    }

    @Test func whatOneTableRefusesHappensToNone() throws {
        let pair = try Pair()
        _ = try pair.warehouse.commit(jointly: pair.parts(position: 7, from: 0))
        let parts = try pair.parts(position: 9, from: 7)
        let uuid = pair.right.metadata.tableUUID
        _ = try pair.warehouse.committer(for: pair.right.identifier).append(
            [], ingest: IngestMark(expectedPosition: 7, position: 8))
        #expect(
            fails(.fenced, "log_position_mismatch") { _ = try pair.warehouse.commit(jointly: parts) })
        #expect(try pair.records(pair.left) == "1" && pair.records(pair.right) == "1")
        #expect(try pair.warehouse.logPosition(pair.left.metadata.tableUUID) == 7)
        #expect(try pair.warehouse.logPosition(uuid) == 8)
    }

    @Test func aForeignCommitToOneTableIsRebasedOn() throws {
        let pair = try Pair()
        let parts = try pair.parts(position: 7, from: 0)
        let other = try pair.scratch.another()
        var raced = false
        // Between preparing and swapping, somebody else commits to the second table.
        let racing = JointPart(
            participant: JointCommit.Participant(
                committer: parts[1].participant.committer,
                change: TableChange(
                    prepare: { base, context in
                        let prepared = try parts[1].participant.change.prepare(base, context)
                        if !raced {
                            raced = true
                            _ = try other.committer(for: pair.right.identifier).append(
                                try other.writeDataFiles(1, of: pair.right), ingest: nil)
                        }
                        return prepared
                    }, added: parts[1].participant.change.added, mark: parts[1].participant.change.mark)))
        let results = try pair.warehouse.commit(jointly: [parts[0], racing])
        #expect(results.allSatisfy { $0.attempts == 2 })
        #expect(try pair.records(pair.left) == "1" && pair.records(pair.right) == "2")
        #expect(try pair.warehouse.ledger.entries() == [])
        #expect(try pair.warehouse.findOrphans() == [])
    }

    /// Whether the COMMIT failed before or after it took effect, both tables agree, and nothing is left behind.
    @Test(arguments: [true, false]) func anUnclearCommitIsOneForAllTables(_ tookEffect: Bool) throws {
        let pair = try Pair()
        let parts = try pair.parts(position: 7, from: 0)
        let failures = Counter()
        pair.warehouse.core.database.setCommitHook { point in
            let here: Bool = if case .after = point { tookEffect } else { !tookEffect }
            // The ledger's own writes come first: only the transaction that moves pointers is to fail.
            guard here, failures.next() == 4 else { return }
            throw FirnError(.io, "made_up", "the disk went away")
        }
        let outcome = Result { try pair.warehouse.commit(jointly: parts) }
        pair.warehouse.core.database.setCommitHook(nil)
        let positions = try [pair.left, pair.right].map { try pair.warehouse.logPosition($0.metadata.tableUUID) }
        #expect(positions[0] == positions[1])
        switch outcome {
        case .success: #expect(positions[0] == 7)
        case .failure:
            #expect(positions[0] == 0)
            try pair.warehouse.ledger.abandon(parts.flatMap { $0.participant.change.added })
        }
        #expect(try pair.records(pair.left) == pair.records(pair.right))
        #expect(try pair.warehouse.ledger.entries() == [])
        #expect(try pair.warehouse.findOrphans() == [])
    }

    @Test func rowsMoveFromTableToTable() throws {
        let pair = try Pair()
        _ = try pair.warehouse.commit(jointly: pair.parts(position: 7, from: 0))
        let snapshot = try #require(
            try pair.warehouse.loadTable(pair.left.identifier).metadata.currentSnapshotId)
        let removed = try pair.warehouse.livePaths(pair.left.identifier)
        func move() throws {
            let added = try pair.warehouse.writeDataFiles(1, of: pair.right)
            do {
                _ = try pair.warehouse.commit(jointly: [
                    try pair.warehouse.committer(for: pair.left.identifier).overwriting(
                        removed: removed, added: [], basedOn: snapshot),
                    try pair.warehouse.committer(for: pair.right.identifier).appending(added, ingest: nil),
                ])
            } catch {
                try pair.warehouse.ledger.abandon(added.map(\.path))
                throw error
            }
        }
        try move()
        #expect(try pair.records(pair.left) == "0" && pair.records(pair.right) == "2")
        // The file is gone: the same rows cannot move again.
        #expect(fails(.conflict, "file_not_live") { try move() })
        #expect(try pair.records(pair.right) == "2")
        #expect(try pair.warehouse.findOrphans() == [])
    }
}
