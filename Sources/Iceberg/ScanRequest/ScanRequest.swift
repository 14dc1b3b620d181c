import Base
import Columnar

/// What a client asks to be planned.
///
/// Spec: https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml (PlanTableScanRequest)
public struct ScanRequest: Hashable, Sendable {
    /// Bytes of the filter as JSON: every task's answer carries what is left of it.
    static let filterBytesMax = 1 << 20
    private static let namesMax = 10_000

    /// The rows in question.
    public enum Range: Hashable, Sendable {
        /// Of the table as it is.
        case current
        case snapshot(Int64)
        /// What appends after the first (nil for the beginning of the history) and up to the last added.
        case appends(after: Int64?, upTo: Int64)
    }

    public var range = Range.current
    /// Nil for all rows.
    public var filter: JSONValue?
    public var isCaseSensitive = true
    /// Names are those of the snapshot's own schema rather than of the table's.
    public var usesSnapshotSchema = false
    /// Columns whose counts and bounds the client wants to see.
    public var statisticsFields: [String] = []
    /// A hint: fewer files will do once these many rows are certain.
    public var rowsMin: Int64?

    public init() {}

    /// Throws `.invalidInput` (`bad_scan_request`), `.limitExceeded` (`filter_too_large`).
    public init(json: JSONValue) throws(FirnError) {
        guard json.objectValue != nil else { throw Self.bad("the request is not a JSON object") }
        let reader = MetadataReader(json, source: "request", subject: "scan request")
        do throws(FirnError) {
            range = try Self.range(reader)
            isCaseSensitive = try Self.flag(reader, "case-sensitive") ?? true
            usesSnapshotSchema = try Self.flag(reader, "use-snapshot-schema") ?? false
            statisticsFields = try Self.names(reader, "stats-fields")
            // A projection changes no plan.
            _ = try Self.names(reader, "select")
            rowsMin = try reader.optionalLong("min-rows-requested")
        } catch let error where error.kind == .corrupted {
            throw Self.bad(error.message)
        }
        filter = reader.value("filter")
        if let filter, filter.serialize().count > Self.filterBytesMax {
            throw FirnError(
                .limitExceeded, "filter_too_large",
                "a filter may have \(Self.filterBytesMax) bytes; plan this scan in the client")
        }
    }

    private static func range(_ reader: MetadataReader) throws(FirnError) -> Range {
        let snapshot = try reader.optionalLong("snapshot-id")
        let start = try reader.optionalLong("start-snapshot-id")
        guard let end = try reader.optionalLong("end-snapshot-id") else {
            guard start == nil else { throw bad("\"start-snapshot-id\" needs \"end-snapshot-id\"") }
            return snapshot.map { .snapshot($0) } ?? .current
        }
        guard snapshot == nil else {
            throw bad("give either \"snapshot-id\" or \"start-snapshot-id\" and \"end-snapshot-id\"")
        }
        return .appends(after: start, upTo: end)
    }

    private static func flag(_ reader: MetadataReader, _ key: String) throws(FirnError) -> Bool? {
        guard let value = reader.value(key) else { return nil }
        guard let flag = value.boolValue else { throw bad("\"\(key)\" is neither true nor false") }
        return flag
    }

    private static func names(_ reader: MetadataReader, _ key: String) throws(FirnError) -> [String] {
        guard reader.value(key) != nil else { return [] }
        let names = try reader.texts(key)
        guard names.count <= namesMax else { throw bad("\"\(key)\" names more than \(namesMax) columns") }
        return names
    }

    private static func bad(_ message: String) -> FirnError {
        FirnError(.invalidInput, "bad_scan_request", message)
    }
}
