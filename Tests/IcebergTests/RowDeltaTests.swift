import Base
import Columnar
import Testing

@testable import Iceberg

@Suite struct RowDeltaTests {
    @Test func deletesGetManifestsOfTheirOwn() throws {
        let table = try TestTable()
        let (a, b) = (table.file("a"), table.file("b"))
        try table.append([a, b])
        let commit = try table.rowDelta(
            add: [table.file("c", records: 3)], deletes: [table.deletes("d", of: a, records: 2)])
        let summary = table.lastSummary
        #expect(summary["operation"] == "overwrite")
        #expect(summary["added-delete-files"] == "1" && summary["added-position-delete-files"] == "1")
        #expect(summary["added-position-deletes"] == "2" && summary["total-position-deletes"] == "2")
        #expect(summary["total-delete-files"] == "1" && summary["total-data-files"] == "3")
        #expect(summary["added-dvs"] == nil && summary["total-records"] == "23")
        let manifests = try table.manifests()
        #expect(manifests.map(\.content) == [.data, .data, .deletes])
        #expect(manifests[2].sequenceNumber == 2 && manifests[2].addedRowsCount == 2)
        #expect(try table.deleteNames() == ["d"])
        #expect(
            commit.requirements.contains(.assertRefSnapshotId(ref: "main", snapshotId: table.snapshots[0].snapshotId)))
        try table.rowDelta(deletes: [table.equalityDeletes("e", records: 4)])
        #expect(table.lastSummary["operation"] == "delete")
        #expect(
            table.lastSummary["added-equality-delete-files"] == "1"
                && table.lastSummary["total-equality-deletes"] == "4")
        try table.rowDelta(add: [table.file("f")])
        #expect(table.lastSummary["operation"] == "append")
        #expect(try table.deleteNames() == ["d", "e"])
    }

    @Test func deleteFilesGoWithTheirDataFiles() throws {
        let table = try TestTable()
        let (a, b) = (table.file("a"), table.file("b"))
        try table.append([a])
        try table.append([b])
        try table.rowDelta(deletes: [table.deletes("of-a", of: a), table.deletes("both"), table.equalityDeletes("eq")])
        try table.run {
            try SnapshotProducer.delete(base: $0, baseLocation: $1, files: [a.path], context: $2, store: $3)
        }
        // What names `a` alone went; what may concern `b` stays.
        #expect(try table.deleteNames() == ["both", "eq"])
        #expect(table.lastSummary["operation"] == "delete")
        #expect(
            table.lastSummary["removed-delete-files"] == "1" && table.lastSummary["removed-position-deletes"] == "1")
        try table.append([table.file("c")])
        try table.run {
            try SnapshotProducer.delete(base: $0, baseLocation: $1, files: [b.path], context: $2, store: $3)
        }
        // Every data file left is newer than the deletes.
        #expect(try table.deleteNames().isEmpty)
        #expect(table.lastSummary["total-delete-files"] == "0" && table.lastSummary["total-equality-deletes"] == "0")
        #expect(table.lastSummary["removed-equality-delete-files"] == "1")
    }

    /// A compaction that started before an equality delete keeps it, although every input is gone.
    @Test func compactedFilesKeepTheDeletesThatCameMeanwhile() throws {
        let table = try TestTable()
        let (a, b) = (table.file("a"), table.file("b"))
        try table.append([a])
        try table.append([b])
        let started = table.metadata.lastSequenceNumber
        try table.rowDelta(deletes: [table.equalityDeletes("eq")])
        try table.append([table.file("later")])
        try table.put(try table.replace([a, b], by: [table.file("ab", records: 20)], sequenceNumber: started))
        #expect(try table.deleteNames() == ["eq"])
        let entries = try table.live()
        let (ab, eq) = (try table.data()["ab"]!, entries.last!)
        #expect(DeleteFiles.applies(eq, to: ab, table.metadata))
        #expect(!DeleteFiles.applies(eq, to: try table.data()["later"]!, table.metadata))
    }

    @Test func deleteFilesCanBeReplaced() throws {
        let table = try TestTable()
        let a = table.file("a")
        try table.append([a])
        try table.rowDelta(deletes: [table.deletes("d1", of: a)])
        try table.rowDelta(deletes: [table.deletes("d2", of: a)])
        let old = try table.live().filter { $0.dataFile.content != .data }
        try table.rowDelta(deletes: [table.deletes("d12", of: a, records: 2)], removeDeletes: old)
        #expect(try table.deleteNames() == ["d12"])
        #expect(table.lastSummary["removed-position-delete-files"] == "2")
        #expect(table.lastSummary["total-position-deletes"] == "2")
        #expect(code { try table.rowDelta(removeDeletes: old) } == "delete_file_not_live")
        #expect(code { try table.rowDelta() } == "empty_commit")
        #expect(
            code { try table.rowDelta(deletes: [table.deletes("d3", of: a)], remove: [a]) }
                == "deletes_for_removed_file")
    }

    @Test func deleteManifestsMerge() throws {
        let table = try TestTable(properties: ["commit.manifest.min-count-to-merge": "3"])
        let a = table.file("a")
        try table.append([a])
        for name in ["d1", "d2", "d3"] { try table.rowDelta(deletes: [table.deletes(name, of: a)]) }
        let manifests = try table.manifests()
        #expect(manifests.map(\.content) == [.data, .deletes])
        #expect(manifests[1].addedFilesCount == 1 && manifests[1].existingFilesCount == 2)
        #expect(manifests[1].minSequenceNumber == 2)
        #expect(try table.live().suffix(3).map(\.sequenceNumber) == [4, 3, 2])
    }

    @Test func deletesFitTheVersion() throws {
        let table = try TestTable()
        let a = table.file("a")
        try table.append([a])
        #expect(code { try table.rowDelta(deletes: [table.vector("v", of: a)]) } == "bad_delete_file")
        #expect(code { try table.rowDelta(deletes: [a]) } == "bad_delete_file")
        var keyless = table.equalityDeletes("e")
        keyless.equalityIds = []
        #expect(code { try table.rowDelta(deletes: [keyless]) } == "bad_delete_file")
        let twice = table.deletes("d", of: a)
        #expect(code { try table.rowDelta(deletes: [twice, twice]) } == "duplicate_delete_file")
        try table.upgrade(3)
        #expect(code { try table.rowDelta(deletes: [twice]) } == "bad_delete_file")
        var unplaced = table.vector("v", of: a)
        unplaced.contentOffset = nil
        #expect(code { try table.rowDelta(deletes: [unplaced]) } == "bad_delete_file")
    }

    @Test func deletionVectors() throws {
        let table = try TestTable.version3()
        let (a, b) = (table.file("a"), table.file("b"))
        try table.append([a, b])
        // Two vectors of one Puffin file.
        try table.rowDelta(deletes: [table.vector("v", of: a, records: 2), table.vector("v", of: b, offset: 60)])
        #expect(table.lastSummary["added-dvs"] == "2" && table.lastSummary["added-position-deletes"] == "3")
        #expect(table.lastSummary["added-position-delete-files"] == nil)
        #expect(table.lastSummary["added-files-size"] == "80")
        let old = try table.live().filter { $0.dataFile.referencedDataFile == a.path }
        #expect(old.map(\.dataFile.contentOffset) == [4] && old.map(\.dataFile.contentBytes) == [40])
        let clash = table.vector("w", of: a, records: 3)
        #expect(code { try table.rowDelta(deletes: [clash]) } == "deletion_vector_exists")
        #expect(code { try table.rowDelta(deletes: [clash, table.vector("x", of: a)]) } == "duplicate_delete_file")
        try table.rowDelta(deletes: [clash], removeDeletes: old)
        #expect(table.lastSummary["removed-dvs"] == "1" && table.lastSummary["total-delete-files"] == "2")
        #expect(try table.deleteNames() == ["v", "w"])
        // The vector of a file goes with it, that of its neighbour in the same Puffin file stays.
        try table.put(try table.replace([a], by: [table.file("a2", records: 7)], sequenceNumber: 2 + 1))
        #expect(try table.deleteNames() == ["v"])
        #expect(try table.live().last?.dataFile.referencedDataFile == b.path)
    }
}
