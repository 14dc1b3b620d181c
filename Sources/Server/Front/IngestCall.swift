import Base
import Catalog
import Ingest

/// Where the records of a request go.
enum IngestTarget: Sendable {
    case table(TableIdentifier)
    /// The body names the tables.
    case several

    /// Stands for the table in the accounts of requests for several.
    static let severalName = "*"

    var isSeveral: Bool { if case .several = self { true } else { false } }
}

/// One `POST …/records` or `POST /v1/records`, read from its head.
struct IngestCall: Sendable {
    var target: IngestTarget
    /// Names the target in the accounts of `Admission`.
    var shareName: String
    var format: RecordFormat
    var coding: ContentCoding?
    var stamp: ProducerStamp
    var waitsForCommit: Bool

    /// A producer's batches are numbered, so they go one after the other even when they come in one go.
    var isOrdered: Bool { if case .sequence = stamp { true } else { false } }
}

/// Reads the heads of one connection's ingest requests, and remembers what most of them repeat: the path and the type.
struct IngestHeads {
    private static let prefix: StaticString = "/v1/tables/"
    private static let suffix: StaticString = "/records"
    private static let severalPath = Array("/v1/records".utf8)

    private var path: [UInt8] = []
    private var target: IngestTarget?
    private var shareName = ""
    private var type: [UInt8] = []
    private var format = RecordFormat.ndjson

    /// Nil when the request is not an ingest request. Throws what is wrong with one.
    mutating func call(_ head: RequestHead) throws(FirnError) -> IngestCall? {
        guard head.method.count == 4, head.matches(head.method, Array("POST".utf8)) else { return nil }
        if target == nil || !head.matches(head.target, path) {
            if head.matches(head.target, Self.severalPath) {
                target = .several
                shareName = IngestTarget.severalName
            } else {
                guard let names = Self.tableNames(head) else { return nil }
                let table = try Self.table(names)
                target = .table(table)
                shareName = table.description
            }
            path = Array(head.bytes[head.target])
        }
        return IngestCall(
            target: target!, shareName: shareName, format: try format(head),
            coding: try head.value(.contentEncoding) == nil ? nil : ContentCoding(header: head.text(.contentEncoding)),
            stamp: try stamp(head), waitsForCommit: RecordRoutes.waitsForCommit(prefer: head.text(.prefer)))
    }

    private mutating func format(_ head: RequestHead) throws(FirnError) -> RecordFormat {
        guard let range = head.value(.contentType) else { return try RecordRoutes.format(nil) }
        if head.matches(range, type) { return format }
        let read = try RecordRoutes.format(head.text(range))
        type = Array(head.bytes[range])
        format = read
        return read
    }

    private func stamp(_ head: RequestHead) throws(FirnError) -> ProducerStamp {
        try RecordRoutes.stamp(
            key: head.text(.idempotencyKey), producer: head.text(.firnProducer), epoch: head.text(.firnEpoch),
            sequence: head.text(.firnSequence))
    }

    /// The two names in `/v1/tables/{namespace}/{table}/records`, as they stand there.
    private static func tableNames(_ head: RequestHead) -> (Substring, Substring)? {
        guard head.target.count > prefix.utf8CodeUnitCount + suffix.utf8CodeUnitCount else { return nil }
        var path = head.text(head.target)[...]
        if let query = path.firstIndex(of: "?") { path = path[..<query] }
        guard path.hasPrefix("\(prefix)"), path.hasSuffix("\(suffix)") else { return nil }
        let names = path.dropFirst(prefix.utf8CodeUnitCount).dropLast(suffix.utf8CodeUnitCount)
            .split(separator: "/", omittingEmptySubsequences: false)
        guard names.count == 2, !names[0].isEmpty, !names[1].isEmpty else { return nil }
        return (names[0], names[1])
    }

    private static func table(_ names: (Substring, Substring)) throws(FirnError) -> TableIdentifier {
        guard let namespace = String(names.0).removingPercentEscapes,
            let name = String(names.1).removingPercentEscapes
        else { throw FirnError(.invalidInput, "bad_path", "the path holds a broken percent escape") }
        return try TableIdentifier(
            namespace: namespace.split(separator: ".", omittingEmptySubsequences: false).map(String.init), name: name)
    }
}
