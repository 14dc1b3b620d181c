import Base
import CPlatform
import Columnar

/// Walks one record beside a schema and gathers what it needs beyond it.
///
/// Only what a change of the schema can help is looked at; values that are wrong in another way pass, since the
/// planner decodes the records under the new schema anyway.
struct EvolutionWalk {
    private let known: EvolutionNeeds
    private let scan = JSONScan(multiline: true)
    private(set) var needs = RecordNeeds()

    init(_ known: EvolutionNeeds) { self.known = known }

    /// Whether another schema may help a record that was rejected with this code.
    static func mayHelp(_ code: String) -> Bool {
        code == RejectionCode.unknownColumn || code == RejectionCode.missingRequired
            || code == RejectionCode.outOfRange
    }

    /// Walks the record from `start` to `end`, behind which 64 zero bytes follow. False for text that is no JSON
    /// object, and for a record that no change can help.
    mutating func run(_ start: Cursor, _ end: Cursor) -> Bool {
        do throws(Fault) {
            let p = scan.space(start)
            guard p.pointee == Byte.openBrace else { return false }
            return try scan.space(object(p, 0, depth: 0)) == end
        } catch {
            return false
        }
    }

    /// Walks the value at `p` beside the field `node` and returns the position behind it.
    private mutating func value(_ p: Cursor, _ node: Int, depth: Int) throws(Fault) -> Cursor {
        switch (known.nodes[node].type, p.pointee) {
        case (_, Byte.lowerN):
            if known.nodes[node].required { try makeOptional(node, p) }
            return try scan.skipValue(p, depth: depth)
        case (.structure, Byte.openBrace): return try object(p, node, depth: depth)
        case (.list, Byte.openBracket): return try list(p, node, depth: depth)
        case (.map, Byte.openBrace): return try map(p, node, depth: depth)
        case (.int, Byte.minus), (.int, Byte.zero...Byte.nine), (.float, Byte.minus),
            (.float, Byte.zero...Byte.nine), (.decimal, Byte.minus), (.decimal, Byte.zero...Byte.nine):
            let token = try NumberText.scan(p)
            try measure(token, node)
            return token.end
        case (.decimal, Byte.quote):
            // A decimal may stand in quotes; text that is no number is left to the decoder.
            if let token = try? NumberText.scan(p + 1), token.end.pointee == Byte.quote { try measure(token, node) }
            return try scan.skipString(p + 1)
        default: return try scan.skipValue(p, depth: depth)
        }
    }

    /// Notes the wider type that a number needs.
    private mutating func measure(_ token: NumberToken, _ node: Int) throws(Fault) {
        let needed: DataType
        switch known.nodes[node].type {
        case .int:
            guard case .value(let value) = NumberText.exact(token, precision: 19, scale: 0),
                Int32(exactly: value) == nil, Int64(exactly: value) != nil
            else { return }
            needed = .long
        case .float:
            guard !NumberText.float(token).isFinite, NumberText.double(token).isFinite else { return }
            needed = .double
        case .decimal(let precision, let scale):
            guard case .value(let value) = NumberText.exact(token, precision: 38, scale: scale) else { return }
            var digits = String(value.magnitude).utf8.count
            guard digits > precision else { return }
            if case .decimal(let wanted, _)? = needs.wider[node] ?? known.wanted(node) { digits = max(digits, wanted) }
            needed = .decimal(precision: digits, scale: scale)
        default: return
        }
        guard known.nodes[node].mayChange else { throw Fault(.range, token.start) }
        needs.wider[node] = needed
    }

    private mutating func makeOptional(_ node: Int, _ p: Cursor) throws(Fault) {
        guard known.nodes[node].mayBeOptional else { throw Fault(.missing, p) }
        needs.optional.insert(node)
    }

    // MARK: - Nested values

    private mutating func object(_ start: Cursor, _ node: Int, depth: Int) throws(Fault) -> Cursor {
        guard depth < Limits.nestingDepthMax else { throw Fault(.depth, start) }
        var present: Set<Int> = []
        var p = scan.space(start + 1)
        if p.pointee != Byte.closeBrace {
            while true {
                let name = try key(&p)
                if let child = known.nodes[node].named[name] {
                    present.insert(child)
                    p = try value(p, child, depth: depth + 1)
                } else {
                    p = try unknown(MemberKey(node: node, name: name), p, depth: depth + 1)
                }
                p = scan.space(p)
                if p.pointee == Byte.closeBrace { break }
                guard p.pointee == Byte.comma else { throw Fault(.syntax, p) }
                p = scan.space(p + 1)
            }
        }
        for child in known.nodes[node].children where !known.nodes[child].mayBeAbsent && !present.contains(child) {
            try makeOptional(child, start)
        }
        return p + 1
    }

    /// The unescaped member name whose quote is at `p`; `p` moves to the member's value.
    private func key(_ p: inout Cursor) throws(Fault) -> [UInt8] {
        guard p.pointee == Byte.quote else { throw Fault(.syntax, p) }
        let start = p + 1
        let count = firn_json_plain_length(start)
        var name = Array(UnsafeBufferPointer(start: start, count: count))
        p = start + count + 1
        if start[count] != Byte.quote {
            let buffer = Buffer<UInt8>(capacity: 64)
            var sink = ByteSink(buffer, capacity: 64)
            p = try JSONScan.copyString(start, &sink)
            sink.settle(buffer)
            name = buffer.array
        }
        p = scan.space(p)
        guard p.pointee == Byte.colon else { throw Fault(.syntax, p) }
        p = scan.space(p + 1)
        return name
    }

    /// Merges the value of a member that no column holds into what was seen of it.
    private mutating func unknown(_ member: MemberKey, _ p: Cursor, depth: Int) throws(Fault) -> Cursor {
        guard known.addsColumns else { return try scan.skipValue(p, depth: depth) }
        var seen = needs[member] ?? known.seen(member)
        var inference = InferenceWalk(scan: scan, start: p, end: p, isCut: false)
        let end = try inference.value(p, path: [member.name], into: &seen, depth: depth)
        needs[member] = seen
        return end
    }

    private mutating func list(_ start: Cursor, _ node: Int, depth: Int) throws(Fault) -> Cursor {
        guard depth < Limits.nestingDepthMax else { throw Fault(.depth, start) }
        let element = known.nodes[node].children[0]
        var p = scan.space(start + 1)
        if p.pointee == Byte.closeBracket { return p + 1 }
        while true {
            p = try scan.space(value(p, element, depth: depth + 1))
            if p.pointee == Byte.closeBracket { return p + 1 }
            guard p.pointee == Byte.comma else { throw Fault(.syntax, p) }
            p = scan.space(p + 1)
        }
    }

    private mutating func map(_ start: Cursor, _ node: Int, depth: Int) throws(Fault) -> Cursor {
        guard depth < Limits.nestingDepthMax else { throw Fault(.depth, start) }
        let mapped = known.nodes[node].children[1]
        var p = scan.space(start + 1)
        if p.pointee == Byte.closeBrace { return p + 1 }
        while true {
            guard p.pointee == Byte.quote else { throw Fault(.syntax, p) }
            p = scan.space(try scan.skipString(p + 1))
            guard p.pointee == Byte.colon else { throw Fault(.syntax, p) }
            p = try scan.space(value(scan.space(p + 1), mapped, depth: depth + 1))
            if p.pointee == Byte.closeBrace { return p + 1 }
            guard p.pointee == Byte.comma else { throw Fault(.syntax, p) }
            p = scan.space(p + 1)
        }
    }
}
