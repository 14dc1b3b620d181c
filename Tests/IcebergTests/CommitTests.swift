import Base
import Columnar
import Storage
import Testing

@testable import Iceberg

@Suite struct CommitTests {
    @Test func appendCountsAndNames() throws {
        let table = try TestTable()
        #expect(table.location.hasPrefix("file:///w/t/metadata/00000-") && table.location.hasSuffix(".metadata.json"))
        let first = try table.append([table.file("a", records: 10), table.file("b", records: 5)])
        let commit = try table.append([table.file("c", records: 1)])
        let summary = try #require(commit.snapshot).summary
        #expect(
            summary == [
                "operation": "append", "added-data-files": "1", "added-records": "1", "added-files-size": "100",
                "changed-partition-count": "1", "total-data-files": "3", "total-delete-files": "0",
                "total-records": "16", "total-files-size": "1600", "total-position-deletes": "0",
                "total-equality-deletes": "0", "manifests-created": "1", "manifests-kept": "1",
                "manifests-replaced": "0",
            ])
        let id = commit.snapshot!.snapshotId
        #expect(commit.objects.count == 3)
        #expect(commit.objects[0].location.hasSuffix("-m0.avro"))
        #expect(commit.objects[1].location.contains("/metadata/snap-\(id)-1-"))
        #expect(commit.objects[2].location == commit.metadataLocation)
        #expect(commit.metadataLocation.contains("/metadata/00002-"))
        #expect(commit.snapshot?.parentSnapshotId == first.snapshot?.snapshotId)
        #expect(commit.snapshot?.sequenceNumber == 2 && commit.metadata.lastSequenceNumber == 2)
        #expect(commit.metadata.currentSnapshotId == id && commit.metadata.refs["main"]?.snapshotId == id)
        #expect(commit.metadata.snapshotLog.map(\.snapshotId) == [first.snapshot!.snapshotId, id])
        #expect(commit.metadata.snapshotLog.last?.timestampMs == commit.metadata.lastUpdatedMs)
        #expect(commit.metadata.metadataLog.count == 2)
        #expect(commit.metadata.metadataLog.last?.timestampMs == first.metadata.lastUpdatedMs)
        #expect(try table.names() == ["a", "b", "c"])
        #expect(try table.live().map(\.sequenceNumber) == [2, 1, 1])
        #expect(try table.manifests().map(\.minSequenceNumber) == [2, 1])
    }

    /// The text of a metadata file is written without building its tree; both must say the same.
    @Test func metadataTextIsItsTree() throws {
        let table = try TestTable()
        try table.append([table.file("a")])
        try table.append([table.file("b\"\u{1}é")])
        var metadata = table.metadata
        metadata.snapshots[0].preserved = [.init("key-id", "k"), .init("odd", [1, nil])]
        metadata.snapshots[0].schemaId = nil
        metadata.snapshots[1].summary["quoted \"key\""] = "line\nbreak"
        metadata.preserved = [.init("statistics", [["snapshot-id": 1]])]
        #expect(try metadata.serialize() == metadata.json.serialize())
        #expect(try TableMetadata.parse(metadata.serialize(), source: "test") == metadata)
    }

    @Test func timeNeverGoesBack() throws {
        let table = try TestTable()
        try table.append([table.file("a")])
        let before = table.metadata.lastUpdatedMs
        let commit = try SnapshotProducer.append(
            base: table.metadata, baseLocation: table.location, files: [table.file("b")],
            context: table.context(nowMs: 5), store: table.store)
        #expect(commit.metadata.lastUpdatedMs == before + 1)
        #expect(commit.snapshot?.timestampMs == before + 1)
        let properties = try SnapshotProducer.setProperties(
            base: table.metadata, baseLocation: table.location, updates: ["a": "b", "uuid": "x"],
            removals: ["write.parquet.compression-codec"], context: table.context(nowMs: 5))
        #expect(properties.metadata.lastUpdatedMs == before + 1)
        #expect(properties.metadata.properties == ["a": "b"])
        #expect(properties.snapshot == nil && properties.objects.count == 1)
        #expect(table.metadata.snapshot(asOfMs: before)?.snapshotId == table.metadata.currentSnapshotId)
        #expect(table.metadata.snapshot(asOfMs: before - 1) == nil)
    }

    @Test func badFilesAreRefused() throws {
        let table = try TestTable(spec: TestTable.byDay)
        let good = table.file("a", partition: [.date(1)])
        var stranger = good
        stranger.specId = 7
        for files in [[], [good, good], [stranger], [table.file("b")], [table.file("c", partition: [.string("x")])]] {
            #expect(throws: FirnError.self) {
                try SnapshotProducer.append(
                    base: table.metadata, baseLocation: table.location, files: files, context: table.context(),
                    store: table.store)
            }
        }
    }

    @Test func manifestsMergeAtTheirCount() throws {
        let table = try TestTable(properties: ["commit.manifest.min-count-to-merge": "3"])
        try table.append([table.file("a")])
        try table.append([table.file("b")])
        #expect(try table.manifests().count == 2)
        let commit = try table.append([table.file("c")])
        let merged = try #require(try table.manifests().first)
        #expect(try table.manifests().count == 1)
        #expect(merged.addedFilesCount == 1 && merged.existingFilesCount == 2 && merged.minSequenceNumber == 1)
        #expect(merged.addedRowsCount == 10 && merged.existingRowsCount == 20)
        #expect(commit.snapshot?.summary["manifests-replaced"] == "2")
        // The manifest that was merged away at once is not written.
        #expect(commit.objects.count == 3)
        let entries = try table.live()
        #expect(entries.map(\.status) == [.added, .existing, .existing])
        #expect(entries.map(\.sequenceNumber) == [3, 2, 1])
        #expect(entries.map(\.fileSequenceNumber) == [3, 2, 1])
        #expect(entries.map(\.snapshotId) == [103, 102, 101].map { $0 + 1 })
        #expect(try table.names(table.snapshots[1]) == ["a", "b"])
    }

    @Test func mergingCanBeOff() throws {
        let table = try TestTable(properties: [
            "commit.manifest.min-count-to-merge": "2", "commit.manifest-merge.enabled": "false",
        ])
        for name in ["a", "b", "c"] { try table.append([table.file(name)]) }
        #expect(try table.manifests().count == 3)
    }

    @Test func binsFillFromTheOldestEnd() {
        func manifest(_ name: String, _ length: Int64) -> ManifestFile {
            ManifestFile(
                path: name, length: length, specId: 0, content: .data, sequenceNumber: 1, minSequenceNumber: 1,
                addedSnapshotId: 1, addedFilesCount: 1, existingFilesCount: 0, deletedFilesCount: 0, addedRowsCount: 1,
                existingRowsCount: 0, deletedRowsCount: 0, partitions: nil)
        }
        let group = [manifest("new", 2), manifest("x", 5), manifest("y", 5), manifest("old", 12)]
        #expect(SnapshotBuilder.pack(group, bytesMax: 10).map { $0.map(\.path) } == [["new"], ["x", "y"], ["old"]])
    }

    @Test func replaceSwapsFiles() throws {
        let table = try TestTable()
        let (a, b, c) = (table.file("a"), table.file("b"), table.file("c", records: 3))
        try table.append([a, b])
        try table.append([c])
        let started = table.metadata.lastSequenceNumber
        try table.append([table.file("d")])
        let commit = try table.replace([a, c], by: [table.file("ac", records: 13)], sequenceNumber: started)
        try table.put(commit)
        let summary = try #require(commit.snapshot).summary
        #expect(summary["operation"] == "replace")
        #expect(summary["added-data-files"] == "1" && summary["deleted-data-files"] == "2")
        #expect(summary["added-records"] == "13" && summary["deleted-records"] == "13")
        #expect(summary["total-data-files"] == "3" && summary["total-records"] == "33")
        #expect(try table.names() == ["ac", "b", "d"])
        let entries = Dictionary(
            uniqueKeysWithValues: try table.live().map { ($0.dataFile.path.lastPathComponent, $0) })
        // The old data sequence number keeps later equality deletes in force.
        #expect(entries["ac.parquet"]?.sequenceNumber == 2 && entries["ac.parquet"]?.fileSequenceNumber == 4)
        #expect(entries["b.parquet"]?.status == .existing && entries["b.parquet"]?.sequenceNumber == 1)
        let manifests = try table.manifests()
        #expect(manifests[0].minSequenceNumber == 2 && manifests[0].sequenceNumber == 4)
        // Deletions are written down once, then forgotten.
        var deleted: [ManifestEntry] = []
        for manifest in manifests {
            deleted += try Manifests.entries(of: manifest, metadata: table.metadata, store: table.store)
                .filter { $0.status == .deleted }
        }
        #expect(Set(deleted.map(\.dataFile.path)) == [a.path, c.path])
        #expect(deleted.allSatisfy { $0.snapshotId == commit.snapshot!.snapshotId && $0.sequenceNumber! <= 2 })
        try table.append([table.file("e")])
        #expect(try table.names() == ["ac", "b", "d", "e"])
        #expect(try table.manifests().count == 4)
        #expect(try table.names(table.snapshots[2]) == ["a", "b", "c", "d"])
    }

    @Test func replaceNeedsLiveFiles() throws {
        let table = try TestTable()
        let a = table.file("a")
        try table.append([a, table.file("b")])
        try table.put(try table.replace([a], by: [table.file("a2")]))
        let gone = #expect(throws: FirnError.self) { try table.replace([a], by: [table.file("a3")]) }
        #expect(gone?.kind == .conflict && gone?.code == "file_not_live")
        let more = #expect(throws: FirnError.self) {
            try table.replace([table.file("b")], by: [table.file("b2", records: 11)])
        }
        #expect(more?.code == "replace_adds_records")
    }

    @Test func replaceNeverResurrectsDeletedRows() throws {
        let table = try TestTable()
        let a = table.file("a")
        try table.append([a, table.file("b")])
        let started = table.metadata.lastSequenceNumber
        var deletes = table.file("d", records: 1)
        deletes.content = .positionDeletes
        deletes.referencedDataFile = a.path
        try table.addDeletes(deletes)
        let error = #expect(throws: FirnError.self) {
            try table.replace([a], by: [table.file("a2")], sequenceNumber: started)
        }
        #expect(error?.kind == .conflict && error?.code == "deletes_added")
        // The other file has no deletes.
        try table.put(try table.replace([table.file("b")], by: [table.file("b2")], sequenceNumber: started))
        #expect(try table.manifests().last?.content == .deletes)
    }

    @Test func equalityDeletesStayInForce() throws {
        let table = try TestTable()
        let a = table.file("a")
        try table.append([a])
        let started = table.metadata.lastSequenceNumber
        var deletes = table.file("d", records: 1)
        deletes.content = .equalityDeletes
        deletes.equalityIds = [1]
        try table.addDeletes(deletes)
        #expect(throws: FirnError.self) { try table.replace([a], by: [table.file("a2")]) }
        try table.put(try table.replace([a], by: [table.file("a2")], sequenceNumber: started))
        let entries = try table.live()
        #expect(DeleteFiles.applies(entries[1], to: entries[0], table.metadata))
    }

    @Test func expiryFindsWhatIsUnreachable() throws {
        let table = try TestTable(properties: ["commit.manifest.min-count-to-merge": "3"])
        let (a, b) = (table.file("a"), table.file("b"))
        try table.append([a])
        try table.append([b])
        try table.put(try table.replace([a, b], by: [table.file("ab", records: 20)]))
        try table.append([table.file("c")])
        let everything = try reachableFiles(table.metadata, store: table.store)
        let old = Set(table.snapshots.prefix(2).map(\.snapshotId))
        let (commit, unreachable) = try SnapshotProducer.expire(
            base: table.metadata, baseLocation: table.location, snapshotIds: old, context: table.context(),
            store: table.store)
        try table.put(commit)
        let left = try reachableFiles(table.metadata, store: table.store)
        #expect(unreachable.contains(a.path) && unreachable.contains(b.path))
        #expect(left.isDisjoint(with: unreachable))
        #expect(everything.subtracting(left) == Set(unreachable))
        #expect(table.metadata.snapshots.map(\.snapshotId) == table.snapshots.suffix(2).map(\.snapshotId))
        #expect(table.metadata.snapshotLog.map(\.snapshotId) == table.snapshots.suffix(2).map(\.snapshotId))
        #expect(try table.names() == ["ab", "c"])
    }

    @Test func expiryRespectsReferencesAndOwners() throws {
        let table = try TestTable()
        try table.append([table.file("a")])
        try table.append([table.file("b")])
        let first = table.snapshots[0].snapshotId
        try table.put(
            try SnapshotProducer.setReference(
                base: table.metadata, baseLocation: table.location, name: "keep",
                reference: SnapshotReference(snapshotId: first, kind: .tag), context: table.context()))
        func expire() throws {
            _ = try SnapshotProducer.expire(
                base: table.metadata, baseLocation: table.location, snapshotIds: [first], context: table.context(),
                store: table.store)
        }
        #expect((#expect(throws: FirnError.self) { try expire() })?.code == "snapshot_referenced")
        try table.put(
            try SnapshotProducer.setReference(
                base: table.metadata, baseLocation: table.location, name: "keep", reference: nil,
                context: table.context()))
        try expire()
        try table.put(
            try SnapshotProducer.setProperties(
                base: table.metadata, baseLocation: table.location, updates: ["gc.enabled": "false"],
                context: table.context()))
        #expect((#expect(throws: FirnError.self) { try expire() })?.code == "expiry_disabled")
    }

    @Test func rollbackGoesToAncestors() throws {
        let table = try TestTable()
        try table.append([table.file("a")])
        try table.append([table.file("b")])
        let (first, second) = (table.snapshots[0].snapshotId, table.snapshots[1].snapshotId)
        func setCurrent(_ id: Int64, any: Bool = false) throws {
            try table.put(
                try SnapshotProducer.setCurrent(
                    base: table.metadata, baseLocation: table.location, snapshotId: id, anySnapshot: any,
                    context: table.context()))
        }
        try setCurrent(first)
        #expect(table.metadata.currentSnapshotId == first)
        #expect(table.metadata.snapshotLog.map(\.snapshotId) == [first, second, first])
        #expect(table.metadata.snapshotLog.last?.timestampMs == table.metadata.lastUpdatedMs)
        #expect((#expect(throws: FirnError.self) { try setCurrent(second) })?.code == "not_an_ancestor")
        #expect((#expect(throws: FirnError.self) { try setCurrent(77) })?.code == "unknown_snapshot")
        try setCurrent(second, any: true)
        try table.append([table.file("c")])
        #expect(try table.names() == ["a", "b", "c"])
    }

    @Test func metadataLogIsTrimmed() throws {
        let table = try TestTable(properties: [
            "write.metadata.previous-versions-max": "2", "write.metadata.delete-after-commit.enabled": "true",
        ])
        let first = table.location
        try table.append([table.file("a")])
        let second = table.location
        let commit = try table.append([table.file("b")])
        #expect(commit.removedMetadataFiles.isEmpty)
        #expect(commit.metadata.metadataLog.map(\.metadataFile) == [first, second])
        #expect(try table.append([table.file("c")]).removedMetadataFiles == [first])
        #expect(table.metadata.metadataLog.count == 2)
    }

    @Test func fileNumbers() {
        #expect(MetadataCommit.version(of: "file:///w/00012-0a.metadata.json") == 12)
        #expect(MetadataCommit.version(of: "file:///w/v7.metadata.json") == 7)
        #expect(MetadataCommit.version(of: "file:///w/abc.metadata.json") == nil)
    }
}
