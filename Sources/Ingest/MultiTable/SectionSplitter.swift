import Base
import Catalog

/// Takes a request for several tables apart.
///
/// | body | shape |
/// |---|---|
/// | NDJSON | a line for each record: `{"table": "ns.name", "record": {…}}` |
/// | JSON | sections: `[{"table": "ns.name", "records": [{…}, …]}, …]`, or one of them |
///
/// One pass over the bytes finds where the records stand; they are copied to their table's part as they are and decoded
/// there. Anything that breaks this frame refuses the whole request.
public enum SectionSplitter {
    /// Tables of one request: each costs a ledger, a section of the log record and a place in the commit.
    public static let tablesMax = 1000

    /// The parts, sorted by table, so that requests take their tables' locks in one order.
    ///
    /// Throws `.invalidInput` (`malformed_json`, `bad_section`, `bad_identifier`, `table_twice`, `unsupported_format`)
    /// with the line at fault, `.limitExceeded` (`too_many_tables`).
    public static func split(_ body: [UInt8], format: RecordFormat) throws(FirnError) -> [IngestRequest.Part] {
        guard format == .ndjson || format == .json else {
            throw FirnError(
                .invalidInput, "unsupported_format",
                "a request for several tables is application/x-ndjson or application/json")
        }
        let padded = body + [UInt8](repeating: 0, count: 64)
        let result = padded.withUnsafeBufferPointer { bytes in
            Result { () throws(FirnError) -> [IngestRequest.Part] in
                var walk = SectionWalk(start: bytes.baseAddress!, end: bytes.baseAddress! + body.count)
                return format == .ndjson ? try walk.lines() : try walk.sections()
            }
        }
        return try result.get().sorted { $0.table < $1.table }
    }
}

/// The walk over one body, which is followed by 64 zero bytes.
private struct SectionWalk {
    private let start: Cursor
    private let end: Cursor
    private var parts: [TableIdentifier: IngestRequest.Part] = [:]
    /// Spellings met so far; most lines repeat one.
    private var tables: [[UInt8]: TableIdentifier] = [:]

    init(start: Cursor, end: Cursor) {
        self.start = start
        self.end = end
    }

    mutating func lines() throws(FirnError) -> [IngestRequest.Part] {
        let scan = JSONScan(multiline: false)
        var p = start
        var line = 0
        while p < end {
            line += 1
            p = scan.space(p)
            if p < end, p.pointee != Byte.newline {
                let frame = try frame(&p, scan, content: "record", line: line)
                guard frame.content.first == Byte.openBrace else {
                    throw Self.bad("\"record\" must be an object", line: line)
                }
                try append(frame, line: line)
                p = scan.space(p)
                guard p == end || p.pointee == Byte.newline else {
                    throw Self.bad("something follows the object", line: line)
                }
            }
            p += 1
        }
        return Array(parts.values)
    }

    private mutating func append(_ frame: Frame, line: Int) throws(FirnError) {
        let table = try identifier(frame.table, line: line)
        var part = parts.removeValue(forKey: table) ?? IngestRequest.Part(table: table, body: [], format: .ndjson)
        part.body += frame.content
        part.body.append(Byte.newline)
        part.lines.append(Int32(clamping: line))
        parts[table] = part
    }

    mutating func sections() throws(FirnError) -> [IngestRequest.Part] {
        let scan = JSONScan(multiline: true)
        var p = scan.space(start)
        var number = 1
        if p.pointee == Byte.openBracket {
            p = scan.space(p + 1)
            while p.pointee != Byte.closeBracket {
                try section(&p, scan, number)
                p = scan.space(p)
                if p.pointee == Byte.comma {
                    p = scan.space(p + 1)
                    number += 1
                    guard p.pointee != Byte.closeBracket else { throw Self.bad("a comma too many", line: number) }
                } else if p.pointee != Byte.closeBracket {
                    throw Self.bad("the array of sections breaks off", line: number)
                }
            }
            p += 1
        } else {
            try section(&p, scan, number)
        }
        guard scan.space(p) == end else { throw Self.bad("something follows the sections", line: number) }
        return Array(parts.values)
    }

    private mutating func section(_ p: inout Cursor, _ scan: JSONScan, _ number: Int) throws(FirnError) {
        let frame = try frame(&p, scan, content: "records", line: number)
        guard frame.content.first == Byte.openBracket else {
            throw Self.bad("\"records\" must be an array", line: number)
        }
        let table = try identifier(frame.table, line: number)
        guard parts[table] == nil else {
            throw FirnError(.invalidInput, "table_twice", "two sections are for \(table)")
        }
        parts[table] = IngestRequest.Part(table: table, body: Array(frame.content), format: .json)
    }

    // MARK: Frames

    private struct Frame {
        let table: UnsafeBufferPointer<UInt8>
        let content: UnsafeBufferPointer<UInt8>
    }

    /// Reads `{"table": …, "<content>": …}`, the members in any order.
    private func frame(
        _ p: inout Cursor, _ scan: JSONScan, content: StaticString, line: Int
    ) throws(FirnError) -> Frame {
        var table: UnsafeBufferPointer<UInt8>?
        var value: UnsafeBufferPointer<UInt8>?
        let expected = "an object with \"table\" and \"\(content)\""
        guard p.pointee == Byte.openBrace else { throw Self.bad("expected \(expected)", line: line) }
        do throws(Fault) {
            p = scan.space(p + 1)
            while p.pointee == Byte.quote {
                let key = p
                p = try scan.skipValue(p, depth: 0)
                let name = UnsafeBufferPointer(start: key + 1, count: p - key - 2)
                p = scan.space(p)
                guard p.pointee == Byte.colon else { throw Fault(.syntax, p) }
                p = scan.space(p + 1)
                let begin = p
                p = try scan.skipValue(p, depth: 1)
                let span = UnsafeBufferPointer(start: begin, count: p - begin)
                if name.elementsEqual("table".utf8), table == nil {
                    table = span
                } else if name.elementsEqual(content.description.utf8), value == nil {
                    value = span
                } else {
                    throw Fault(.unknownColumn, key)
                }
                p = scan.space(p)
                guard p.pointee == Byte.comma else { break }
                p = scan.space(p + 1)
                guard p.pointee == Byte.quote else { throw Fault(.syntax, p) }
            }
            guard p.pointee == Byte.closeBrace else { throw Fault(.syntax, p) }
            p += 1
        } catch {
            guard error.reason == .unknownColumn else {
                throw FirnError(
                    .invalidInput, error.code, "record \(line) is not valid JSON",
                    context: ["line": String(line), "offset": String(error.at - start)])
            }
            throw Self.bad("a member is there twice or unknown; expected \(expected)", line: line)
        }
        guard let table, let value else { throw Self.bad("expected \(expected)", line: line) }
        return Frame(table: table, content: value)
    }

    private mutating func identifier(_ text: UnsafeBufferPointer<UInt8>, line: Int) throws(FirnError) -> TableIdentifier
    {
        let spelling = Array(text)
        if let known = tables[spelling] { return known }
        guard let name = try JSONValue(parsing: spelling, source: "table name").stringValue else {
            throw Self.bad("\"table\" must be text such as \"sales.orders\"", line: line)
        }
        guard tables.count < SectionSplitter.tablesMax else {
            throw FirnError(
                .limitExceeded, "too_many_tables", "a request may name \(SectionSplitter.tablesMax) tables")
        }
        let identifier = try TableIdentifier(parsing: name)
        tables[spelling] = identifier
        return identifier
    }

    private static func bad(_ message: String, line: Int) -> FirnError {
        FirnError(.invalidInput, "bad_section", "record \(line): \(message)", context: ["line": String(line)])
    }
}
