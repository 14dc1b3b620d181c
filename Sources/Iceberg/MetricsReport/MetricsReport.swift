import Base

/// What an engine tells of a scan it planned or a commit it made, as the REST catalog protocol has it.
///
/// Spec: https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml (ReportMetricsRequest)
public struct MetricsReport: Hashable, Sendable {
    /// Bytes of one report. Tables keep a number of them, and a report with a long filter is the largest there is.
    public static let bytesMax = 64 << 10
    private static let metricsMax = 200
    private static let namesMax = 10_000

    public enum Kind: String, Sendable {
        case scan = "scan-report"
        case commit = "commit-report"
    }

    public let kind: Kind
    public let snapshotId: Int64
    /// Commits only.
    public let sequenceNumber: Int64?
    /// Commits only: append, overwrite …
    public let operation: String?
    /// Scans only.
    public let schemaId: Int?
    /// Scans only, in the protocol's JSON.
    public let filter: JSONValue?
    /// Scans only.
    public let projectedFieldNames: [String]?
    /// Counters by name, and timers in nanoseconds.
    public let metrics: [String: Int64]
    /// Who reports: engine names and versions, job ids.
    public let metadata: [String: String]
    /// As it came.
    public let json: JSONValue

    /// Throws `.invalidInput` (`bad_metrics_report`), `.limitExceeded` (`metrics_report_too_large`).
    public init(json: JSONValue) throws(FirnError) {
        let reader = MetadataReader(json, source: "request", subject: "metrics report")
        do throws(FirnError) {
            try self.init(reader)
        } catch let error where error.kind == .corrupted {
            throw FirnError(.invalidInput, "bad_metrics_report", error.message)
        }
        guard json.serialize().count <= Self.bytesMax else {
            throw FirnError(
                .limitExceeded, "metrics_report_too_large", "a metrics report may have \(Self.bytesMax) bytes")
        }
    }

    private init(_ reader: MetadataReader) throws(FirnError) {
        guard reader.json.objectValue != nil else { throw reader.bad("it is not a JSON object") }
        let type = try reader.string("report-type")
        guard let kind = Kind(rawValue: type.lowercased()) else {
            throw reader.bad("\"report-type\" is neither scan-report nor commit-report")
        }
        self.kind = kind
        json = reader.json
        _ = try reader.string("table-name")
        snapshotId = try reader.long("snapshot-id")
        metrics = try Self.metrics(reader)
        metadata = try reader.strings("metadata")
        switch kind {
        case .commit:
            sequenceNumber = try reader.long("sequence-number")
            operation = try reader.string("operation")
            schemaId = nil
            filter = nil
            projectedFieldNames = nil
        case .scan:
            schemaId = try reader.int("schema-id")
            guard let predicate = reader.value("filter"), predicate.boolValue != nil || predicate.objectValue != nil
            else {
                throw reader.bad("\"filter\" is not an expression")
            }
            filter = predicate
            let names = try reader.texts("projected-field-names")
            guard try reader.longs("projected-field-ids").count <= Self.namesMax, names.count <= Self.namesMax else {
                throw reader.bad("it names more than \(Self.namesMax) columns")
            }
            projectedFieldNames = names
            sequenceNumber = nil
            operation = nil
        }
    }

    private static func metrics(_ reader: MetadataReader) throws(FirnError) -> [String: Int64] {
        let members = try reader.object("metrics").objectValue ?? []
        guard members.count <= metricsMax else { throw reader.bad("it has more than \(metricsMax) metrics") }
        var metrics: [String: Int64] = [:]
        for member in members where !member.value.isNull {
            guard let value = number(member.value) else {
                throw reader.bad("metric \"\(member.key.prefix(64))\" is neither a counter nor a timer")
            }
            metrics[member.key] = value
        }
        return metrics
    }

    private static let nanoseconds: [String: Int64] = [
        "nanoseconds": 1, "microseconds": 1000, "milliseconds": 1_000_000, "seconds": 1_000_000_000,
        "minutes": 60_000_000_000, "hours": 3_600_000_000_000, "days": 86_400_000_000_000,
    ]

    /// Nil for what is neither a counter nor a timer.
    private static func number(_ json: JSONValue) -> Int64? {
        guard let unit = json["time-unit"] else {
            return json["unit"]?.stringValue == nil ? nil : json["value"]?.intValue
        }
        guard let factor = unit.stringValue.flatMap({ nanoseconds[$0.lowercased()] }), json["count"]?.intValue != nil,
            let duration = json["total-duration"]?.intValue
        else { return nil }
        let (product, overflow) = duration.multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }
}
