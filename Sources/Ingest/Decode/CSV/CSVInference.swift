import Base
import Columnar

/// Finds the types of CSV columns from the text of the first records. Quotes tell nothing: many writers quote all.
enum CSVInference {
    static func fields(_ body: [UInt8]) throws(FirnError) -> [Field] {
        let text = body.prefix(DecodeLimits.inferenceBytesMax)
        let padded = Array(text) + [UInt8](repeating: 0, count: 64)
        let result = padded.withUnsafeBufferPointer { bytes in
            Result { () throws(FirnError) in
                let start = bytes.baseAddress!
                return try fields(CSVScan(end: start + text.count), start, isCut: text.count < body.count)
            }
        }
        return try result.get()
    }

    private static func fields(_ scan: CSVScan, _ start: Cursor, isCut: Bool) throws(FirnError) -> [Field] {
        let begin = scan.behindMark(start)
        guard begin < scan.end, let header = scan.header(begin) else {
            throw FirnError(
                .invalidInput, RejectionCode.malformedCSV,
                "No schema can be inferred: the body does not begin with a header line.")
        }
        for name in header.names where name.isEmpty || name.count > Limits.nameBytesMax {
            throw FirnError(
                .invalidInput, "bad_name",
                "No schema can be inferred: a column's name must have 1 to \(Limits.nameBytesMax) bytes.")
        }
        var types = [InferredType](repeating: .nothing, count: header.names.count)
        var p = header.next
        var records = 0
        while p < scan.end, records < DecodeLimits.inferenceRecordsMax {
            let blank = scan.lineEnd(p)
            if blank > 0 {
                p += blank
                continue
            }
            guard let record = record(scan, &p), !(isCut && p == scan.end) else { break }
            for (index, found) in record.prefix(types.count).enumerated() {
                types[index] = types[index].merged(found) ?? .string
            }
            records += 1
        }
        return zip(header.names, types).map { name, type in
            Field(id: 0, name: String(decoding: name, as: UTF8.self), required: false, type: type.type)
        }
    }

    /// The types in one record; nil when its end cannot be found.
    private static func record(_ scan: CSVScan, _ p: inout Cursor) -> [InferredType]? {
        var types: [InferredType] = []
        while let field = scan.field(p) {
            types.append(classify(field))
            p = field.next
            if p < scan.end, p.pointee == Byte.comma {
                p += 1
                continue
            }
            let end = scan.lineEnd(p)
            p = end > 0 || p == scan.end ? p + end : scan.nextLine(p)
            return types
        }
        return nil
    }

    private static func classify(_ field: CSVField) -> InferredType {
        guard field.count > 0 else { return field.isQuoted ? .string : .nothing }
        if CSVText.boolean(field.bytes) != nil { return .boolean }
        if let token = try? NumberText.scan(field.start), token.end == field.end {
            if token.isInteger, case .value(let value) = NumberText.exact(token, precision: 19, scale: 0),
                Int64(exactly: value) != nil
            {
                return .long
            }
            return .double
        }
        if CSVText.notFinite(field.bytes) != nil { return .double }
        return InferenceWalk.classify(field.content())
    }
}
