import Base

/// A refused CSV record as one JSON object, so that it can be kept and sent again without its header.
///
/// Members are named by the header; fields beyond it `field_4` and so on. What is JSON already, where the column is no
/// text, stands as it is; an empty field is null; everything else is a string. A record whose quotes are broken has no
/// fields: it stands whole under the name `csv`.
struct CSVPayload {
    let header: [[UInt8]]
    let places: [Int32]
    let nodes: UnsafeMutablePointer<DecodeNode>
    let scan: CSVScan

    func json(_ begin: Cursor, _ end: Cursor, isBroken: Bool) -> [UInt8] {
        var out: [UInt8] = []
        guard !isBroken else {
            var line = UnsafeBufferPointer(start: begin, count: end - begin)[...]
            while let last = line.last, last == Byte.newline || last == Byte.carriageReturn { line = line.dropLast() }
            out += Array("{\"csv\":".utf8)
            JSONText.appendQuoted(String(decoding: line, as: UTF8.self), into: &out)
            return out + [Byte.closeBrace]
        }
        out.append(Byte.openBrace)
        var p = begin
        var index = 0
        while let field = scan.field(p) {
            if index > 0 { out.append(Byte.comma) }
            let name = index < header.count ? String(decoding: header[index], as: UTF8.self) : "field_\(index + 1)"
            JSONText.appendQuoted(name, into: &out)
            out.append(Byte.colon)
            append(field, index, into: &out)
            index += 1
            p = field.next
            guard p < end, p.pointee == Byte.comma else { break }
            p += 1
        }
        out.append(Byte.closeBrace)
        return out
    }

    private func append(_ field: CSVField, _ index: Int, into out: inout [UInt8]) {
        if field.count == 0, !field.isQuoted { return out.append(contentsOf: "null".utf8) }
        let content = field.content()
        if index < places.count, places[index] >= 0 {
            switch nodes[Int(places[index])].kind {
            case .boolean:
                if let value = CSVText.boolean(field.bytes) {
                    return out.append(contentsOf: (value ? "true" : "false").utf8)
                }
            case .int, .long, .decimal, .float, .double, .timestamp, .timestamptz, .timestampNs, .timestamptzNs,
                .structure, .list, .map, .variant:
                // Line ends between its tokens become spaces: the payload is one line.
                if JSONScan.validate(content) == nil {
                    return out.append(contentsOf: content.lazy.map { max($0, Byte.space) })
                }
                if let value = CSVText.notFinite(field.bytes) {
                    let text = value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity"
                    return JSONText.appendQuoted(text, into: &out)
                }
            default: break
            }
        }
        JSONText.appendQuoted(String(decoding: content, as: UTF8.self), into: &out)
    }
}
