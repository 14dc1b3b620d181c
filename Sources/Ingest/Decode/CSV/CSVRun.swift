import Base
import CPlatform
import Columnar

/// One CSV body on its way into the columns.
///
/// 1. The header line assigns a column, or none, to every place in a record.
/// 2. Each field is found where it lies and converted as the same text in JSON would be.
/// 3. After a fault the rest of the record is only scanned for its end, and what it wrote is taken back.
///
/// A quoted field that never ends refuses the body as a whole, for nothing shows where its record ends.
struct CSVRun {
    let parser: RecordParser
    let schema: Schema
    let paths: [String]
    let types: [DataType]
    let options: DecoderOptions
    let scan: CSVScan
    private(set) var rejections: RejectionList
    private(set) var header: [[UInt8]] = []
    /// Node of every place in a record; -1 for one that no column takes.
    private let places = Buffer<Int32>()
    /// Columns that the header does not name.
    private var absent: [Int32] = []
    private var line = 1
    private let scratch = Buffer<UInt8>(capacity: 1024)

    init(
        parser: RecordParser, schema: Schema, paths: [String], types: [DataType], options: DecoderOptions, end: Cursor
    ) {
        self.parser = parser
        self.schema = schema
        self.paths = paths
        self.types = types
        self.options = options
        scan = CSVScan(end: end)
        rejections = RejectionList(options)
    }

    private var root: UnsafeMutablePointer<DecodeNode> { parser.tree.nodes }

    // MARK: - Header

    private mutating func readHeader(_ start: Cursor) throws(FirnError) -> Cursor {
        let begin = scan.behindMark(start)
        guard begin < scan.end else {
            throw refused("missing_header", "A CSV body begins with a header line that names the columns.")
        }
        guard let (names, next) = scan.header(begin) else {
            throw refused(RejectionCode.malformedCSV, "The header line is not CSV as RFC 4180 defines it.")
        }
        header = names
        var byName: [[UInt8]: Int32] = [:]
        for (offset, field) in schema.fields.enumerated() {
            byName[Array(field.name.utf8)] = root.pointee.firstChild + Int32(offset)
        }
        var used: Set<[UInt8]> = []
        for name in names {
            let text = String(decoding: name, as: UTF8.self)
            guard used.insert(name).inserted else {
                throw refused(RejectionCode.duplicateKey, "The header names '\(text)' twice.", column: text)
            }
            guard byName[name] != nil || options.unknownColumns == .ignore else { throw .unknownSourceColumn(text) }
            places.append(byName.removeValue(forKey: name) ?? -1)
        }
        absent = byName.values.sorted()
        if let column = absent.first(where: {
            parser.node($0).pointee.required && parser.node($0).pointee.defaultBytes == 0
        }) {
            throw .missingSourceColumn(paths[Int(column)])
        }
        line += names.reduce(1) { $0 + $1.count { $0 == Byte.newline } }
        return next
    }

    private func refused(_ code: String, _ message: String, column: String? = nil) -> FirnError {
        FirnError(.invalidInput, code, message, context: column.map { ["column": $0] } ?? ["line": String(line)])
    }

    // MARK: - Records

    /// Decodes the text from `start` on.
    mutating func records(_ start: Cursor) throws(FirnError) {
        var p = try readHeader(start)
        while p < scan.end {
            let blank = scan.lineEnd(p)
            if blank > 0 {
                p += blank
                line += 1
                continue
            }
            let begin = p
            let budget = parser.state.pointee.budget
            var record = Record()
            try read(&p, &record)
            if record.fault == nil { finish(begin, p, &record) }
            if let fault = record.fault {
                if fault.reason == .batchSize { throw tooLarge() }
                let rows = root.pointee.rows
                for child in 0..<root.pointee.childCount {
                    parser.tree.truncate(root.pointee.firstChild + child, to: rows)
                }
                parser.state.pointee.budget = budget
                try reject(fault, record, begin, p)
            } else {
                root.pointee.rows &+= 1
            }
            line += 1
            if record.hasQuotes {
                line += UnsafeBufferPointer(start: begin, count: p - begin).count { $0 == Byte.newline } - 1
            }
        }
    }

    private struct Record {
        var fields = 0
        var hasQuotes = false
        var fault: Fault?
        /// Of the field at fault.
        var node: Int32 = -1
        var shown: (Cursor, Cursor)?
    }

    /// Reads one record up to the next; `p` moves behind it.
    private mutating func read(_ p: inout Cursor, _ record: inout Record) throws(FirnError) {
        do throws(Fault) {
            try parser.spend(root.pointee.rowBytes, p)
        } catch { throw tooLarge() }
        let (scan, places, count) = (scan, places.pointer, places.count)
        var index = 0
        while true {
            guard let field = scan.field(p) else {
                throw refused(RejectionCode.malformedCSV, "The quotes of a field of this record are never closed.")
            }
            if field.isQuoted { record.hasQuotes = true }
            if index < count, record.fault == nil, places[index] >= 0 {
                do throws(Fault) {
                    try store(field, parser.node(places[index]), places[index])
                } catch {
                    note(error, field, places[index], &record)
                }
            }
            index &+= 1
            p = field.next
            if p < scan.end, p.pointee == Byte.comma {
                p += 1
                continue
            }
            record.fields = index
            let end = scan.lineEnd(p)
            if end == 0, p < scan.end {
                record.fault = Fault(.csvQuote, p)
                record.node = -1
                p = scan.nextLine(p)
                return
            }
            p += end
            return
        }
    }

    /// Checks a record as a whole and gives nulls to the columns that the header lacks.
    private func finish(_ begin: Cursor, _ end: Cursor, _ record: inout Record) {
        guard record.fields == places.count else {
            record.fault = Fault(.csvFields, begin)
            return
        }
        guard end - begin <= options.recordBytesMax else {
            record.fault = Fault(.recordSize, begin)
            return
        }
        do throws(Fault) {
            for child in absent { try parser.putMissing(child, begin) }
        } catch { record.fault = error }
    }

    private func tooLarge() -> FirnError { .batchTooLarge(options.batchBytesMax).adding(["line": String(line)]) }

    // MARK: - Fields

    @inline(__always)
    private func store(
        _ field: CSVField, _ node: UnsafeMutablePointer<DecodeNode>, _ place: Int32
    ) throws(Fault) {
        if field.count == 0, !field.isQuoted {
            guard !node.pointee.required else { throw Fault(.null, field.start, node: place) }
            parser.tree.putNull(place)
        } else if node.pointee.kind == .string {
            try CSVText.store(field, node, parser.tree)
        } else if field.hasDoubled || !node.pointee.kind.isPrimitive {
            try convertCopy(field, node)
        } else {
            try CSVText.convert(field.bytes, node, parser, at: field.shown)
        }
    }

    @inline(never) private func note(_ fault: Fault, _ field: CSVField, _ place: Int32, _ record: inout Record) {
        record.fault = fault
        record.node = place
        record.shown = (field.shown, field.isQuoted ? field.next : field.end)
        if fault.at < field.shown || fault.at > field.next {
            record.shown = (UnsafePointer(scratch.pointer), UnsafePointer(scratch.pointer) + scratch.count)
        }
    }

    /// Converts a field from a copy without doubled quotes, followed by zeros: JSON, or text that was quoted twice.
    private func convertCopy(_ field: CSVField, _ node: UnsafeMutablePointer<DecodeNode>) throws(Fault) {
        scratch.removeAll()
        scratch.reserve(field.count + 64)
        field.content().withUnsafeBufferPointer { scratch.append($0) }
        let used = scratch.count
        (scratch.pointer + used).update(repeating: 0, count: 64)
        let start = UnsafePointer(scratch.pointer)
        guard !node.pointee.kind.isPrimitive else {
            return try CSVText.convert(UnsafeBufferPointer(start: start, count: used), node, parser, at: start)
        }
        if node.pointee.kind == .variant, JSONScan.validate(scratch.array) != nil {
            let text = UnsafeBufferPointer(start: start, count: used)
            guard UTF8Check.firstBad(text) == nil else { throw Fault(.encoding, start, node: node.pointee.index) }
            return try parser.putVariant(.string(Array(text)), node, start)
        }
        let end = try parser.scan.space(parser.value(node, parser.scan.space(start), depth: 0))
        guard end == start + used else { throw Fault(.trailing, end) }
    }

    // MARK: - Rejections

    private mutating func reject(
        _ fault: Fault, _ record: Record, _ begin: Cursor, _ end: Cursor
    ) throws(FirnError) {
        let payload = CSVPayload(header: header, places: places.array, nodes: root, scan: scan)
        let (line, paths, types, headerCount) = (line, paths, types, header.count)
        let fits = rejections.add(budget: &parser.state.pointee.budget) {
            payload.json(begin, end, isBroken: fault.reason == .csvQuote)
        } because: {
            let (from, to) = record.shown ?? (begin, end)
            let why = FaultMessage(fault: fault, begin: from, end: to, paths: paths, types: types)
            let column = why.column ?? (record.node >= 0 ? paths[Int(record.node)] : nil)
            let text =
                fault.reason == .csvFields
                ? "the record has \(record.fields) fields, the header \(headerCount)" : why.text
            return Rejection(line: line, column: column, code: fault.code, message: text)
        }
        guard fits else { throw tooLarge() }
    }
}

extension DecodeNode.Kind {
    var isPrimitive: Bool { self != .structure && self != .list && self != .map && self != .variant }
}

extension FirnError {
    /// A column of a body with columns of its own that the table lacks.
    static func unknownSourceColumn(_ path: String) -> FirnError {
        FirnError(
            .invalidInput, RejectionCode.unknownColumn,
            "The table has no column '\(path)'. Add it to the table, leave it out of the body, or set the table's "
                + "property \(DecodeSettings.unknownColumnsProperty) to ignore.",
            context: ["column": path])
    }

    /// A required column of the table that such a body lacks.
    static func missingSourceColumn(_ path: String) -> FirnError {
        FirnError(
            .invalidInput, RejectionCode.missingRequired, "The body lacks the required column '\(path)'.",
            context: ["column": path])
    }
}
