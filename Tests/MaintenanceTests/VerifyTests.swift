import Base
import Catalog
import Columnar
import Storage
import Testing

@testable import Iceberg
@testable import Maintenance

/// A healthy table is clean; broken in one way, it has exactly that fault; repaired, it is clean again with its rows.
@Suite struct VerifyTests {
    @Test(arguments: [false, true]) func aHealthyTableIsClean(partitioned: Bool) throws {
        let fixture = try VerifyFixture(partitioned: partitioned)
        for depth in [ExaminationOptions.Depth.metadata, .footers, .rows] {
            let report = try fixture.doctor {
                $0.depth = depth
                $0.includesPeers = true
                $0.findsOrphans = true
            }.examine()
            #expect(report.findings == [])
            #expect(report.isClean)
            #expect(report.snapshots == 2)
            #expect(report.files == (partitioned ? 6 : 2))
            #expect(report.filesRead == (depth == .rows ? report.files : 0))
        }
        let (_, plan) = try fixture.doctor().plan(dropsMissing: true)
        #expect(plan.isEmpty)
        #expect(try fixture.doctor().repair(dropsMissing: true).snapshotId == nil)
        #expect(try fixture.metadata.snapshots.count == 2)
    }

    @Test func anEmptyTableIsClean() throws {
        let fixture = try VerifyFixture(commits: 0)
        #expect(try fixture.codes { $0.includesPeers = true } == [])
    }

    @Test func samplingReadsSomeFiles() throws {
        let fixture = try VerifyFixture(commits: 12)
        func read(_ share: Double) throws -> Int {
            try fixture.doctor {
                $0.depth = .rows
                $0.sample = share
            }.examine().filesRead
        }
        #expect(try read(1) == 12)
        #expect(try read(0.5) < 12)
        #expect(try read(0.5) == (try read(0.5)))
    }

    /// One way to break a table by the entries of a manifest.
    struct Break: CustomTestStringConvertible, Sendable {
        let code: FindingCode
        var change: @Sendable (inout ManifestEntry) -> Void
        /// Found only by reading rows.
        var needsRows = false
        var testDescription: String { code.rawValue }
    }

    static let entryBreaks: [Break] = [
        Break(code: .recordCountWrong) { $0.dataFile.recordCount += 1 },
        Break(code: .recordCountWrong) { $0.dataFile.recordCount = -1 },
        Break(code: .fileSizeWrong) { $0.dataFile.fileBytes += 3 },
        Break(code: .splitOffsetsWrong) { $0.dataFile.splitOffsets = [4, 77] },
        Break(code: .valueCountWrong) { $0.dataFile.valueCounts[1]! -= 1 },
        Break(code: .nullCountWrong) { $0.dataFile.nullValueCounts[3]! -= 1 },
        Break(code: .boundMalformed) { $0.dataFile.lowerBounds[1] = [1, 2, 3] },
        Break(code: .boundNaN) { $0.dataFile.upperBounds[4] = SingleValue.encode(.double(.nan)) },
        Break(code: .boundNarrow) { $0.dataFile.lowerBounds[1] = SingleValue.encode(.long(150)) },
        Break(code: .boundNarrow) { $0.dataFile.upperBounds[4] = SingleValue.encode(.double(40)) },
        Break(code: .entrySequenceNumberWrong) { $0.sequenceNumber = 99 },
        Break(code: .entrySequenceNumberWrong) { $0.fileSequenceNumber = 1 },
    ]

    @Test(arguments: entryBreaks) func aWrongEntryIsFoundAndRepaired(broken: Break) throws {
        let fixture = try VerifyFixture()
        let rows = try fixture.ids()
        try fixture.changeEntries { broken.change(&$0[0]) }
        try fixture.fixTotals()
        #expect(try fixture.codes { $0.depth = broken.needsRows ? .rows : .footers } == [broken.code])
        try expectRepair(of: fixture, rows: rows, by: "replace")
    }

    @Test func nanCountsAreFoundByRows() throws {
        let fixture = try VerifyFixture()
        let rows = try fixture.ids()
        try fixture.changeEntries { $0[0].dataFile.nanValueCounts[4] = 1 }
        #expect(try fixture.codes { $0.depth = .rows } == [.nanCountWrong])
        let repair = try fixture.doctor { $0.depth = .rows }.repair(dropsMissing: false)
        #expect(repair.after.isClean)
        #expect(try fixture.ids() == rows)
    }

    @Test func invertedBoundsAreFound() throws {
        let fixture = try VerifyFixture()
        let rows = try fixture.ids()
        try fixture.changeEntries {
            let file = $0[0].dataFile
            ($0[0].dataFile.lowerBounds[1], $0[0].dataFile.upperBounds[1]) = (file.upperBounds[1], file.lowerBounds[1])
        }
        #expect(try fixture.codes() == [.boundsInverted, .boundNarrow])
        try expectRepair(of: fixture, rows: rows, by: "replace")
    }

    @Test func aFileLiveTwiceIsKeptOnce() throws {
        for isSameManifest in [true, false] {
            let fixture = try VerifyFixture()
            let rows = try fixture.ids()
            if isSameManifest {
                try fixture.changeEntries { $0.append($0[0]) }
                try fixture.fixTotals()
            } else {
                try fixture.addManifest([try fixture.entries()[0]], content: .data, name: "twin")
            }
            #expect(try fixture.ids().count == rows.count + 100)
            #expect(try fixture.codes() == [.duplicateFile])
            try expectRepair(of: fixture, rows: rows, by: "replace")
        }
    }

    @Test func aMissingFileGoesOnlyWhenAsked() throws {
        let fixture = try VerifyFixture()
        let gone = try fixture.entries()[0].dataFile
        try fixture.store.delete(gone.path)
        #expect(try fixture.codes() == [.dataFileMissing])
        let (_, careful) = try fixture.doctor().plan(dropsMissing: false)
        #expect(careful.isEmpty)
        #expect(careful.remaining.map(\.code) == [.dataFileMissing])
        let (_, plan) = try fixture.doctor().plan(dropsMissing: true)
        #expect(plan.recordsLost == 100)
        #expect(plan.operation == "delete")
        try expectRepair(of: fixture, rows: (0..<100).map(Int64.init), by: "delete", dropsMissing: true)
        let summary = try fixture.metadata.currentSnapshot!.summary
        #expect(summary["deleted-records"] == "100")
        #expect(summary["total-records"] == "100")
        #expect(summary["total-data-files"] == "1")
    }

    @Test func damagedFilesAreFindings() throws {
        let fixture = try VerifyFixture()
        let path = try fixture.entries()[0].dataFile.path
        let whole = try fixture.store.get(path)
        for bytes in [[], Array(whole.prefix(whole.count / 2)), whole + [1, 2, 3]] {
            try fixture.overwrite(path, bytes)
            #expect(try fixture.codes() == [.fileSizeWrong, .fileUnreadable])
        }
        var flipped = whole
        for index in whole.count - 60..<whole.count - 10 { flipped[index] ^= 0xff }
        try fixture.overwrite(path, flipped)
        #expect(try fixture.codes { $0.depth = .rows }.contains(.fileUnreadable))
    }

    @Test func aRowInAnotherPartitionIsFoundByRows() throws {
        let fixture = try VerifyFixture(partitioned: true)
        try fixture.changeEntries { $0[0].dataFile.partition = [.date(3)] }
        #expect(try fixture.codes() == [])
        #expect(try fixture.codes { $0.depth = .rows } == [.partitionValueWrong])
    }

    // MARK: Manifest lists

    struct ListBreak: CustomTestStringConvertible, Sendable {
        let code: FindingCode
        var change: @Sendable (inout ManifestFile) -> Void
        var testDescription: String { code.rawValue }
    }

    static let listBreaks: [ListBreak] = [
        ListBreak(code: .manifestCountsWrong) { $0.addedFilesCount = 7 },
        ListBreak(code: .manifestCountsWrong) { $0.addedRowsCount = 7 },
        ListBreak(code: .manifestCountsWrong) { $0.deletedFilesCount = 1 },
        ListBreak(code: .manifestMinSequenceNumberWrong) { $0.minSequenceNumber = 3 },
        ListBreak(code: .manifestLengthWrong) { $0.length += 1 },
        ListBreak(code: .partitionSummaryNarrow) { $0.partitions![0].containsNull = false },
        ListBreak(code: .partitionSummaryNarrow) { $0.partitions![0].lowerBound = SingleValue.encode(.date(20_001)) },
        ListBreak(code: .partitionSummaryNarrow) { $0.partitions![0].upperBound = SingleValue.encode(.date(20_000)) },
        ListBreak(code: .partitionSummaryNarrow) { $0.partitions = [] + $0.partitions! + $0.partitions! },
    ]

    @Test(arguments: listBreaks) func aWrongRowIsFoundAndRepaired(broken: ListBreak) throws {
        let fixture = try VerifyFixture(partitioned: true)
        let rows = try fixture.ids()
        try fixture.changeList { broken.change(&$0[0]) }
        #expect(try fixture.codes() == [broken.code])
        try expectRepair(of: fixture, rows: rows, by: "replace")
    }

    @Test func wideSummariesAndBoundsAreFine() throws {
        let fixture = try VerifyFixture(partitioned: true)
        try fixture.changeEntries {
            $0[0].dataFile.lowerBounds[1] = SingleValue.encode(.long(-5))
            $0[0].dataFile.upperBounds[3] = Array("zzz".utf8)
        }
        try fixture.changeList {
            $0[0].partitions![0].lowerBound = SingleValue.encode(.date(0))
            $0[0].partitions![0].upperBound = nil
            $0[0].minSequenceNumber = 0
        }
        #expect(try fixture.codes { $0.depth = .rows } == [])
    }

    @Test func aManifestListedTwiceIsFound() throws {
        let fixture = try VerifyFixture()
        let rows = try fixture.ids()
        try fixture.changeList { $0.append($0[0]) }
        #expect(try fixture.codes().contains(.manifestTwice))
        try expectRepair(of: fixture, rows: rows, by: "replace")
    }

    @Test func missingAndDamagedMetadataFilesAreFindings() throws {
        let fixture = try VerifyFixture()
        let list = try fixture.metadata.currentSnapshot!.manifestList
        let newest = try fixture.manifests()[0].path
        let bytes = try fixture.store.get(newest)
        try fixture.overwrite(newest, Array(bytes.prefix(bytes.count - 20)))
        #expect(try fixture.codes() == [.manifestUnreadable, .manifestLengthWrong])
        try fixture.store.delete(newest)
        #expect(try fixture.codes() == [.manifestMissing])
        try fixture.overwrite(list, [1, 2, 3])
        #expect(try fixture.codes() == [.manifestListUnreadable])
        try fixture.store.delete(list)
        #expect(try fixture.codes() == [.manifestListMissing])
        let old = try fixture.metadata.metadataLog[0].metadataFile
        try fixture.store.delete(old)
        #expect(try fixture.codes() == [.manifestListMissing, .metadataLogFileMissing])
    }

    @Test func ledgerAndOrphansAreTold() throws {
        let fixture = try VerifyFixture()
        let folder = try fixture.metadata.dataFolder
        try fixture.store.put(folder + "/stray.parquet", [1])
        try fixture.store.put(try fixture.metadata.metadataFolder + "/stray.avro", [1])
        let report = try fixture.doctor { $0.findsOrphans = true }.examine()
        #expect(Set(report.counts.keys) == [.orphanFile, .orphanManifest])
        #expect(report.isClean)
        #expect(try fixture.codes() == [])
        let live = try fixture.entries()[0].dataFile.path
        try fixture.base.warehouse.ledger.record([live], table: try fixture.metadata.tableUUID)
        #expect(try fixture.codes() == [.liveFileInLedger])
    }

    /// Repairs, and looks again: at the heads, and, once the old snapshots are gone, at everything.
    private func expectRepair(
        of fixture: VerifyFixture, rows: [Int64], by operation: String, dropsMissing: Bool = false
    ) throws {
        let before = try fixture.freshMetadata()
        let repair = try fixture.doctor { $0.includesPeers = true }.repair(dropsMissing: dropsMissing)
        #expect(repair.after.findings == [])
        #expect(!repair.plan.isEmpty)
        let after = try fixture.freshMetadata()
        #expect(after.snapshots.count == before.snapshots.count + 1)
        #expect(after.currentSnapshotId == repair.snapshotId)
        #expect(after.currentSnapshot?.operation == operation)
        #expect(after.currentSnapshot?.parentSnapshotId == before.currentSnapshotId)
        #expect(try fixture.ids() == rows)
        #expect(try fixture.base.warehouse.ledger.entries() == [])
        _ = try fixture.base.warehouse.committer(for: fixture.table).expire(
            TableCommitter.ExpiryRequest(snapshotIds: before.snapshots.map(\.snapshotId)))
        try fixture.base.warehouse.collectGarbage()
        #expect(try fixture.codes { $0.depth = .rows } == [])
        #expect(try fixture.ids() == rows)
    }
}
