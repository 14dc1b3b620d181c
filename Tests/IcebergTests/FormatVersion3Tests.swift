import Base
import Columnar
import Testing

@testable import Avro
@testable import Iceberg

/// Row lineage: https://iceberg.apache.org/spec/#row-lineage
@Suite struct FormatVersion3Tests {
    private func rowIds(_ table: TestTable) throws -> [String: Int64?] {
        try table.data().mapValues(\.dataFile.firstRowId)
    }

    @Test func newFilesGetRowIds() throws {
        let table = try TestTable.version3()
        #expect(table.metadata.nextRowId == 0)
        try table.append([table.file("a", records: 10), table.file("b", records: 5)])
        try table.append([table.file("c", records: 7)])
        #expect(try rowIds(table) == ["a": 0, "b": 10, "c": 15])
        #expect(table.snapshots.map(\.firstRowId) == [0, 15] && table.snapshots.map(\.addedRows) == [15, 7])
        #expect(table.metadata.nextRowId == 22)
        let manifests = try table.manifests()
        #expect(manifests.map(\.firstRowId) == [15, 0])
        let list = try AvroFileReader(table.store.get(table.snapshots[1].manifestList), source: "list")
        #expect(list.metadata["format-version"].map { String(decoding: $0, as: UTF8.self) } == "3")
        #expect(list.metadata["first-row-id"].map { String(decoding: $0, as: UTF8.self) } == "15")
        let json = try JSONValue(parsing: table.metadata.serialize(), source: "test")
        #expect(json["format-version"] == 3 && json["next-row-id"] == 22)
        #expect(json["snapshots"]?.arrayValue?.last?["added-rows"] == 7)
        #expect(json == table.metadata.json)
        #expect(try TableMetadata.parse(table.metadata.serialize(), source: "test") == table.metadata)
    }

    @Test func emptyTablesSayNull() throws {
        let table = try TestTable.version3()
        let json = try JSONValue(parsing: table.metadata.serialize(), source: "test")
        #expect(json["current-snapshot-id"] == .null && json["next-row-id"] == 0)
    }

    /// Merging and rewriting manifests, compaction beside them: no file that stays changes its row ids.
    @Test func rowIdsStayWithTheirFiles() throws {
        let table = try TestTable.version3(properties: ["commit.manifest.min-count-to-merge": "3"])
        for name in ["a", "b", "c", "d"] { try table.append([table.file(name)]) }
        #expect(try table.manifests().map { $0.existingFilesCount! + $0.addedFilesCount! } == [1, 3])
        #expect(try rowIds(table) == ["a": 0, "b": 10, "c": 20, "d": 50])
        // The merged manifest took ids for its existing rows, too, which stay unused.
        #expect(table.snapshots[2].addedRows == 30 && table.metadata.nextRowId == 60)
        let before = try rowIds(table)
        try table.put(try table.replace([table.file("b")], by: [table.file("b2")], sequenceNumber: 4))
        var after = try rowIds(table)
        #expect(after.removeValue(forKey: "b2") != nil)
        #expect(after == before.filter { $0.key != "b" })
        try table.append([table.file("e")])
        after = try rowIds(table)
        try table.run { try SnapshotProducer.rewriteManifests(base: $0, baseLocation: $1, context: $2, store: $3)! }
        #expect(try rowIds(table) == after)
        #expect(try table.manifests().count == 1)
        let taken = try rowIds(table).values.compactMap(\.self)
        #expect(Set(taken).count == 5 && taken.allSatisfy { $0 + 10 <= table.metadata.nextRowId! })
    }

    @Test func upgradedTablesGetRowIdsByTheNextCommit() throws {
        let table = try TestTable()
        try table.append([table.file("a")])
        try table.append([table.file("b")])
        let old = table.snapshots
        try table.upgrade(3)
        #expect(table.metadata.nextRowId == 0 && table.metadata.snapshots == old)
        #expect(try rowIds(table) == ["a": nil, "b": nil])
        try table.append([table.file("c", records: 3)])
        #expect(try rowIds(table) == ["c": 0, "b": 3, "a": 13])
        #expect(table.metadata.nextRowId == 23 && table.snapshots.last?.addedRows == 23)
        // The old snapshots stay without.
        #expect(try table.live(old[1]).allSatisfy { $0.dataFile.firstRowId == nil })
        try table.put(try table.replace([table.file("a")], by: [table.file("a2")]))
        #expect(try rowIds(table)["b"] == 3)
    }

    /// A branch that was left behind gets ids of its own.
    @Test func branchesNeverShareNewIds() throws {
        let table = try TestTable()
        try table.append([table.file("a")])
        try table.change {
            try SnapshotProducer.setReference(
                base: $0, baseLocation: $1, name: "b",
                reference: SnapshotReference(snapshotId: table.head, kind: .branch), context: $2)
        }
        try table.upgrade(3)
        try table.append([table.file("m")])
        try table.rowDelta(add: [table.file("x")], branch: "b")
        let (main, branch) = (try table.data(), try table.data("b"))
        #expect(main.mapValues(\.dataFile.firstRowId) == ["m": 0, "a": 10])
        #expect(branch.mapValues(\.dataFile.firstRowId) == ["x": 20, "a": 30])
        #expect(
            table.metadata.nextRowId == 40
                && table.metadata.currentSnapshotId == table.metadata.refs["main"]?.snapshotId)
    }

    @Test func staleSnapshotsAreRefused() throws {
        let table = try TestTable.version3()
        try table.append([table.file("a")])
        var snapshot = table.snapshots[0]
        snapshot.snapshotId = 9999
        snapshot.sequenceNumber = 2
        var metadata = table.metadata
        #expect(code { try metadata.addSnapshot(snapshot) } == "stale_row_id")
        snapshot.firstRowId = nil
        #expect(code { try metadata.addSnapshot(snapshot) } == "bad_snapshot")
        snapshot.firstRowId = .max
        #expect(code { try metadata.addSnapshot(snapshot) } == "bad_snapshot")
        snapshot.firstRowId = 10
        snapshot.sequenceNumber = 1
        #expect(code { try metadata.addSnapshot(snapshot) } == "stale_sequence_number")
        metadata.nextRowId = nil
        #expect(
            code {
                _ = try SnapshotProducer.append(
                    base: metadata, baseLocation: table.location, files: [table.file("b")], context: table.context(),
                    store: table.store)
            } == "bad_metadata")
        metadata.nextRowId = 10
        metadata.properties["encryption.key-id"] = "k"
        #expect(
            code {
                _ = try SnapshotProducer.append(
                    base: metadata, baseLocation: table.location, files: [table.file("b")], context: table.context(),
                    store: table.store)
            } == "encryption")
    }

    @Test func versionOneCanBeUpgraded() throws {
        let json: JSONValue = [
            "format-version": 1, "table-uuid": "01234567-89ab-cdef-0123-456789abcdef", "location": "file:///w/one",
            "last-updated-ms": 5, "last-column-id": 1,
            "schema": [
                "type": "struct", "fields": [["id": 1, "name": "x", "required": true, "type": "long"]],
            ],
            "partition-spec": [["source-id": 1, "name": "x", "transform": "identity"]],
            "snapshots": [
                ["snapshot-id": 3, "timestamp-ms": 4, "manifest-list": "file:///w/one/l.avro", "summary": [:]]
            ], "current-snapshot-id": 3,
        ]
        for version in [2, 3] {
            var metadata = try TableMetadata(json: json, source: "test")
            #expect(code { _ = try metadata.serialize() } == "format_version")
            try metadata.apply(.upgradeFormatVersion(version), nowMs: 9)
            let again = try TableMetadata.parse(metadata.serialize(), source: "test")
            #expect(again == metadata && again.formatVersion == version)
            #expect(again.nextRowId == (version == 3 ? 0 : nil) && again.currentSnapshot?.sequenceNumber == 0)
            #expect(again.defaultSpec.fields.map(\.fieldId) == [1000] && again.lastPartitionId == 1000)
        }
        var inline = try TableMetadata(json: json, source: "test")
        inline.snapshots[0].manifestList = ""
        #expect(code { try inline.upgrade(to: 2) } == "inline_manifests")
    }
}
