import Base
import Columnar
import Iceberg
import Storage

/// Turns an examination of a table's heads into a plan.
///
/// 1. Findings of other snapshots than the current one, and those that nothing mends, remain.
/// 2. Manifests of the current snapshot with a wrong entry, and those that trip readers, are written anew: each live
///    entry corrected by its file's footer, once, or dropped.
/// 3. The others stay; only their rows in the manifest list are corrected.
/// 4. Members of the metadata that follow from others are filled in.
///
/// While a manifest of the current snapshot cannot be read, only the metadata is mended.
struct RepairPlanner {
    let examination: TableExamination
    let dropsMissing: Bool
    private var plan = RepairPlan()
    /// What is wrong with each file, by location.
    private var faults: [FileKey: Set<FindingCode>] = [:]
    private var rewritten: Set<String> = []
    private var needsList = false

    /// A manifest of the current snapshot cannot be read: a new snapshot would lose or keep what nobody has seen.
    private let isBlocked: Bool

    init(_ examination: TableExamination, dropsMissing: Bool) {
        self.examination = examination
        self.dropsMissing = dropsMissing
        isBlocked = examination.manifests.contains { $0.isCurrent && $0.totals == nil }
    }

    /// Corrected by the file's footer.
    private static let footerCodes: Set<FindingCode> = [
        .fileSizeWrong, .recordCountWrong, .splitOffsetsWrong, .valueCountWrong, .nullCountWrong, .nanCountWrong,
        .boundMalformed, .boundNaN, .boundsInverted, .boundNarrow,
    ]
    private static let dropCodes: Set<FindingCode> = [
        .danglingPositionDelete, .danglingDeletionVector, .danglingEqualityDelete,
    ]
    private static let missingCodes: Set<FindingCode> = [.dataFileMissing, .deleteFileMissing]
    private static let avroCodes: Set<FindingCode> = [
        .avroElementIdsMissing, .avroMapTypeMissing, .avroUnionOrder, .avroCodecMissing, .avroCodecZstandard,
        .avroKeyValuesMissing,
    ]
    private static let rowCodes: Set<FindingCode> = [
        .manifestLengthWrong, .manifestCountsWrong, .manifestMinSequenceNumberWrong, .partitionSummaryNarrow,
        .listFieldsMissing, .manifestTwice,
    ]

    mutating func run() throws -> RepairPlan {
        plan.metadataLocation = examination.location
        plan.isMetadataReadable = examination.isMetadataReadable
        guard let metadata = examination.metadata else {
            plan.remaining = examination.log.findings
            return plan
        }
        for finding in examination.log.findings { sort(finding, metadata) }
        planMetadata()
        try planSnapshot(metadata)
        return plan
    }

    private mutating func step(_ finding: Finding, _ action: String) {
        plan.steps.append(RepairPlan.Step(code: finding.code, subject: finding.subject, action: action))
    }

    private mutating func sort(_ finding: Finding, _ metadata: TableMetadata) {
        let code = finding.code
        let isCurrent = finding.snapshotId == metadata.currentSnapshotId
        if FindingCode.metadataFacts[code] != nil {
            guard code.facts.isRepairable else {
                if code == .snapshotSequenceNumber { plan.changesMetadata = true }
                return plan.remaining.append(finding)
            }
            if code == .summaryTotalsWrong { return planTotals(finding) }
            plan.changesMetadata = true
            return
        }
        if code == .fieldIdsMissing {
            plan.setsNameMapping = true
            return step(finding, "set \(NameMappingText.property) from the current schema")
        }
        guard code.facts.isRepairable, isCurrent, !isBlocked else {
            if finding.severity != .info { plan.remaining.append(finding) }
            return
        }
        if Self.missingCodes.contains(code), !dropsMissing { return plan.remaining.append(finding) }
        if Self.rowCodes.contains(code) || Self.avroCodes.contains(code) && finding.manifest == nil {
            needsList = true
            return step(finding, "write the manifest list anew with \(finding.expected)")
        }
        if let manifest = finding.manifest { rewritten.insert(manifest) }
        if Self.avroCodes.contains(code) { return step(finding, "write the manifest anew") }
        if code == .manifestSequenceNumberWrong {
            return step(finding, "write the manifest anew with sequence numbers of the table")
        }
        faults[FileKey(path: finding.subject), default: []].insert(code)
        step(finding, action(code, finding))
    }

    private func action(_ code: FindingCode, _ finding: Finding) -> String {
        switch code {
        case .duplicateFile: "keep one entry of the file"
        case .entrySequenceNumberWrong: "set the sequence number to that of its commit"
        case .dataFileMissing: "drop the entry, and with it \(finding.expected.prefix { $0 != " " }) records"
        case .deleteFileMissing: "drop the entry; the rows that it deleted come back"
        case .danglingPositionDelete, .danglingDeletionVector, .danglingEqualityDelete: "drop the delete"
        default: "correct the entry by the file's footer"
        }
    }

    private mutating func planTotals(_ finding: Finding) {
        guard let id = finding.snapshotId, let key = finding.found.split(separator: " ").first else { return }
        plan.snapshotTotals[id, default: [:]][String(key)] = finding.expected
        step(finding, "set \(key) to \(finding.expected)")
    }

    private mutating func planMetadata() {
        guard plan.changesMetadata else { return }
        for change in examination.metadataChanges {
            plan.steps.append(
                RepairPlan.Step(code: .metadataMemberMissing, subject: examination.location, action: change))
        }
        // Whatever is wrong, a new file with a usual name is written.
        if examination.metadataChanges.isEmpty {
            plan.steps.append(
                RepairPlan.Step(
                    code: .metadataNameUnknown, subject: examination.location, action: "write the metadata anew"))
        }
    }

    private mutating func planSnapshot(_ metadata: TableMetadata) throws {
        // A file's twin may stand in a manifest that is fine otherwise.
        for key in examination.duplicates {
            for place in examination.index.manifests(of: key) where examination.manifests[place].isCurrent {
                rewritten.insert(examination.manifests[place].row.path)
            }
        }
        guard !isBlocked, needsList || !rewritten.isEmpty, let current = metadata.currentSnapshot else { return }
        var totals = LiveTotals()
        var isDropping = false
        for manifest in examination.manifests where manifest.isCurrent {
            guard rewritten.contains(manifest.row.path) else {
                plan.kept.append(manifest.corrected ?? manifest.row)
                if let sums = manifest.totals { totals.add(sums) }
                continue
            }
            try Manifests.forEachEntry(of: manifest.row, metadata: metadata, store: examination.store) { entry in
                guard entry.isLive else { return true }
                plan.entries.append(corrected(entry, in: manifest.row, current))
                return true
            }
        }
        keepOldestTwins()
        for entry in plan.entries {
            if entry.isLive { totals.add(entry.dataFile) } else { isDropping = isDropping || isMissing(entry) }
        }
        plan.totals = totals.values
        plan.operation = isDropping ? "delete" : "replace"
    }

    private func isMissing(_ entry: ManifestEntry) -> Bool {
        !(faults[FileKey(path: entry.dataFile.path)] ?? []).isDisjoint(with: Self.missingCodes)
    }

    private mutating func corrected(
        _ given: ManifestEntry, in row: ManifestFile, _ current: Snapshot
    ) -> ManifestEntry {
        var entry = given
        let newest = min(row.sequenceNumber, current.sequenceNumber)
        entry.sequenceNumber = max(0, min(entry.sequenceNumber ?? newest, newest))
        if entry.status == .added || (entry.fileSequenceNumber ?? 0) > newest { entry.fileSequenceNumber = newest }
        if let file = entry.fileSequenceNumber, file < entry.sequenceNumber! {
            entry.fileSequenceNumber = entry.sequenceNumber
        }
        let codes = faults[FileKey(path: entry.dataFile.path)] ?? []
        if !codes.isDisjoint(with: Self.missingCodes) {
            if entry.dataFile.content == .data {
                plan.recordsLost &+= max(0, entry.dataFile.recordCount)
            }
            entry.status = .deleted
        } else if !codes.isDisjoint(with: Self.dropCodes), examination.danglingDeletes.contains(FileKey(given.dataFile))
        {
            entry.status = .deleted
        } else if !codes.isDisjoint(with: Self.footerCodes) {
            entry.dataFile = examination.files?.corrected(entry.dataFile) ?? entry.dataFile
        }
        return entry
    }

    /// Of entries of one file, the one with the smallest sequence number stays: the file has been there since then.
    private mutating func keepOldestTwins() {
        guard !examination.duplicates.isEmpty else { return }
        var oldest: [FileKey: (number: Int64, place: Int)] = [:]
        for (place, entry) in plan.entries.enumerated() {
            let key = FileKey(entry.dataFile)
            guard examination.duplicates.contains(key) else { continue }
            let number = entry.sequenceNumber ?? 0
            if let known = oldest[key], known.number <= number { continue }
            oldest[key] = (number, place)
        }
        plan.entries = plan.entries.enumerated().filter { place, entry in
            let key = FileKey(entry.dataFile)
            return oldest[key].map { $0.place == place } ?? true
        }.map(\.element)
    }
}
