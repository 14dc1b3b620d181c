import Base
import Catalog

/// One request on its way in: a body for one table, or bodies for several that land together or not at all.
public struct IngestRequest: Sendable {
    public struct Part: Sendable {
        public var table: TableIdentifier
        /// After `Content-Encoding` was undone.
        public var body: [UInt8]
        public var format: RecordFormat
        /// The line of the request that each record of `body` stood on; empty when they are the body's own.
        public var lines: [Int32]

        public init(table: TableIdentifier, body: [UInt8], format: RecordFormat, lines: [Int32] = []) {
            self.table = table
            self.body = body
            self.format = format
            self.lines = lines
        }
    }

    /// At least one; no table twice.
    public var parts: [Part]
    public var stamp: ProducerStamp
    /// Answer when the records are in a snapshot, not when they are durable.
    public var waitCommitted: Bool
    /// A request for several tables is refused when a record is, and answers table by table.
    public var isMultiTable: Bool

    public init(
        table: TableIdentifier, body: [UInt8], format: RecordFormat, stamp: ProducerStamp = .none,
        waitCommitted: Bool = false
    ) {
        parts = [Part(table: table, body: body, format: format)]
        self.stamp = stamp
        self.waitCommitted = waitCommitted
        isMultiTable = false
    }

    public init(parts: [Part], stamp: ProducerStamp = .none, waitCommitted: Bool = false) {
        self.parts = parts
        self.stamp = stamp
        self.waitCommitted = waitCommitted
        isMultiTable = true
    }

    var byteCount: Int { parts.reduce(0) { $0 + $1.body.count } }
}
