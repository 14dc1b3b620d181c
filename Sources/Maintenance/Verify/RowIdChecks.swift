import Iceberg

/// Row ids of version 3: ranges of data files, which must not overlap within a snapshot.
///
/// Spec: https://iceberg.apache.org/spec/#row-lineage
struct RowIdChecks {
    private struct Range {
        let first: Int64
        let end: Int64
    }

    private let nextRowId: Int64
    private var ranges: [Range] = []

    init(nextRowId: Int64) { self.nextRowId = nextRowId }

    /// A live data file with its first id, its own or inherited; nil for one that has none yet.
    mutating func add(_ file: DataFile, firstRowId: Int64?) -> [Finding] {
        guard let first = firstRowId, file.recordCount > 0 else { return [] }
        let (sum, overflow) = first.addingReportingOverflow(file.recordCount)
        let end = overflow ? .max : sum
        ranges.append(Range(first: first, end: end))
        guard first < 0 || end > nextRowId else { return [] }
        return [
            Finding(
                .rowIdsWrong, file.path, found: "rows \(first) to \(end &- 1)",
                expected: "0 to \(nextRowId &- 1), below next-row-id")
        ]
    }

    /// One finding for each file whose rows another one claims as well.
    mutating func finish(_ subject: String) -> [Finding] {
        ranges.sort { $0.first < $1.first }
        var findings: [Finding] = []
        var end: Int64 = .min
        for range in ranges {
            if range.first < end {
                findings.append(
                    Finding(
                        .rowIdsOverlap, subject, found: "row id \(range.first) in two files",
                        expected: "ids of their own"))
            }
            end = max(end, range.end)
        }
        return findings
    }
}
