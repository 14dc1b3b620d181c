import Avro
import Base
import Catalog
import Columnar
import Storage
import Testing

@testable import Iceberg
@testable import Maintenance
@testable import Parquet

/// Faults of deletes, and of how others write manifests.
@Suite struct VerifyDeletesTests {
    /// Adds a position delete file of three rows of a data file.
    private func addPositions(
        _ fixture: VerifyFixture, of path: String, _ change: (inout ManifestEntry) -> Void = { _ in }
    ) throws {
        let metadata = try fixture.metadata
        let snapshot = metadata.currentSnapshot!
        let file = try fixture.entries()[0].dataFile
        let writer = DeleteFileWriter(metadata: metadata, store: fixture.store) { _, index, ending in
            metadata.dataFolder + "/deletes-\(index).\(ending)"
        }
        let task = FileScanTask(
            dataFile: file, sequenceNumber: 1, spec: metadata.defaultSpec, deletes: [])
        var added = try writer.write([(task: task, positions: RowPositions([1, 5, 7] as [Int64]))]).added[0]
        added.referencedDataFile = path
        var entry = ManifestEntry(
            status: .added, snapshotId: snapshot.snapshotId, sequenceNumber: nil, fileSequenceNumber: nil,
            dataFile: added)
        change(&entry)
        try fixture.addManifest([entry], content: .deletes, name: "deletes")
    }

    @Test func deletesOfALiveFileAreFine() throws {
        let fixture = try VerifyFixture()
        try addPositions(fixture, of: try fixture.entries()[0].dataFile.path)
        #expect(try fixture.codes { $0.depth = .rows } == [])
        #expect(try fixture.ids().count == 197)
    }

    @Test func deletesOfAFileThatIsGoneAreDropped() throws {
        let fixture = try VerifyFixture()
        let rows = try fixture.ids()
        try addPositions(fixture, of: "file:///gone.parquet")
        #expect(try fixture.codes() == [.danglingPositionDelete])
        let repair = try fixture.doctor().repair(dropsMissing: false)
        #expect(repair.after.isClean)
        let current = try fixture.freshMetadata().currentSnapshot!
        #expect(current.operation == "replace")
        #expect(current.summary["removed-delete-files"] == "1")
        #expect(current.summary["total-delete-files"] == "0")
        #expect(try fixture.ids() == rows)
    }

    @Test func aMissingDeleteFileGoesOnlyWhenAsked() throws {
        let fixture = try VerifyFixture()
        try addPositions(fixture, of: try fixture.entries()[0].dataFile.path)
        let path = try fixture.entries().last!.dataFile.path
        try fixture.store.delete(path)
        #expect(try fixture.codes() == [.deleteFileMissing])
        #expect(try fixture.doctor().plan(dropsMissing: false).plan.isEmpty)
        let repair = try fixture.doctor().repair(dropsMissing: true)
        #expect(repair.after.isClean)
        #expect(repair.plan.operation == "delete")
        #expect(try fixture.ids().count == 200)
    }

    @Test func equalityDeletesOlderThanAllDataDangle() throws {
        let cases: [Int64: Set<FindingCode>] = [1: [.danglingEqualityDelete], 2: []]
        for (number, expected) in cases {
            let fixture = try VerifyFixture()
            try addPositions(fixture, of: "file:///x") { entry in
                entry.dataFile.content = .equalityDeletes
                entry.dataFile.referencedDataFile = nil
                entry.dataFile.equalityIds = [1]
                entry.sequenceNumber = number
            }
            #expect(try fixture.codes { $0.depth = .metadata } == expected)
        }
        let fixture = try VerifyFixture()
        try addPositions(fixture, of: "file:///x") { entry in
            entry.dataFile.content = .equalityDeletes
            entry.dataFile.referencedDataFile = nil
        }
        #expect(try fixture.codes { $0.depth = .metadata } == [.equalityIdsMissing])
    }

    @Test func deletesInADataManifestAreFound() throws {
        let fixture = try VerifyFixture()
        try fixture.changeEntries { $0[0].dataFile.content = .positionDeletes }
        #expect(try fixture.codes().contains(.manifestContentWrong))
    }

    // MARK: Deletion vectors, by their entries

    private func checks(_ fixture: VerifyFixture, _ change: (inout DataFile) -> Void) throws -> Set<FindingCode> {
        let metadata = try fixture.metadata
        var file = DataFile(
            content: .positionDeletes, path: metadata.dataFolder + "/dv.puffin", format: "PUFFIN", recordCount: 2,
            fileBytes: 100)
        file.referencedDataFile = try fixture.entries()[0].dataFile.path
        (file.contentOffset, file.contentBytes) = (4, 40)
        change(&file)
        let row = ManifestFile(
            path: "m", length: 1, specId: 0, content: .deletes, sequenceNumber: 2, minSequenceNumber: 2,
            addedSnapshotId: 1, addedFilesCount: 1, existingFilesCount: 0, deletedFilesCount: 0, addedRowsCount: 2,
            existingRowsCount: 0, deletedRowsCount: 0, partitions: nil)
        let entry = ManifestEntry(
            status: .added, snapshotId: 1, sequenceNumber: 2, fileSequenceNumber: 2, dataFile: file)
        return Set(EntryChecks(types: ColumnTypes(metadata)).check(entry, in: row).map(\.code))
    }

    @Test func entriesOfDeletionVectorsAreChecked() throws {
        let fixture = try VerifyFixture()
        #expect(try checks(fixture) { _ in } == [])
        #expect(try checks(fixture) { $0.referencedDataFile = nil } == [.deletionVectorReferenceMissing])
        #expect(try checks(fixture) { $0.contentOffset = nil } == [.deletionVectorPlaceWrong])
        #expect(try checks(fixture) { $0.contentOffset = 90 } == [.deletionVectorPlaceWrong])
        #expect(try checks(fixture) { $0.contentBytes = -1 } == [.deletionVectorPlaceWrong])
        #expect(try checks(fixture) { $0.contentBytes = .max } == [.deletionVectorPlaceWrong])
    }

    @Test func twoVectorsOfOneFileContradict() throws {
        let metadata = try VerifyFixture(commits: 1).metadata
        var deletes = DeleteChecks(metadata)
        var file = DataFile(content: .positionDeletes, path: "a", format: "PUFFIN", recordCount: 1, fileBytes: 9)
        file.referencedDataFile = "d"
        let entry = ManifestEntry(
            status: .added, snapshotId: 1, sequenceNumber: 2, fileSequenceNumber: 2, dataFile: file)
        #expect(deletes.check(delete: entry) { _ in true }.map(\.code) == [])
        #expect(deletes.check(delete: entry) { _ in true }.map(\.code) == [.deletionVectorsConflict])
        var other = entry
        other.dataFile.referencedDataFile = "e"
        #expect(deletes.check(delete: other) { _ in false }.map(\.code) == [.danglingDeletionVector])
    }

    @Test func contentsOfDeletionVectorsAreChecked() throws {
        let fixture = try VerifyFixture(commits: 1)
        let path = try fixture.metadata.dataFolder + "/dv.puffin"
        let blob = DeletionVector.encode(RowPositions([1, 2, 3] as [Int64]))
        let sink = try fixture.store.putStream(path)
        var writer = try PuffinWriter(createdBy: "test") { try sink.write($0) }
        let place = try writer.add(DeletionVector.blob(dataFile: "d", cardinality: 3), blob)
        try writer.finish()
        try sink.finish()
        var file = DataFile(
            content: .positionDeletes, path: path, format: "PUFFIN", recordCount: 3, fileBytes: Int64(writer.fileBytes))
        (file.contentOffset, file.contentBytes) = (Int64(place.offset), Int64(place.length))
        let examination = FileExamination(metadata: try fixture.metadata, store: fixture.store, depth: .footers)
        func codes(_ file: DataFile) -> [FindingCode] {
            examination.check(file, readsRows: false).map(\.code)
        }
        #expect(codes(file) == [])
        var wrong = file
        wrong.recordCount = 4
        #expect(codes(wrong) == [.recordCountWrong])
        #expect(examination.corrected(wrong)?.recordCount == 3)
        wrong = file
        wrong.contentOffset = 5
        #expect(codes(wrong) == [.deletionVectorPlaceWrong])
        try fixture.overwrite(path, blob)
        (wrong.contentOffset, wrong.contentBytes, wrong.fileBytes) = (0, Int64(blob.count), Int64(blob.count))
        #expect(codes(wrong) == [.fileUnreadable])
    }

    // MARK: Row ids

    @Test func rowIdsBelongToOneRow() {
        func codes(_ ranges: [(Int64?, Int64)]) -> [FindingCode] {
            var checks = RowIdChecks(nextRowId: 100)
            var findings = ranges.flatMap { first, count in
                checks.add(DataFile(path: "f", recordCount: count, fileBytes: 1), firstRowId: first)
            }
            findings += checks.finish("m")
            return findings.map(\.code)
        }
        #expect(codes([(0, 10), (10, 90), (nil, 5)]) == [])
        #expect(codes([(0, 10), (10, 91)]) == [.rowIdsWrong])
        #expect(codes([(0, 11), (10, 5), (50, 1)]) == [.rowIdsOverlap])
        #expect(codes([(-1, 11)]) == [.rowIdsWrong])
        #expect(codes([(.max, .max)]) == [.rowIdsWrong])
    }

    // MARK: Field ids

    @Test func filesWithoutFieldIdsNeedAMapping() throws {
        let fixture = try VerifyFixture()
        let rows = try fixture.ids()
        let path = try fixture.entries()[0].dataFile.path
        let plain = try Self.withoutIds(try fixture.store.get(path), source: path)
        try fixture.overwrite(path, plain)
        try fixture.changeEntries { $0[0].dataFile.fileBytes = Int64(plain.count) }
        try fixture.fixTotals()
        #expect(try fixture.codes() == [.fieldIdsMissing])
        let repair = try fixture.doctor().repair(dropsMissing: false)
        #expect(repair.snapshotId == nil)
        #expect(try fixture.codes { $0.depth = .rows } == [])
        #expect(try fixture.ids() == rows)
        let mapping = try fixture.freshMetadata().properties["schema.name-mapping.default"]
        #expect(
            mapping?.contains(#"{"field-id":5,"names":["place"],"fields":[{"field-id":6,"names":["city"]}]}"#) == true)
    }

    /// The same file with a footer whose schema elements have no ids.
    private static func withoutIds(_ bytes: [UInt8], source: String) throws -> [UInt8] {
        var footer = try ParquetFileReader(fileBytes: bytes.count, source: source) { Array(bytes[$0]) }.footer
        for index in footer.schema.indices { footer.schema[index].fieldId = nil }
        let text = footer.serialize()
        var out = Array(bytes.prefix(bytes.count - 8 - footer.footerBytes)) + text
        withUnsafeBytes(of: UInt32(text.count).littleEndian) { out += $0 }
        return out + Array("PAR1".utf8)
    }

    // MARK: How others write manifests

    /// The same manifest with another header: schema as text changed, keys left out.
    private func rewrite(
        _ fixture: VerifyFixture, _ path: String, dropping keys: Set<String> = [],
        schema change: (String) -> String = { $0 }, codec: AvroCodec = .deflate
    ) throws {
        var reader = try AvroFileReader(try fixture.store.get(path), source: path)
        let text = change(String(decoding: reader.metadata["avro.schema"]!, as: UTF8.self))
        let kept = reader.metadata.filter { !$0.key.hasPrefix("avro.") && !keys.contains($0.key) }
            .sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }
        var writer = AvroFileWriter(
            schemaText: Array(text.utf8), metadata: kept, codec: codec, sync: UUID(high: 7, low: 8))
        while let (count, records) = try reader.nextBlock() {
            // One append a block: the record count is not looked at by what reads it back here.
            precondition(count == 1)
            try writer.append { out throws(FirnError) in out.raw(records.bytes[records.offset..<records.end]) }
        }
        let bytes = try writer.finish()
        try fixture.overwrite(path, bytes)
        guard path != (try fixture.metadata.currentSnapshot!.manifestList) else { return }
        try fixture.changeList { rows in
            for index in rows.indices where rows[index].path == path { rows[index].length = Int64(bytes.count) }
        }
    }

    private struct Oddity {
        let code: FindingCode
        var keys: Set<String> = []
        var schema: (String) -> String = { $0 }
    }

    private static func removing(_ part: String) -> (String) -> String {
        { text in text.split(separator: part, omittingEmptySubsequences: false).joined() }
    }

    @Test func whatTripsOtherReadersIsToldAndRewritten() throws {
        let oddities = [
            Oddity(code: .avroKeyValuesMissing, keys: ["schema"]),
            Oddity(code: .avroKeyValuesMissing, keys: ["partition-spec"]),
            Oddity(code: .avroElementIdsMissing, schema: Self.removing(#","element-id":133"#)),
            Oddity(code: .avroMapTypeMissing, schema: Self.removing(#","logicalType":"map""#)),
        ]
        for oddity in oddities {
            let fixture = try VerifyFixture(commits: 1)
            let rows = try fixture.ids()
            try rewrite(fixture, try fixture.manifests()[0].path, dropping: oddity.keys, schema: oddity.schema)
            #expect(try fixture.codes() == [])
            #expect(try fixture.codes { $0.includesPeers = true } == [oddity.code])
            let repair = try fixture.doctor { $0.includesPeers = true }.repair(dropsMissing: false)
            #expect(repair.after.findings == [])
            #expect(try fixture.ids() == rows)
        }
    }

    @Test func aManifestWithoutFieldIdsIsTold() throws {
        let fixture = try VerifyFixture(commits: 1)
        try rewrite(fixture, try fixture.manifests()[0].path) { text in
            var text = text[...]
            var out = ""
            while let start = text.firstRange(of: #","field-id":"#) {
                out += text[..<start.lowerBound]
                text = text[start.upperBound...].drop { $0.isNumber }
            }
            return out + text
        }
        #expect(try fixture.codes { $0.includesPeers = true } == [.avroFieldIdsMissing, .manifestUnreadable])
    }

    @Test func namesOfMetadataFiles() {
        func isKnown(_ name: String) -> Bool { PeerChecks.metadataName("file:///t/metadata/" + name).isEmpty }
        #expect(isKnown("00000-a3bb189e-8bf9-3888-9912-ace4e6543002.metadata.json"))
        #expect(isKnown("00012-a3bb189e-8bf9-3888-9912-ace4e6543002.gz.metadata.json"))
        #expect(isKnown("v7.metadata.json"))
        #expect(isKnown("v7-a3bb189e-8bf9-3888-9912-ace4e6543002.metadata.json"))
        #expect(!isKnown("metadata.json"))
        #expect(!isKnown("latest.metadata.json"))
        #expect(!isKnown("7.metadata.json"))
        #expect(!isKnown("v7.metadata.json.gz"))
        #expect(!isKnown("00001-abc.metadata.json"))
    }
}
