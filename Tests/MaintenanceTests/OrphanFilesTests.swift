import Base
import Catalog
import Columnar
import Glibc
import Iceberg
import Storage
import Testing

@testable import Maintenance

@Suite struct OrphanFilesTests {
    /// A table on disk, at a time at which its files are four days old.
    private func fixture() throws -> WarehouseFixture {
        let fixture = try WarehouseFixture(onDisk: true)
        try fixture.createTable(partitioned: true)
        try fixture.append(1..<9)
        fixture.clock.advance(ms: SystemClock().nowMs() - fixture.clock.nowMs() + 4 * 86_400_000)
        return fixture
    }

    private func path(_ fixture: WarehouseFixture) throws -> String {
        try ObjectLocation.path(fixture.metadata().location)
    }

    private func write(_ path: String, _ bytes: [UInt8] = [1, 2, 3]) throws {
        let files = PosixFileSystem()
        try files.createDirectories(path.parentDirectory)
        try files.writeAll(bytes, to: path)
    }

    private func find(
        _ fixture: WarehouseFixture, olderThanMs: Int64 = 3 * 86_400_000, deletes: Bool = false
    ) throws -> OrphanFiles.Report {
        var options = OrphanFiles.Options()
        options.olderThanMs = olderThanMs
        options.deletes = deletes
        return try OrphanFiles.run(fixture.warehouse, table: fixture.table, options: options)
    }

    private func exists(_ path: String) -> Bool { ((try? PosixFileSystem().size(path)) ?? nil) != nil }

    @Test func litterIsFoundShownAndDeleted() throws {
        let fixture = try fixture()
        let folder = try path(fixture)
        let litter = ["/data/lost.parquet", "/data/ts=1/lost.parquet", "/metadata/lost-m0.avro", "/stray"].map {
            folder + $0
        }
        for file in litter { try write(file) }
        #expect(try find(fixture, olderThanMs: 6 * 86_400_000).young == 4)
        let shown = try find(fixture)
        #expect(shown.orphans == litter.map(ObjectLocation.file).sorted() && shown.bytes == 12)
        #expect(shown.deleted == 0 && litter.allSatisfy(exists))
        let rows = try fixture.rows()
        let deleted = try find(fixture, deletes: true)
        #expect(deleted.deleted == 4 && deleted.failed == 0 && !litter.contains(where: exists))
        #expect(try find(fixture).orphans == [] && fixture.rows() == rows)
        #expect(try fixture.warehouse.ledger.entries() == [])
        #expect(figures(shown) == "4 12")
    }

    private func figures(_ report: OrphanFiles.Report) -> String {
        "\(report.json["orphans"]!.intValue!) \(report.json["bytes"]!.intValue!)"
    }

    @Test func whatTheLedgerKnowsIsNoOrphan() throws {
        let fixture = try fixture()
        let folder = try path(fixture)
        let uuid = try fixture.metadata().tableUUID
        try fixture.warehouse.ledger.record(["file://\(folder)/data/pending.parquet"], table: uuid)
        try write(folder + "/data/pending.parquet")
        try fixture.warehouse.ledger.condemn(["file://\(folder)/data/garbage.parquet"], table: uuid)
        try write(folder + "/data/garbage.parquet")
        #expect(try find(fixture).orphans == [])
    }

    @Test func formerStatesKeepWhatTheyName() throws {
        let fixture = try fixture()
        for step in 1..<6 { try fixture.append(step * 10..<step * 10 + 3) }
        // As PyIceberg does it: the snapshots go from the metadata, their files stay.
        let old = try fixture.metadata().snapshots.dropLast().map(\.snapshotId)
        _ = try fixture.warehouse.committer(for: fixture.table).apply([.removeSnapshots(old)], requirements: [])
        #expect(try find(fixture).orphans == [])
        _ = try fixture.warehouse.committer(for: fixture.table).setProperties([
            "write.metadata.previous-versions-max": "1", "write.metadata.delete-after-commit.enabled": "false",
        ])
        _ = try fixture.warehouse.committer(for: fixture.table).setProperties(["x": "y"])
        // Now only the lists of the snapshots that went are left; manifests merge, but none was yet.
        let report = try find(fixture, deletes: true)
        #expect(report.orphans.count == old.count && report.orphans.allSatisfy { $0.contains("/snap-") })
        #expect(try fixture.rows().count == 8 + 5 * 3)
    }

    @Test func tablesInsideLinksAndHiddenFilesAreLeftAlone() throws {
        let fixture = try fixture()
        let folder = try path(fixture)
        // A table of the catalog, one of nobody's, and files that engines hide.
        let inner = try TableIdentifier(parsing: "t.inner")
        let table = try fixture.warehouse.createTable(
            inner, schema: WarehouseFixture.schema, properties: ["write.data.path": "file://\(folder)/data/inner"])
        try fixture.append(0..<3, to: inner)
        try write(folder + "/data/inner/lost.parquet")
        try write(folder + "/elsewhere/metadata/v1.metadata.json", Array("{}".utf8))
        try write(folder + "/elsewhere/data/file.parquet")
        try write(folder + "/data/_temporary/0/part.parquet")
        try write(folder + "/data/.part.crc")
        let outside = fixture.directory + "/outside"
        try write(outside + "/file.parquet")
        #expect(symlink(outside, folder + "/data/link") == 0)
        #expect(symlink(outside + "/file.parquet", folder + "/data/link.parquet") == 0)
        let report = try find(fixture, deletes: true)
        #expect(report.orphans == [] && report.skipped >= 7, "\(report)")
        #expect(exists(outside + "/file.parquet") && exists(folder + "/data/link.parquet"))
        #expect(try table.metadata.tableUUID != fixture.metadata().tableUUID)
        // The inner table's own litter is found when it is asked about.
        let own = try OrphanFiles.run(fixture.warehouse, table: inner)
        #expect(own.orphans == ["file://\(folder)/data/inner/lost.parquet"])
    }

    @Test func aFolderBehindALinkIsNotTouched() throws {
        let fixture = try fixture()
        let folder = try path(fixture)
        try write(folder + "/data/lost.parquet")
        #expect(rename(folder, fixture.directory + "/moved") == 0)
        #expect(symlink(fixture.directory + "/moved", folder) == 0)
        let report = try find(fixture, deletes: true)
        #expect(report.kept == "link" && report.orphans == [] && exists(folder + "/data/lost.parquet"))
    }

    @Test func aSharedFolderIsReportedOnly() throws {
        let fixture = try fixture()
        let folder = try path(fixture)
        try write(folder + "/data/lost.parquet")
        try write(
            folder + "/metadata/00000-x.metadata.json",
            Array(#"{"format-version":2,"table-uuid":"9c12d441-03fe-4693-9a96-a0705ddf69c1"}"#.utf8))
        let report = try find(fixture, deletes: true)
        #expect(report.kept == "shared" && report.deleted == 0 && exists(folder + "/data/lost.parquet"))
    }

    @Test func locationsAreComparedInAllSpellings() {
        let key = OrphanSearch.key("file:///w/t/data/a b=1/x.parquet")
        for other in [
            "/w/t/data/a b=1/x.parquet", "file:/w/t/data/a b=1/x.parquet", "FILE://localhost/w/t/data/a b=1/x.parquet",
            "file:///w//t/./data/a%20b=1/x.parquet", "file:///w/t/z/../data/a%20b%3D1/x.parquet",
        ] {
            #expect(OrphanSearch.key(other) == key)
        }
        #expect(OrphanSearch.key("file:///w/100%/x%zz") == "/w/100%/x%zz")
        #expect(OrphanSearch.key("s3://w/t/data/a b=1/x.parquet") != key)
    }

    /// Another engine may have stored the encoded form of a name, or another path of the same folder.
    @Test func filesKnownUnderOtherSpellingsStay() throws {
        let fixture = try fixture()
        let folder = try path(fixture)
        let names = [
            "\(folder)/data/a%20b.parquet", "file:/\(folder)/data/c.parquet", "file:///mnt/other/data/d.parquet",
        ]
        for name in ["a b", "c", "d", "e"] { try write(folder + "/data/\(name).parquet") }
        _ = try fixture.warehouse.committer(for: fixture.table).commit(building: { base, context in
            try SnapshotProducer.append(
                base: base.metadata, baseLocation: base.metadataLocation,
                files: names.map {
                    DataFile(path: $0, partition: [.date(1)], recordCount: 1, fileBytes: 3)
                }, context: context, store: fixture.warehouse.store)
        })
        #expect(try find(fixture).orphans == ["file://\(folder)/data/e.parquet"])
    }

    @Test func metadataFilesOfThePastGoWhenTheTableSaysSo() throws {
        let fixture = try fixture()
        let committer = try fixture.warehouse.committer(for: fixture.table)
        _ = try committer.setProperties([
            "write.metadata.previous-versions-max": "2", "write.metadata.delete-after-commit.enabled": "false",
        ])
        for step in 0..<5 { _ = try committer.setProperties(["step": "\(step)"]) }
        let folder = try ObjectLocation.path(fixture.metadata().metadataFolder)
        try write(folder + "/00001-broken.metadata.json", Array("{".utf8))
        func count() throws -> Int {
            try fixture.warehouse.store.list(folder).count { $0.hasSuffix(".metadata.json") }
        }
        // Eight of the table's, one that nobody can read.
        #expect(try count() == 9)
        let kept = try MetadataFiles.run(fixture.warehouse, table: fixture.table)
        #expect(kept.found == 9 && kept.unlisted == 5 && kept.deleted == 0 && kept.kept == "disabled")
        #expect(try find(fixture).orphans == [])
        _ = try committer.setProperties(["write.metadata.delete-after-commit.enabled": "true"])
        let report = try MetadataFiles.run(fixture.warehouse, table: fixture.table)
        #expect(report.unlisted == report.deleted && report.deleted >= 5 && report.failed == 0)
        #expect(try count() == 4)
        #expect(try fixture.warehouse.loadTable(fixture.table).metadata.metadataLog.count == 2)
        #expect(try MetadataFiles.run(fixture.warehouse, table: fixture.table).unlisted == 0)
        #expect(try fixture.rows().count == 8)
    }

    @Test func everythingAtOnce() throws {
        let fixture = try fixture()
        for step in 1..<5 { try fixture.append(step * 10..<step * 10 + 3) }
        try write(try path(fixture) + "/data/lost.parquet")
        let report = try TableCleanUp.run(fixture.warehouse, table: fixture.table)
        #expect(report.orphans?.orphans.count == 1 && report.orphans?.deleted == 0)
        #expect(report.json["manifests"]?["table-manifests-after"] != nil)
        #expect(try fixture.rows().count == 8 + 4 * 3)
    }
}
