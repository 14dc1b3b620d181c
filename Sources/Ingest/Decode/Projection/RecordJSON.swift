import Base
import Columnar

/// Values as the JSON that the decoder reads: unlike the output of queries, with bytes in base64, decimals as numbers,
/// and maps as objects whatever their keys.
enum RecordJSON {
    /// One row of `batch` as an object.
    static func record(_ batch: RecordBatch, row: Int) -> [UInt8] {
        var out: [UInt8] = []
        object(batch.schema.fields, batch.columns, row: row, into: &out)
        return out
    }

    static func append(_ column: Column, row: Int, into out: inout [UInt8]) {
        guard !column.isNull(row) else { return out.append(contentsOf: "null".utf8) }
        switch (column.storage, column.type) {
        case (.decimal(let values), .decimal(_, let scale)):
            out.append(contentsOf: DecimalText.format(values[row], scale: scale).utf8)
        case (.bytes(let offsets, let bytes), let type):
            let value = UnsafeBufferPointer(rebasing: bytes.values[Int(offsets[row])..<Int(offsets[row + 1])])
            if type == .string {
                JSONText.appendQuoted(String(decoding: value, as: UTF8.self), into: &out)
            } else {
                base64(value, into: &out)
            }
        case (.fixed(let bytes, let width), .fixed):
            base64(UnsafeBufferPointer(rebasing: bytes.values[row * width..<(row + 1) * width]), into: &out)
        case (.structure(let children), .structure(let type)):
            object(type.fields, children, row: row, into: &out)
        case (.list(let offsets, let element), _):
            out.append(Byte.openBracket)
            for item in Int(offsets[row])..<Int(offsets[row + 1]) {
                if item > Int(offsets[row]) { out.append(Byte.comma) }
                append(element[0], row: item, into: &out)
            }
            out.append(Byte.closeBracket)
        case (.map(let offsets, let entries), _):
            out.append(Byte.openBrace)
            for item in Int(offsets[row])..<Int(offsets[row + 1]) {
                if item > Int(offsets[row]) { out.append(Byte.comma) }
                key(entries[0], row: item, into: &out)
                out.append(Byte.colon)
                append(entries[1], row: item, into: &out)
            }
            out.append(Byte.closeBrace)
        default: column.appendJSON(row: row, into: &out)
        }
    }

    private static func key(_ column: Column, row: Int, into out: inout [UInt8]) {
        var text: [UInt8] = []
        append(column, row: row, into: &text)
        if text.first == Byte.quote { return out.append(contentsOf: text) }
        JSONText.appendQuoted(String(decoding: text, as: UTF8.self), into: &out)
    }

    private static func object(_ fields: [Field], _ columns: [Column], row: Int, into out: inout [UInt8]) {
        out.append(Byte.openBrace)
        for (index, field) in fields.enumerated() {
            if index > 0 { out.append(Byte.comma) }
            JSONText.appendQuoted(field.name, into: &out)
            out.append(Byte.colon)
            append(columns[index], row: row, into: &out)
        }
        out.append(Byte.closeBrace)
    }

    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// https://www.rfc-editor.org/rfc/rfc4648#section-4
    private static func base64(_ bytes: UnsafeBufferPointer<UInt8>, into out: inout [UInt8]) {
        out.append(Byte.quote)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = (0..<3).map { start + $0 < bytes.count ? Int(bytes[start + $0]) : 0 }
            let word = group[0] << 16 | group[1] << 8 | group[2]
            for place in 0..<4 {
                let isData = place <= bytes.count - start
                out.append(isData ? digits[word >> (18 - place * 6) & 63] : UInt8(ascii: "="))
            }
        }
        out.append(Byte.quote)
    }
}
