import Base
import Glibc
import Iceberg
import SQLiteKit
import Storage
import Testing

@testable import Catalog

@Suite struct CrashTests {
    /// Fails the n-th put for every n, once as an error that the process survives and once as its death.
    @Test(arguments: [false, true]) func everyPutFailsOnce(_ dies: Bool) throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let id = table.identifier
        var position: UInt64 = 0
        var failures = 0
        for failing in 0..<8 {
            let puts = Counter()
            // A dead process deletes nothing either.
            scratch.store.setHook { call, _ in
                if call == .put, puts.next() == failing { throw simulatedCrash }
                if dies, call == .delete { throw simulatedCrash }
            }
            do {
                let files = try scratch.warehouse.writeDataFiles(2, of: table)
                let mark = IngestMark(expectedPosition: position, position: position + 1)
                _ = try scratch.warehouse.committer(for: id).append(files, ingest: mark)
                position += 1
            } catch let error as FirnError {
                #expect(error.code == "crash")
                failures += 1
            }
            if dies {
                try scratch.restart()
            } else {
                scratch.store.setHook(nil)
                try scratch.warehouse.ledger.abandon(scratch.warehouse.ledger.entries(.pending).map(\.path))
            }
            try scratch.warehouse.recover()
            #expect(try scratch.warehouse.ledger.entries(.pending) == [])
            #expect(try scratch.filesOnDisk() == scratch.liveFiles())
            #expect(try scratch.warehouse.logPosition(table.metadata.tableUUID) == position)
            #expect(try scratch.warehouse.livePaths(id).count == Int(position) * 2)
        }
        // Two data files, a manifest, a manifest list, a metadata file: five puts a commit.
        #expect(failures == 5)
        #expect(position == 3)
    }

    @Test func everyPutOfACreationFailsOnce() throws {
        let scratch = try ScratchWarehouse()
        scratch.store.setHook { call, _ in if call == .put { throw simulatedCrash } }
        #expect(fails(.io, "crash") { _ = try scratch.makeTable() })
        #expect(try scratch.warehouse.listTables() == [])
        #expect(try scratch.warehouse.ledger.entries() == [])
        scratch.store.setHook(nil)
        _ = try scratch.makeTable()
    }

    @Test func filesOfALivingProcessAreLeftAlone() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let files = try scratch.warehouse.writeDataFiles(2, of: table)
        let other = try scratch.another()
        #expect(try other.ledger.collectable() == [])
        #expect(try other.collectGarbage() == CollectionReport())
        #expect(try other.findOrphans() == [])
        #expect(try other.ledger.entries().count == 2)
        _ = try scratch.warehouse.committer(for: table.identifier).append(files, ingest: nil)
        #expect(try other.livePaths(table.identifier).count == 2)
    }

    @Test func recoveryOfADeadProcess() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        do {
            let dead = try scratch.another()
            _ = try dead.writeDataFiles(600, of: table)
            // Recorded, never written.
            try dead.ledger.record([table.metadata.dataFolder + "/never"], table: table.metadata.tableUUID)
        }
        let collectable = try scratch.warehouse.ledger.collectable()
        #expect(collectable.count == 601)
        #expect(collectable.allSatisfy { $0.state == .pending && $0.tableUUID == table.metadata.tableUUID.description })
        let report = try scratch.warehouse.recover()
        #expect(report.deleted == 601 && report.failed == 0 && report.recoveredOwners == 1)
        #expect(try scratch.filesOnDisk() == [table.metadataLocation])
        #expect(try scratch.warehouse.ledger.entries() == [])
        // Our own lock is the only one left.
        #expect(try PosixFileSystem().list(scratch.path + "/wal/owners").count == 1)
        #expect(try scratch.warehouse.recover() == CollectionReport())
    }

    @Test func aFileThatCannotBeDeletedIsKeptOnRecord() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        var stubborn = ""
        do {
            let dead = try scratch.another()
            stubborn = try dead.writeDataFiles(3, of: table)[1].path
        }
        scratch.store.setHook { [stubborn] call, location in
            if call == .delete, location == stubborn { throw simulatedCrash }
        }
        let report = try scratch.warehouse.collectGarbage()
        #expect(report.deleted == 2 && report.failed == 1 && report.recoveredOwners == 0)
        #expect(try scratch.warehouse.ledger.entries().map(\.path) == [stubborn])
        scratch.store.setHook(nil)
        let second = try scratch.warehouse.collectGarbage()
        #expect(second.deleted == 1 && second.failed == 0 && second.recoveredOwners == 1)
        #expect(try scratch.filesOnDisk() == [table.metadataLocation])
    }

    @Test func strayLocksGo() throws {
        let scratch = try ScratchWarehouse()
        let files = PosixFileSystem()
        try files.createDirectories(scratch.path + "/wal/owners")
        try files.writeAll([], to: scratch.path + "/wal/owners/stray.lock")
        try scratch.warehouse.recover()
        #expect(try files.list(scratch.path + "/wal/owners") == [])
    }

    @Test func orphansAreFoundAndNotDeleted() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let orphan = table.metadata.dataFolder + "/foreign.parquet"
        try scratch.warehouse.store.put(orphan, [1])
        #expect(try scratch.warehouse.findOrphans() == [orphan])
        try scratch.warehouse.collectGarbage()
        #expect(try scratch.warehouse.findOrphans() == [orphan])
    }

    @Test func aPathIsRecordedOnce() throws {
        let scratch = try ScratchWarehouse()
        let uuid = Environment.live.uuid()
        try scratch.warehouse.ledger.record(["/a/x", "/a/y"], table: uuid)
        #expect(
            fails(.alreadyExists, "path_recorded") {
                try scratch.warehouse.ledger.record(["/a/z", "/a/y"], table: uuid)
            })
        #expect(try scratch.warehouse.ledger.entries().map(\.path) == ["/a/x", "/a/y"])
        try scratch.warehouse.ledger.discard(["/a/x", "/a/y"])
        #expect(try scratch.warehouse.ledger.entries() == [])
    }
}

/// COMMIT fails, and it is not clear what happened.
@Suite struct OutcomeTests {
    enum Fate: CaseIterable { case happened, didNot }

    /// Makes the next COMMIT that moves a pointer fail: before it took effect or after.
    private func breakNextCommit(_ scratch: ScratchWarehouse, _ fate: Fate, times: Int = 1) {
        let transactions = Counter()
        scratch.warehouse.core.database.setCommitHook { point in
            guard point == (fate == .happened ? .after : .before) else { return }
            // The first transaction records the attempt's files.
            let number = transactions.next()
            if number >= 1, number < 1 + times { throw FirnError(.io, "sqlite_io", "disk I/O error") }
        }
    }

    @Test(arguments: Fate.allCases) func anUnclearCommitIsSettledAtOnce(_ fate: Fate) throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let committer = try warehouse.committer(for: table.identifier)
        let files = try warehouse.writeDataFiles(1, of: table)
        let mark = IngestMark(expectedPosition: 0, position: 3)
        breakNextCommit(scratch, fate)
        switch fate {
        case .happened:
            let result = try committer.append(files, ingest: mark)
            #expect(result.table.metadataLocation == (try warehouse.loadTable(table.identifier).metadataLocation))
        case .didNot:
            #expect(fails(.io, "commit_failed") { _ = try committer.append(files, ingest: mark) })
            #expect(try warehouse.logPosition(table.metadata.tableUUID) == 0)
            #expect(try warehouse.ledger.entries().map(\.path) == files.map(\.path))
            _ = try committer.append(files, ingest: mark)
        }
        warehouse.core.database.setCommitHook(nil)
        #expect(try committer.settle() == .nothingOpen)
        #expect(try warehouse.livePaths(table.identifier) == files.map(\.path))
        #expect(try warehouse.logPosition(table.metadata.tableUUID) == 3)
        #expect(try scratch.filesOnDisk() == scratch.liveFiles())
        #expect(try warehouse.ledger.entries() == [])
    }

    /// The catalog stays broken for a while: nothing may be deleted until it can tell.
    @Test(arguments: Fate.allCases) func nothingIsDeletedWhileUnclear(_ fate: Fate) throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let committer = try warehouse.committer(for: table.identifier)
        let files = try warehouse.writeDataFiles(1, of: table)
        let mark = IngestMark(expectedPosition: 0, position: 3)
        breakNextCommit(scratch, fate, times: .max - 1)
        #expect(fails(.outcomeUnknown) { _ = try committer.append(files, ingest: mark) })
        #expect(fails(.outcomeUnknown) { _ = try committer.append(files, ingest: mark) })
        #expect(fails(.outcomeUnknown) { _ = try committer.settle() })
        #expect(try scratch.filesOnDisk().count == 5)
        warehouse.core.database.setCommitHook(nil)
        // What an ingester does: retry the very same commit.
        switch fate {
        case .happened:
            #expect(
                fails(.fenced, "log_position_mismatch") { _ = try committer.append(files, ingest: mark) })
        case .didNot:
            _ = try committer.append(files, ingest: mark)
        }
        #expect(try warehouse.livePaths(table.identifier) == files.map(\.path))
        #expect(try warehouse.logPosition(table.metadata.tableUUID) == 3)
        #expect(try scratch.filesOnDisk() == scratch.liveFiles())
        #expect(try warehouse.ledger.entries() == [])
    }

    @Test(arguments: Fate.allCases) func settleTells(_ fate: Fate) throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable(properties: ["commit.status-check.num-retries": "0"])
        let committer = try scratch.warehouse.committer(for: table.identifier)
        let files = try scratch.warehouse.writeDataFiles(1, of: table)
        breakNextCommit(scratch, fate, times: 2)
        #expect(fails(.outcomeUnknown) { _ = try committer.append(files, ingest: nil) })
        scratch.warehouse.core.database.setCommitHook(nil)
        #expect(try committer.settle() == (fate == .happened ? .committed : .notCommitted))
    }

    /// A catalog that is unclear for a moment is asked again, as often as `commit.status-check.num-retries` says.
    @Test(arguments: Fate.allCases) func statusIsCheckedAgain(_ fate: Fate) throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let committer = try scratch.warehouse.committer(for: table.identifier)
        let files = try scratch.warehouse.writeDataFiles(1, of: table)
        // The commit and all looks but the last of the four.
        breakNextCommit(scratch, fate, times: 4)
        switch fate {
        case .happened: _ = try committer.append(files, ingest: nil)
        case .didNot: #expect(fails(.io, "commit_failed") { _ = try committer.append(files, ingest: nil) })
        }
        #expect(try scratch.warehouse.livePaths(table.identifier).count == (fate == .happened ? 1 : 0))
    }

    /// The process dies while it does not know. A new one must agree with what the catalog holds.
    @Test(arguments: Fate.allCases) func recoveryAfterAnUnclearCommit(_ fate: Fate) throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let files = try scratch.warehouse.writeDataFiles(1, of: table)
        breakNextCommit(scratch, fate, times: .max - 1)
        #expect(
            fails(.outcomeUnknown) {
                _ = try scratch.warehouse.committer(for: table.identifier).append(files, ingest: nil)
            })
        try scratch.restart()
        try scratch.warehouse.recover()
        #expect(try scratch.warehouse.livePaths(table.identifier).count == (fate == .happened ? 1 : 0))
        #expect(try scratch.filesOnDisk() == scratch.liveFiles())
        #expect(try scratch.warehouse.ledger.entries() == [])
    }

    @Test(arguments: Fate.allCases) func marksAlone(_ fate: Fate) throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let committer = try scratch.warehouse.committer(for: table.identifier)
        let commits = Counter()
        scratch.warehouse.core.database.setCommitHook { point in
            guard point == (fate == .happened ? .after : .before), commits.next() == 0 else { return }
            throw simulatedCrash
        }
        let mark = IngestMark(expectedPosition: 0, position: 3)
        switch fate {
        case .happened: _ = try committer.append([], ingest: mark)
        case .didNot: #expect(fails(.io, "commit_failed") { _ = try committer.append([], ingest: mark) })
        }
        #expect(try scratch.warehouse.logPosition(table.metadata.tableUUID) == (fate == .happened ? 3 : 0))
    }
}
