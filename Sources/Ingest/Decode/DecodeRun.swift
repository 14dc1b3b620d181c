import Base
import Columnar
import Glibc

/// One body on its way through the parser: finds the records, takes bad ones back and collects why.
struct DecodeRun {
    let parser: RecordParser
    let paths: [String]
    let types: [DataType]
    let options: DecoderOptions
    private(set) var rejections: RejectionList
    private var line = 0

    init(parser: RecordParser, paths: [String], types: [DataType], options: DecoderOptions) {
        self.parser = parser
        self.paths = paths
        self.types = types
        self.options = options
        rejections = RejectionList(options)
    }

    private var root: UnsafeMutablePointer<DecodeNode> { parser.tree.nodes }

    // MARK: - NDJSON

    /// Decodes the lines from `start` to `end`. What follows `end` must satisfy `JSONScan`.
    mutating func lines(_ start: Cursor, _ end: Cursor) throws(FirnError) {
        var p = start
        while p < end {
            line += 1
            let begin = p
            p = parser.scan.space(p)
            if p.pointee == Byte.newline, p < end {
                p += 1
                continue
            }
            if p == end { return }
            let rows = root.pointee.rows
            let budget = parser.state.pointee.budget
            do throws(Fault) {
                if end - begin > options.recordBytesMax { try checkLength(begin) }
                try parser.spend(root.pointee.rowBytes, p)
                p = try parser.scan.space(parser.record(p))
                if p.pointee == Byte.newline, p < end {
                    p += 1
                } else if p != end {
                    throw Fault(.trailing, p)
                }
            } catch {
                if error.reason == .batchSize { throw tooLarge() }
                parser.undo(to: rows)
                parser.state.pointee.budget = budget
                p = nextLine(error.at, end)
                try reject(error, begin, min(p, end))
            }
        }
    }

    /// Throws when the line at `begin`, with more than the bound left behind it, is longer than the bound.
    private func checkLength(_ begin: Cursor) throws(Fault) {
        guard memchr(begin, Int32(Byte.newline), options.recordBytesMax + 1) != nil else {
            throw Fault(.recordSize, begin)
        }
    }

    /// Behind the newline that ends the line of `p`, or `end`.
    private func nextLine(_ p: Cursor, _ end: Cursor) -> Cursor {
        guard p < end, let newline = memchr(p, Int32(Byte.newline), end - p) else { return end }
        return Cursor(newline.assumingMemoryBound(to: UInt8.self)) + 1
    }

    // MARK: - JSON

    /// Decodes one object or one array of objects that must fill the text from `start` to `end`.
    mutating func whole(_ start: Cursor, _ end: Cursor) throws(FirnError) {
        do throws(Fault) {
            var p = parser.scan.space(start)
            if p.pointee == Byte.openBracket {
                p = try array(p)
            } else {
                p = try element(p)
            }
            p = parser.scan.space(p)
            guard p == end else { throw Fault(.trailing, p) }
        } catch {
            if error.reason == .batchSize { throw tooLarge() }
            let why = FaultMessage(fault: error, begin: start, end: end, paths: paths, types: types)
            let place = line > 0 ? ["line": String(line), "offset": String(error.at - start)] : [:]
            throw FirnError(
                .invalidInput, error.code, "The body was refused as a whole: \(why.text)", context: place)
        }
    }

    private mutating func array(_ start: Cursor) throws(Fault) -> Cursor {
        var p = parser.scan.space(start + 1)
        if p.pointee == Byte.closeBracket { return p + 1 }
        while true {
            p = try parser.scan.space(element(p))
            if p.pointee == Byte.closeBracket { return p + 1 }
            guard p.pointee == Byte.comma else { throw Fault(.syntax, p) }
            p = parser.scan.space(p + 1)
        }
    }

    /// Decodes or rejects one record; throws when the text is broken, for then nothing shows where it ends.
    private mutating func element(_ p: Cursor) throws(Fault) -> Cursor {
        line += 1
        let rows = root.pointee.rows
        let budget = parser.state.pointee.budget
        do throws(Fault) {
            try parser.spend(root.pointee.rowBytes, p)
            let end = try parser.record(p)
            guard end - p <= options.recordBytesMax else { throw Fault(.recordSize, p) }
            return end
        } catch {
            parser.undo(to: rows)
            if error.isSyntax || error.reason == .batchSize { throw error }
            parser.state.pointee.budget = budget
            let end = try parser.scan.skipValue(p, depth: 0)
            do throws(FirnError) { try reject(error, p, end) } catch { throw Fault(.batchSize, p) }
            return end
        }
    }

    // MARK: - Rejections

    private mutating func reject(_ fault: Fault, _ begin: Cursor, _ end: Cursor) throws(FirnError) {
        let (line, paths, types) = (line, paths, types)
        let fits = rejections.add(budget: &parser.state.pointee.budget) {
            Array(Self.record(begin, end))
        } because: {
            let why = FaultMessage(fault: fault, begin: begin, end: end, paths: paths, types: types)
            return Rejection(line: line, column: why.column, code: fault.code, message: why.text)
        }
        guard fits else { throw tooLarge() }
    }

    /// The bytes of a record without its line's end.
    private static func record(_ begin: Cursor, _ end: Cursor) -> UnsafeBufferPointer<UInt8> {
        var end = end
        if end > begin, end[-1] == Byte.newline { end -= 1 }
        if end > begin, end[-1] == Byte.carriageReturn { end -= 1 }
        return UnsafeBufferPointer(start: begin, count: end - begin)
    }

    private func tooLarge() -> FirnError { .batchTooLarge(options.batchBytesMax).adding(["line": String(line)]) }
}

extension FirnError {
    static func batchTooLarge(_ bytes: Int) -> FirnError {
        FirnError(
            .limitExceeded, "batch_too_large",
            "The records of this body take more than \(bytes) bytes as columns. Send fewer at once.")
    }
}
