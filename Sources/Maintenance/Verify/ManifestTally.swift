import Base
import Columnar
import Iceberg

/// Sums of live files, as a snapshot's summary has them.
struct LiveTotals: Hashable, Sendable {
    private(set) var values: [String: Int64] = [:]

    /// The keys of a summary that are checked.
    static let keys = [
        "total-data-files", "total-delete-files", "total-records", "total-files-size", "total-position-deletes",
        "total-equality-deletes",
    ]

    init() { for key in Self.keys { values[key] = 0 } }

    mutating func add(_ file: DataFile) { file.count(into: &values) }

    mutating func add(_ other: LiveTotals) {
        for (key, value) in other.values { values[key] = (values[key] ?? 0) &+ value }
    }
}

/// Recomputes a manifest's row of the manifest list from the manifest's entries.
///
/// Spec: https://iceberg.apache.org/spec/#manifest-lists
struct ManifestTally {
    private var files: [ManifestEntry.Status: Int] = [:]
    private var rows: [ManifestEntry.Status: Int64] = [:]
    private var minSequenceNumber: Int64?
    private var fields: [PartitionRange]
    private(set) var totals = LiveTotals()

    init(partitionFields: [Field]) { fields = partitionFields.map { PartitionRange($0) } }

    mutating func add(_ entry: ManifestEntry) {
        files[entry.status, default: 0] += 1
        rows[entry.status, default: 0] &+= entry.dataFile.recordCount
        guard entry.isLive else { return }
        totals.add(entry.dataFile)
        let number = entry.sequenceNumber ?? 0
        minSequenceNumber = min(number, minSequenceNumber ?? number)
        for (index, value) in entry.dataFile.partition.enumerated() where index < fields.count {
            fields[index].add(value)
        }
    }

    /// What the row says wrongly.
    func findings(_ row: ManifestFile) -> [Finding] {
        var findings: [Finding] = []
        func compare(_ name: String, _ recorded: Int64?, _ actual: Int64) {
            guard let recorded, recorded != actual else { return }
            findings.append(
                Finding(.manifestCountsWrong, row.path, found: "\(name) \(recorded)", expected: String(actual)))
        }
        compare("added_files_count", row.addedFilesCount.map(Int64.init), Int64(files[.added] ?? 0))
        compare("existing_files_count", row.existingFilesCount.map(Int64.init), Int64(files[.existing] ?? 0))
        compare("deleted_files_count", row.deletedFilesCount.map(Int64.init), Int64(files[.deleted] ?? 0))
        compare("added_rows_count", row.addedRowsCount, rows[.added] ?? 0)
        compare("existing_rows_count", row.existingRowsCount, rows[.existing] ?? 0)
        compare("deleted_rows_count", row.deletedRowsCount, rows[.deleted] ?? 0)
        if let least = minSequenceNumber, row.minSequenceNumber > least {
            findings.append(
                Finding(
                    .manifestMinSequenceNumberWrong, row.path, found: "min_sequence_number \(row.minSequenceNumber)",
                    expected: "at most \(least)"))
        }
        guard let summaries = row.partitions, !summaries.isEmpty else { return findings }
        guard summaries.count == fields.count else {
            findings.append(
                Finding(
                    .partitionSummaryNarrow, row.path, found: "\(summaries.count) partition summaries",
                    expected: "\(fields.count)"))
            return findings
        }
        for (range, summary) in zip(fields, summaries) {
            guard let fault = range.fault(summary) else { continue }
            findings.append(
                Finding(
                    .partitionSummaryNarrow, row.path, found: "partition field \"\(range.field.name)\": \(fault.found)",
                    expected: fault.expected))
        }
        return findings
    }

    /// The row as it should be.
    func corrected(_ row: ManifestFile, length: Int) -> ManifestFile {
        var row = row
        row.length = Int64(length)
        row.addedFilesCount = files[.added] ?? 0
        row.existingFilesCount = files[.existing] ?? 0
        row.deletedFilesCount = files[.deleted] ?? 0
        row.addedRowsCount = rows[.added] ?? 0
        row.existingRowsCount = rows[.existing] ?? 0
        row.deletedRowsCount = rows[.deleted] ?? 0
        if let least = minSequenceNumber { row.minSequenceNumber = min(row.minSequenceNumber, least) }
        row.partitions = fields.isEmpty ? nil : fields.map(\.summary)
        return row
    }
}

/// The values of one partition field in the live files of a manifest.
private struct PartitionRange {
    let field: Field
    private var hasNull = false
    private var hasNaN = false
    private var lower: Value?
    private var upper: Value?

    init(_ field: Field) { self.field = field }

    mutating func add(_ given: Value) {
        let value = given.fitting(field.type) ?? given
        if value == .null {
            hasNull = true
        } else if ValueOrder.isNaN(value) {
            hasNaN = true
        } else {
            if lower == nil || ValueOrder.compare(value, lower!) == .less { lower = value }
            if upper == nil || ValueOrder.compare(value, upper!) == .greater { upper = value }
        }
    }

    /// Why the summary excludes a file that is there; wider than needed is fine.
    func fault(_ summary: ManifestFile.FieldSummary) -> (found: String, expected: String)? {
        if hasNull, !summary.containsNull { return ("no null", "a null") }
        if hasNaN, summary.containsNaN == false { return ("no NaN", "a NaN") }
        if let lower, let bytes = summary.lowerBound {
            guard let bound = SingleValue.decode(bytes, field.type) else { return ("a malformed bound", "a bound") }
            if ValueOrder.compare(bound, lower) == .greater {
                return ("lower bound \(bound.shown)", "at most \(lower.shown)")
            }
        }
        if let upper, let bytes = summary.upperBound {
            guard let bound = SingleValue.decode(bytes, field.type) else { return ("a malformed bound", "a bound") }
            if ValueOrder.compare(bound, upper) == .less {
                return ("upper bound \(bound.shown)", "at least \(upper.shown)")
            }
        }
        return nil
    }

    var summary: ManifestFile.FieldSummary {
        ManifestFile.FieldSummary(
            containsNull: hasNull, containsNaN: hasNaN, lowerBound: lower.flatMap(SingleValue.encode),
            upperBound: upper.flatMap(SingleValue.encode))
    }
}

extension Value {
    /// For findings: short, whatever the value.
    var shown: String {
        let text: String
        switch self {
        case .null: text = "null"
        case .boolean(let v): text = "\(v)"
        case .int(let v), .date(let v): text = "\(v)"
        case .long(let v), .time(let v), .timestamp(let v), .timestamptz(let v), .timestampNs(let v),
            .timestamptzNs(let v):
            text = "\(v)"
        case .float(let v): text = "\(v)"
        case .double(let v): text = "\(v)"
        case .decimal(let unscaled, let scale): text = "\(unscaled)e-\(scale)"
        case .string(let v): text = "\"\(v)\""
        case .uuid(let v): text = v.description
        case .binary(let v): text = "\(v.count) bytes"
        default: text = "a nested value"
        }
        return text.count > 80 ? text.prefix(79) + "…" : text
    }
}
