import Base
import Catalog
import Columnar
import Iceberg
import Storage
import Testing

@Suite struct CommitTests {
    @Test func appendMovesPointerPositionAndMarksTogether() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let uuid = table.metadata.tableUUID
        let files = try warehouse.writeDataFiles(2, of: table)
        let mark = IngestMark(
            expectedPosition: 0, position: 17,
            producers: [
                ProducerMark(producer: "p1", epoch: 1, sequence: 5, position: 16, accepted: 2, answer: [7, 8]),
                ProducerMark(producer: "p\"2", epoch: 0, sequence: 0, position: 17, accepted: 0, answer: []),
            ],
            keys: [IdempotencyMark(key: "k1", position: 17, answer: [9], createdMs: 1000)])
        let result = try warehouse.committer(for: table.identifier).append(
            files, ingest: mark, summary: ["x": "y", "firn.log-position": "999"])
        #expect(result.attempts == 1)
        #expect(try Set(warehouse.livePaths(table.identifier)) == Set(files.map(\.path)))
        #expect(try warehouse.logPosition(uuid) == 17)
        #expect(try warehouse.producers(uuid) == mark.producers.sorted { $0.producer < $1.producer })
        #expect(try warehouse.idempotencyKeys(uuid) == mark.keys)
        #expect(try warehouse.ledger.entries() == [])
        let summary = try #require(result.table.metadata.currentSnapshot).summary
        #expect(summary["firn.log-position"] == "17")
        #expect(
            summary["firn.producers"]
                == #"{"p1":{"epoch":1,"sequence":5,"position":16},"p\"2":{"epoch":0,"sequence":0,"position":17}}"#)
        #expect(summary["engine-name"] == "firn")
        #expect(summary["engine-version"] == FirnVersion.current)
        #expect(summary["x"] == "y")
        #expect(summary["operation"] == "append")
        #expect(summary["total-records"] == "2")
        #expect(result.snapshotId == result.table.metadata.currentSnapshotId)
        #expect(try warehouse.findOrphans() == [])
    }

    @Test func aWrongPositionIsFencedAndLeavesNothing() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let committer = try warehouse.committer(for: table.identifier)
        _ = try committer.append(
            try warehouse.writeDataFiles(1, of: table), ingest: IngestMark(expectedPosition: 0, position: 5))
        let before = try scratch.filesOnDisk()
        let files = try warehouse.writeDataFiles(1, of: table)
        for wrong in [0, 4, 6] as [UInt64] {
            #expect(
                fails(.fenced, "log_position_mismatch") {
                    _ = try committer.append(files, ingest: IngestMark(expectedPosition: wrong, position: 9))
                })
            #expect(
                fails(.fenced, "log_position_mismatch") {
                    _ = try committer.append([], ingest: IngestMark(expectedPosition: wrong, position: 9))
                })
        }
        #expect(try warehouse.logPosition(table.metadata.tableUUID) == 5)
        #expect(try scratch.filesOnDisk() == before.union(files.map(\.path)))
        try warehouse.ledger.abandon(files.map(\.path))
        #expect(try scratch.filesOnDisk() == before)
        #expect(try warehouse.ledger.entries() == [])
    }

    @Test func twoProcessesWithOneLogCannotBothCommit() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let zombie = try scratch.another()
        let id = table.identifier
        let late = try zombie.writeDataFiles(1, of: table)
        let zombieCommitter = try zombie.committer(for: id)
        _ = try scratch.warehouse.committer(for: id).append(
            try scratch.warehouse.writeDataFiles(1, of: table), ingest: IngestMark(expectedPosition: 0, position: 3))
        #expect(
            fails(.fenced, "log_position_mismatch") {
                _ = try zombieCommitter.append(late, ingest: IngestMark(expectedPosition: 0, position: 3))
            })
        #expect(try scratch.warehouse.livePaths(id).count == 1)
    }

    @Test func producersNeverGoBack() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let committer = try warehouse.committer(for: table.identifier)
        var position: UInt64 = 0
        func mark(_ epoch: Int64, _ sequence: Int64) -> IngestMark {
            IngestMark(
                expectedPosition: position, position: position + 1,
                producers: [
                    ProducerMark(
                        producer: "p", epoch: epoch, sequence: sequence, position: position + 1, accepted: 1, answer: []
                    )
                ])
        }
        for (epoch, sequence) in [(1, 10), (1, 12), (2, 0)] as [(Int64, Int64)] {
            _ = try committer.append([], ingest: mark(epoch, sequence))
            position += 1
        }
        for (epoch, sequence) in [(1, 99), (2, -1)] as [(Int64, Int64)] {
            #expect(fails(.fenced, "producer_rewound") { _ = try committer.append([], ingest: mark(epoch, sequence)) })
        }
        let stored = try warehouse.producers(table.metadata.tableUUID)
        #expect(stored.map { [$0.epoch, $0.sequence] } == [[2, 0]])
        #expect(try warehouse.logPosition(table.metadata.tableUUID) == 3)
    }

    @Test func marksAloneMakeNoSnapshot() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let result = try warehouse.committer(for: table.identifier).append(
            [], ingest: IngestMark(expectedPosition: 0, position: 8))
        #expect(result.snapshotId == nil)
        #expect(result.table.metadataLocation == table.metadataLocation)
        #expect(try warehouse.logPosition(table.metadata.tableUUID) == 8)
        #expect(try scratch.filesOnDisk() == [table.metadataLocation])
    }

    @Test func aFileGoesLiveOnce() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let committer = try warehouse.committer(for: table.identifier)
        let files = try warehouse.writeDataFiles(2, of: table)
        _ = try committer.append(files, ingest: nil)
        let before = try scratch.filesOnDisk()
        #expect(fails(.internal, "file_not_pending") { _ = try committer.append([files[0]], ingest: nil) })
        let unrecorded = DataFile(path: table.metadata.dataFolder + "/x.parquet", recordCount: 1, fileBytes: 1)
        #expect(fails(.internal, "file_not_pending") { _ = try committer.append([unrecorded], ingest: nil) })
        // A file of another process is not ours to commit.
        let theirs = try scratch.another().writeDataFiles(1, of: table)
        #expect(fails(.internal, "file_not_pending") { _ = try committer.append(theirs, ingest: nil) })
        #expect(try warehouse.livePaths(table.identifier).sorted() == files.map(\.path).sorted())
        // Abandoning a committed file does nothing.
        try warehouse.ledger.abandon(files.map(\.path))
        #expect(try scratch.filesOnDisk() == before.union(theirs.map(\.path)))
    }

    @Test func replaceCarriesTheMarksForward() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let committer = try warehouse.committer(for: table.identifier)
        let old = try warehouse.writeDataFiles(3, of: table)
        let producer = ProducerMark(producer: "p", epoch: 1, sequence: 2, position: 3, accepted: 3, answer: [])
        let first = try committer.append(
            old, ingest: IngestMark(expectedPosition: 0, position: 3, producers: [producer]))
        // A later flush without that producer.
        let second = try committer.append(
            try warehouse.writeDataFiles(1, of: table), ingest: IngestMark(expectedPosition: 3, position: 4))
        var merged = try warehouse.writeDataFiles(1, of: table)
        merged[0].recordCount = 3
        let result = try committer.replace(
            removed: old.map(\.path), added: merged, basedOn: try #require(first.snapshotId))
        let summary = try #require(result.table.metadata.currentSnapshot).summary
        #expect(summary["operation"] == "replace")
        #expect(summary["firn.log-position"] == "4")
        #expect(summary["firn.producers"] == first.table.metadata.currentSnapshot?.summary["firn.producers"])
        #expect(summary["total-records"] == "4")
        #expect(try warehouse.livePaths(table.identifier).count == 2)
        // The outputs are as old as what was read, so that deletes since then still apply.
        let entries = try Manifests.liveEntries(
            of: try #require(result.table.metadata.currentSnapshot), metadata: result.table.metadata,
            store: warehouse.store)
        #expect(entries.first { $0.dataFile.path == merged[0].path }?.sequenceNumber == 1)

        #expect(
            fails(.conflict, "file_not_live") {
                _ = try committer.replace(
                    removed: [old[0].path], added: [], basedOn: try #require(second.snapshotId))
            })
        #expect(
            fails(.conflict, "history_changed") {
                _ = try committer.replace(removed: [merged[0].path], added: [], basedOn: 12345)
            })
        #expect(try warehouse.findOrphans() == [])
    }

    @Test func replaceAfterARollbackIsRefused() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let committer = try warehouse.committer(for: table.identifier)
        let files = try warehouse.writeDataFiles(1, of: table)
        let first = try committer.append(files, ingest: nil)
        let second = try committer.append(try warehouse.writeDataFiles(1, of: table), ingest: nil)
        _ = try committer.rollback(to: try #require(first.snapshotId))
        #expect(try warehouse.livePaths(table.identifier) == files.map(\.path))
        #expect(
            fails(.conflict, "history_changed") {
                _ = try committer.replace(
                    removed: [files[0].path], added: [], basedOn: try #require(second.snapshotId))
            })
        #expect(fails(.invalidInput) { _ = try committer.rollback(to: 4711) })
    }

    @Test func expiryTurnsFilesIntoGarbageAndCollectionDeletesThem() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let committer = try warehouse.committer(for: table.identifier)
        let old = try warehouse.writeDataFiles(2, of: table)
        let first = try committer.append(old, ingest: IngestMark(expectedPosition: 0, position: 1))
        var merged = try warehouse.writeDataFiles(1, of: table)
        merged[0].recordCount = 2
        _ = try committer.replace(removed: old.map(\.path), added: merged, basedOn: try #require(first.snapshotId))
        #expect(try committer.expire(.init()).expired == 0)
        #expect(
            fails(.invalidInput, "snapshot_referenced") {
                let head = try committer.table().metadata.currentSnapshotId
                _ = try committer.expire(.init(snapshotIds: [try #require(head)]))
            })
        let before = try scratch.filesOnDisk()
        #expect(try committer.expire(.init(olderThanMs: .max, retainLast: 1)).expired == 1)
        // Nothing is deleted by the commit itself.
        #expect(try scratch.filesOnDisk().isSuperset(of: before))
        let garbage = try warehouse.ledger.entries(.garbage).map(\.path)
        #expect(Set(old.map(\.path)).isSubset(of: garbage))
        #expect(try warehouse.ledger.collectable().map(\.path) == garbage)
        #expect(try warehouse.collectGarbage().deleted == garbage.count)
        #expect(try scratch.filesOnDisk() == scratch.liveFiles())
        #expect(try warehouse.ledger.entries() == [])
        #expect(try committer.table().metadata.currentSnapshot?.summary["firn.log-position"] == "1")
        _ = try committer.setProperties(["gc.enabled": "false"])
        #expect(fails(.conflict) { _ = try committer.expire(.init(olderThanMs: .max)) })
    }

    @Test func oldMetadataFilesGoAsCommitsGoOn() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable(properties: ["write.metadata.previous-versions-max": "3"])
        let committer = try warehouse.committer(for: table.identifier)
        for number in 0..<40 { _ = try committer.setProperties(["n": String(number)]) }
        // Current, three old, and a batch that is not full yet.
        #expect(try scratch.filesOnDisk().count < 4 + 16)
        #expect(try warehouse.findOrphans() == [])
        try warehouse.collectGarbage()
        #expect(try scratch.filesOnDisk().count == 4)
        #expect(try scratch.filesOnDisk() == scratch.liveFiles())
    }

    @Test func timesRise() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let committer = try scratch.warehouse.committer(for: table.identifier)
        var last = table.metadata.lastUpdatedMs
        for number in 0..<5 {
            let next = try committer.setProperties(["n": String(number)]).table.metadata.lastUpdatedMs
            #expect(next > last)
            last = next
        }
    }
}
