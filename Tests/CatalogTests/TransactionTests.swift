import Base
import Catalog
import Columnar
import Iceberg
import Storage
import Testing

@Suite struct TransactionTests {
    private func deletes(_ warehouse: Warehouse, of file: DataFile, _ table: Table) throws -> DataFile {
        var deletes = try warehouse.writeDataFiles(1, of: table)[0]
        deletes.content = .positionDeletes
        deletes.referencedDataFile = file.path
        return deletes
    }

    @Test func rowDeltasGoThroughTheLedger() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let committer = try warehouse.committer(for: table.identifier)
        let files = try warehouse.writeDataFiles(2, of: table)
        let first = try committer.append(files, ingest: IngestMark(expectedPosition: 0, position: 7))
        var delta = TableCommitter.RowDelta()
        delta.addedData = try warehouse.writeDataFiles(1, of: table)
        delta.addedDeletes = [try deletes(warehouse, of: files[0], table)]
        delta.validation = CommitValidation(startSnapshotId: first.snapshotId)
        let result = try committer.rowDelta(delta)
        #expect(
            try Set(warehouse.livePaths(table.identifier))
                == Set((files + delta.addedData + delta.addedDeletes).map(\.path)))
        #expect(try warehouse.ledger.entries() == [])
        let summary = try #require(result.table.metadata.currentSnapshot).summary
        #expect(summary["operation"] == "overwrite" && summary["firn.log-position"] == "7")
        #expect(summary["total-position-deletes"] == "1")
        // The same delta again: its files are live already, so the catalog refuses it as a whole.
        #expect(throws: FirnError.self) { try committer.rowDelta(delta) }
        #expect(try warehouse.findOrphans() == [])
    }

    /// Another writer commits while a delta is prepared: it is checked again on what that one left.
    @Test func deltasAreValidatedAgainOnTheNewState() throws {
        for removes in [false, true] {
            let scratch = try ScratchWarehouse()
            let warehouse = scratch.warehouse
            let table = try scratch.makeTable()
            let committer = try warehouse.committer(for: table.identifier)
            let files = try warehouse.writeDataFiles(2, of: table)
            let first = try committer.append(files, ingest: nil)
            var delta = TableCommitter.RowDelta()
            delta.addedDeletes = [try deletes(warehouse, of: files[0], table)]
            delta.validation = CommitValidation(startSnapshotId: first.snapshotId, isolation: .snapshot)
            let other = try scratch.another()
            let once = Counter()
            scratch.store.setHook { call, location in
                guard call == .put, location.contains("/metadata/"), once.next() == 0 else { return }
                let rival = try other.committer(for: table.identifier)
                if removes {
                    _ = try rival.deleteFiles([files[0].path])
                } else {
                    _ = try rival.append(try other.writeDataFiles(1, of: table), ingest: nil)
                }
            }
            if removes {
                #expect(fails(.conflict, "data_files_removed") { _ = try committer.rowDelta(delta) })
                scratch.store.setHook(nil)
                try warehouse.ledger.abandon(delta.addedDeletes.map(\.path))
            } else {
                #expect(try committer.rowDelta(delta).attempts == 2)
                #expect(try warehouse.livePaths(table.identifier).count == 4)
            }
            #expect(try warehouse.findOrphans() == [])
        }
    }

    @Test func updatesAndRequirements() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let committer = try warehouse.committer(for: table.identifier)
        let base = table.metadata
        let requirements: [TableRequirement] = [
            .assertTableUUID(base.tableUUID), .assertCurrentSchemaId(0), .assertLastAssignedFieldId(1),
        ]
        var schema = base.currentSchema
        schema.fields.append(Field(id: 2, name: "name", required: false, type: .string))
        let updates: [TableUpdate] = [
            .addSchema(schema), .setCurrentSchema(-1), .setProperties(["a": "b", "uuid": "x"]),
            .upgradeFormatVersion(3),
        ]
        let result = try committer.apply(updates, requirements: requirements)
        let metadata = try warehouse.loadTable(table.identifier).metadata
        #expect(metadata == result.table.metadata && result.snapshotId == nil)
        #expect(metadata.currentSchema.fields.count == 2 && metadata.properties["a"] == "b")
        #expect(metadata.properties["uuid"] == nil && metadata.formatVersion == 3 && metadata.nextRowId == 0)
        #expect(fails(.conflict, "requirement_failed") { _ = try committer.apply(updates, requirements: requirements) })
        #expect(
            fails(.invalidInput, "bad_property") {
                _ = try committer.apply([.setProperties(["write.data.path": "file:///etc"])], requirements: [])
            })
        for location in ["file:///etc", "file://\(scratch.path)/wal/x", "\(scratch.path)/shop/orders"] {
            #expect(
                fails(.invalidInput, "bad_location") {
                    _ = try committer.apply([.setLocation(location)], requirements: [])
                })
        }
        #expect(try committer.apply([], requirements: []).table.metadataLocation == result.table.metadataLocation)
        _ = try committer.append(try warehouse.writeDataFiles(1, of: table), ingest: nil)
        #expect(try warehouse.loadTable(table.identifier).metadata.nextRowId == 1)
    }

    /// A snapshot that a client built on an older state is refused as stale, not taken.
    @Test func staleSnapshotsAreRefused() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let committer = try warehouse.committer(for: table.identifier)
        let base = try committer.append(try warehouse.writeDataFiles(1, of: table), ingest: nil).table
        let file = try warehouse.writeDataFiles(1, of: table)[0]
        let commit = try SnapshotProducer.append(
            base: base.metadata, baseLocation: base.metadataLocation,
            files: [file],
            context: CommitContext(
                snapshotId: 77, commitUUID: UUID(high: 7, low: 7), metadataUUID: UUID(high: 7, low: 8),
                nowMs: base.metadata.lastUpdatedMs + 1), store: warehouse.store)
        try warehouse.store.putAll(commit.objects.dropLast())
        _ = try committer.append(try warehouse.writeDataFiles(1, of: table), ingest: nil)
        #expect(
            fails(.conflict, "requirement_failed") {
                _ = try committer.apply(commit.updates, requirements: commit.requirements)
            })
        #expect(
            fails(.conflict, "stale_sequence_number") { _ = try committer.apply(commit.updates, requirements: []) })
        // That it is stale says more than that its files are gone by now.
        try warehouse.store.delete(file.path)
        #expect(
            fails(.conflict, "requirement_failed") {
                _ = try committer.apply(commit.updates, requirements: commit.requirements)
            })
    }

    @Test func branchesAndVersions() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let committer = try warehouse.committer(for: table.identifier)
        let first = try committer.append(try warehouse.writeDataFiles(1, of: table), ingest: nil)
        #expect(try committer.upgrade(formatVersion: 3).table.metadata.formatVersion == 3)
        #expect(fails(.invalidInput, "format_version_lowered") { _ = try committer.upgrade(formatVersion: 2) })
        var delta = TableCommitter.RowDelta()
        delta.branch = "audit"
        delta.addedData = try warehouse.writeDataFiles(1, of: table)
        let audit = try committer.rowDelta(delta)
        #expect(audit.table.metadata.currentSnapshotId == first.snapshotId)
        _ = try committer.append(try warehouse.writeDataFiles(1, of: table), ingest: nil)
        #expect(fails(.invalidInput, "not_an_ancestor") { _ = try committer.fastForward("main", to: "audit") })
        let picked = try committer.cherryPick(try #require(audit.snapshotId))
        #expect(try warehouse.livePaths(table.identifier).count == 3)
        #expect(picked.table.metadata.currentSnapshot?.summary["source-snapshot-id"] == String(audit.snapshotId!))
        #expect(fails(.conflict, "already_picked") { _ = try committer.cherryPick(audit.snapshotId!) })
        #expect(try committer.fastForward("release", to: "main").table.metadata.refs["release"] != nil)
        _ = try committer.setCurrent(audit.snapshotId!)
        #expect(try warehouse.livePaths(table.identifier).count == 2)
        let before = try Set(warehouse.livePaths(table.identifier))
        let rewritten = try committer.rewriteManifests()
        #expect(rewritten.table.metadata.currentSnapshot?.operation == "replace")
        #expect(try Set(warehouse.livePaths(table.identifier)) == before)
        let emptied = try committer.deleteFiles(filter: .alwaysTrue)
        #expect(emptied.table.metadata.currentSnapshot?.summary["total-records"] == "0")
        #expect(try committer.deleteFiles(filter: .alwaysTrue).snapshotId == nil)
        #expect(try warehouse.findOrphans() == [])
    }
}
