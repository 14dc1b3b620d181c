import Base
import Columnar
import Glibc

/// Walks the records of a body and merges their shapes.
struct InferenceWalk {
    let scan: JSONScan
    let start: Cursor
    let end: Cursor
    /// The text is only the beginning of the body, so its last record may be cut.
    let isCut: Bool

    init(scan: JSONScan, start: Cursor, end: Cursor, isCut: Bool) {
        self.scan = scan
        self.start = start
        self.end = end
        self.isCut = isCut
    }

    mutating func run(_ format: RecordFormat) throws(FirnError) -> InferredType {
        format == .ndjson ? try lines() : try whole()
    }

    private mutating func lines() throws(FirnError) -> InferredType {
        var all = InferredType.nothing
        var p = start
        var line = 0
        var records = 0
        while p < end, records < DecodeLimits.inferenceRecordsMax {
            line += 1
            let next = memchr(p, Int32(Byte.newline), end - p)
            let stop = next.map { Cursor($0.assumingMemoryBound(to: UInt8.self)) } ?? end
            if next == nil, isCut { break }
            p = scan.space(p)
            if p < stop {
                do throws(Fault) {
                    let behind = try scan.space(record(p, &all))
                    guard behind == stop else { throw Fault(.trailing, behind) }
                } catch {
                    throw failure(error, line)
                }
                records += 1
            }
            p = stop + 1
        }
        return all
    }

    private mutating func whole() throws(FirnError) -> InferredType {
        var all = InferredType.nothing
        var records = 1
        do throws(Fault) {
            var p = scan.space(start)
            guard p.pointee == Byte.openBracket else {
                p = try scan.space(record(p, &all))
                guard p == end else { throw Fault(.trailing, p) }
                return all
            }
            p = scan.space(p + 1)
            if p.pointee == Byte.closeBracket { return all }
            while records <= DecodeLimits.inferenceRecordsMax {
                var merged = all
                p = try scan.space(record(p, &merged))
                all = merged
                if p.pointee == Byte.closeBracket { return all }
                guard p.pointee == Byte.comma else { throw Fault(.syntax, p) }
                p = scan.space(p + 1)
                records += 1
            }
        } catch {
            // Where the text is cut, the last record breaks off; those before it tell enough.
            guard isCut, error.at >= end, case .structure = all else { throw failure(error, records) }
        }
        return all
    }

    private mutating func record(_ p: Cursor, _ all: inout InferredType) throws(Fault) -> Cursor {
        guard p.pointee == Byte.openBrace else { throw Fault(.notAnObject, p) }
        return try value(p, path: [], into: &all, depth: 0)
    }

    private var conflict: (path: String, old: String, new: String)?

    private func failure(_ fault: Fault, _ line: Int) -> FirnError {
        if let conflict {
            return FirnError(
                .invalidInput, "conflicting_types",
                "The field '\(conflict.path)' is \(conflict.old) in one record and \(conflict.new) in record \(line), "
                    + "and no column holds both. Create the table with a schema of your own.",
                context: ["column": conflict.path, "line": String(line)])
        }
        let why = FaultMessage(fault: fault, begin: start, end: end, paths: [], types: [])
        return FirnError(
            .invalidInput, fault.code, "No schema can be inferred: \(why.text).", context: ["line": String(line)])
    }

    // MARK: - Values

    /// Merges the value at `p` into `seen`.
    mutating func value(
        _ p: Cursor, path: [[UInt8]], into seen: inout InferredType, depth: Int
    ) throws(Fault) -> Cursor {
        var end = p
        let found: InferredType
        switch p.pointee {
        case Byte.openBrace: return try object(p, path: path, into: &seen, depth: depth)
        case Byte.openBracket: return try array(p, path: path, into: &seen, depth: depth)
        case Byte.quote: found = Self.classify(try text(p, &end))
        case Byte.minus, Byte.zero...Byte.nine:
            let token = try NumberText.scan(p)
            end = token.end
            var isLong = false
            if token.isInteger, case .value(let value) = NumberText.exact(token, precision: 19, scale: 0) {
                isLong = Int64(exactly: value) != nil
            }
            found = isLong ? .long : .double
        default:
            end = try scan.skipValue(p, depth: depth)
            found = p.pointee == Byte.lowerN ? .nothing : .boolean
        }
        guard let merged = seen.merged(found) else { throw conflicting(path, seen, found, p) }
        seen = merged
        return end
    }

    private mutating func conflicting(
        _ path: [[UInt8]], _ old: InferredType, _ new: InferredType, _ p: Cursor
    ) -> Fault {
        let text = path.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ".")
        conflict = (text, old.name, new.name)
        return Fault(.kind, p)
    }

    private mutating func object(
        _ start: Cursor, path: [[UInt8]], into seen: inout InferredType, depth: Int
    ) throws(Fault) -> Cursor {
        guard depth < Limits.nestingDepthMax else { throw Fault(.depth, start) }
        var members: InferredMembers
        switch seen {
        case .structure(let known): members = known
        case .nothing: members = InferredMembers()
        default: throw conflicting(path, seen, .structure(InferredMembers()), start)
        }
        seen = .nothing
        var p = scan.space(start + 1)
        if p.pointee != Byte.closeBrace {
            while true {
                guard p.pointee == Byte.quote else { throw Fault(.syntax, p) }
                let key = p + 1
                let name = try text(p, &p)
                guard !name.isEmpty, name.count <= Limits.nameBytesMax else { throw Fault(.nameLength, key) }
                p = scan.space(p)
                guard p.pointee == Byte.colon else { throw Fault(.syntax, p) }
                var member = members[name]
                p = try value(scan.space(p + 1), path: path + [name], into: &member, depth: depth + 1)
                members[name] = member
                guard members.order.count <= Limits.columnsMax else { throw Fault(.fieldCount, key) }
                p = scan.space(p)
                if p.pointee == Byte.closeBrace { break }
                guard p.pointee == Byte.comma else { throw Fault(.syntax, p) }
                p = scan.space(p + 1)
            }
        }
        seen = .structure(members)
        return p + 1
    }

    private mutating func array(
        _ start: Cursor, path: [[UInt8]], into seen: inout InferredType, depth: Int
    ) throws(Fault) -> Cursor {
        guard depth < Limits.nestingDepthMax else { throw Fault(.depth, start) }
        var element: InferredType
        switch seen {
        case .list(let known): element = known
        case .nothing: element = .nothing
        default: throw conflicting(path, seen, .list(.nothing), start)
        }
        let below = path + [Array("element".utf8)]
        var p = scan.space(start + 1)
        if p.pointee != Byte.closeBracket {
            while true {
                p = try scan.space(value(p, path: below, into: &element, depth: depth + 1))
                if p.pointee == Byte.closeBracket { break }
                guard p.pointee == Byte.comma else { throw Fault(.syntax, p) }
                p = scan.space(p + 1)
            }
        }
        seen = .list(element)
        return p + 1
    }

    /// The unescaped content of the string whose quote is at `p`; `end` moves behind it.
    private func text(_ p: Cursor, _ end: inout Cursor) throws(Fault) -> [UInt8] {
        let buffer = Buffer<UInt8>(capacity: 64)
        var sink = ByteSink(buffer, capacity: 64)
        end = try JSONScan.copyString(p + 1, &sink)
        sink.settle(buffer)
        return buffer.array
    }

    /// What text may be beside a string.
    static func classify(_ text: [UInt8]) -> InferredType {
        guard (10...64).contains(text.count) else { return .string }
        let padded = text + [UInt8](repeating: 0, count: 64)
        var state = RecordParser.State(scratch: ByteSink(Buffer<UInt8>(), capacity: 0))
        return padded.withUnsafeBufferPointer { bytes in
            let p = bytes.baseAddress!
            let end = p + text.count
            var days = 0
            if text.count == 10 { return TimeText.date(p, &days, &state) == .none ? .date : .string }
            let zoned = TimeText.timestamp(p, zoned: true, &state)
            if zoned.problem == .none, zoned.end == end { return .timestamptz }
            let plain = TimeText.timestamp(p, zoned: false, &state)
            return plain.problem == .none && plain.end == end ? .timestamp : .string
        }
    }
}
