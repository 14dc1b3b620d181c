import Base
import Columnar

/// Any JSON value into one row of a variant column, without loss:
///
/// | JSON | variant |
/// |---|---|
/// | `null` as the whole value | the row is null; within an array or object a null of the variant |
/// | `true`, `false`, string, array | boolean, string, array |
/// | object | object; a key must not occur twice |
/// | whole number | the narrowest integer, beyond 64 bits a decimal, beyond 38 digits a double |
/// | number with a fraction | a decimal of as many fraction digits, beyond 38 digits a double |
/// | number with an exponent | a double |
///
/// Spec: https://github.com/apache/parquet-format/blob/master/VariantEncoding.md
extension RecordParser {
    /// Parses the value at `p` as the next row of `own` and returns the position behind it.
    @inline(never)
    func variant(_ own: UnsafeMutablePointer<DecodeNode>, _ p: Cursor, depth: Int) throws(Fault) -> Cursor {
        var end = p
        let item = try item(&end, own.pointee.index, depth: depth)
        try putVariant(item, own, p)
        return end
    }

    /// Stores a variant as the next row of `own`.
    func putVariant(_ item: VariantItem, _ own: UnsafeMutablePointer<DecodeNode>, _ p: Cursor) throws(Fault) {
        guard let encoded = try? item.encoded() else { throw Fault(.recordSize, p, node: own.pointee.index) }
        try spend(encoded.metadata.count &+ encoded.value.count, p)
        if own.pointee.rows == own.pointee.capacity { tree.grow(own.pointee.index) }
        node(own.pointee.firstChild).pointee.store(encoded.metadata, tree)
        node(own.pointee.firstChild + 1).pointee.store(encoded.value, tree)
        own.pointee.endRow(valid: 1)
    }

    private func item(_ p: inout Cursor, _ index: Int32, depth: Int) throws(Fault) -> VariantItem {
        switch p.pointee {
        case Byte.quote: return .string(Array(try text(p + 1, &p)))
        case Byte.openBrace: return try object(&p, index, depth: depth)
        case Byte.openBracket: return try array(&p, index, depth: depth)
        case Byte.minus, Byte.zero...Byte.nine:
            let token = try NumberText.scan(p)
            p = token.end
            return try number(token, index)
        default:
            guard let end = JSONScan.literal(p) else { throw Fault(.syntax, p) }
            let first = p.pointee
            p = end
            return first == Byte.lowerN ? .null : .boolean(first == Byte.lowerT)
        }
    }

    private func number(_ token: NumberToken, _ index: Int32) throws(Fault) -> VariantItem {
        let text = UnsafeBufferPointer(start: token.start, count: token.end - token.start)
        let scale = -token.exponent
        if scale <= 38, !text.contains(where: { $0 | 0x20 == Byte.lowerE }),
            case .value(let unscaled) = NumberText.exact(token, precision: 38, scale: scale)
        {
            if scale > 0 { return .decimal(unscaled, scale: scale) }
            return Int64(exactly: unscaled).map { .integer($0) } ?? .decimal(unscaled, scale: 0)
        }
        let value = NumberText.double(token)
        guard value.isFinite else { throw Fault(.range, token.start, node: index) }
        return .double(value)
    }

    private func array(_ p: inout Cursor, _ index: Int32, depth: Int) throws(Fault) -> VariantItem {
        guard depth + 1 < Limits.nestingDepthMax else { throw Fault(.depth, p) }
        var items: [VariantItem] = []
        p = scan.space(p + 1)
        if p.pointee != Byte.closeBracket {
            while true {
                items.append(try item(&p, index, depth: depth + 1))
                p = scan.space(p)
                if p.pointee == Byte.closeBracket { break }
                guard p.pointee == Byte.comma else { throw Fault(.syntax, p) }
                p = scan.space(p + 1)
            }
        }
        p += 1
        return .array(items)
    }

    private func object(_ p: inout Cursor, _ index: Int32, depth: Int) throws(Fault) -> VariantItem {
        guard depth + 1 < Limits.nestingDepthMax else { throw Fault(.depth, p) }
        var members: [VariantItem.Member] = []
        var names: Set<[UInt8]> = []
        p = scan.space(p + 1)
        if p.pointee != Byte.closeBrace {
            while true {
                guard p.pointee == Byte.quote else { throw Fault(.syntax, p) }
                let start = p
                let name = Array(try text(p + 1, &p))
                guard names.insert(name).inserted else { throw Fault(.duplicateKey, start, node: index) }
                p = scan.space(p)
                guard p.pointee == Byte.colon else { throw Fault(.syntax, p) }
                p = scan.space(p + 1)
                members.append(.init(name, try item(&p, index, depth: depth + 1)))
                p = scan.space(p)
                if p.pointee == Byte.closeBrace { break }
                guard p.pointee == Byte.comma else { throw Fault(.syntax, p) }
                p = scan.space(p + 1)
            }
        }
        p += 1
        return .object(members)
    }
}
