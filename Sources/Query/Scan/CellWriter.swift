import Base
import Columnar
import SQLiteKit

/// Hands the cells of one column of one batch to SQLite, in the form that `SQLType` describes.
///
/// It points into the column's buffers: whoever holds it holds the column.
struct CellWriter {
    private enum Form {
        case boolean(UnsafePointer<UInt8>)
        case int32(UnsafePointer<Int32>)
        case int64(UnsafePointer<Int64>)
        case float(UnsafePointer<Float>)
        case double(UnsafePointer<Double>)
        case realDecimal(UnsafePointer<Int128>, scale: Int)
        case textDecimal(UnsafePointer<Int128>, scale: Int)
        case date(UnsafePointer<Int32>)
        case time(UnsafePointer<Int64>)
        case timestamp(UnsafePointer<Int64>, utc: Bool)
        case timestampNanos(UnsafePointer<Int64>, utc: Bool)
        case text(UnsafePointer<Int32>, UnsafePointer<UInt8>)
        case blob(UnsafePointer<Int32>, UnsafePointer<UInt8>)
        case fixed(UnsafePointer<UInt8>, width: Int)
        case uuid(UnsafePointer<UInt8>)
        case json
    }

    private let column: Column
    private let form: Form
    private let validity: UnsafePointer<UInt8>?

    init(_ column: Column) {
        self.column = column
        validity = column.validity.map { UnsafePointer($0.pointer) }
        switch column.storage {
        case .boolean(let b): form = .boolean(b.pointer)
        case .int32(let b): form = column.type == .date ? .date(b.pointer) : .int32(b.pointer)
        case .int64(let b):
            switch column.type {
            case .time: form = .time(b.pointer)
            case .timestamp: form = .timestamp(b.pointer, utc: false)
            case .timestamptz: form = .timestamp(b.pointer, utc: true)
            case .timestampNs: form = .timestampNanos(b.pointer, utc: false)
            case .timestamptzNs: form = .timestampNanos(b.pointer, utc: true)
            default: form = .int64(b.pointer)
            }
        case .float(let b): form = .float(b.pointer)
        case .double(let b): form = .double(b.pointer)
        case .decimal(let b):
            guard case .decimal(let precision, let scale) = column.type else {
                preconditionFailure("decimal storage under \(column.type)")
            }
            form =
                precision <= DecimalNumber.realPrecisionMax
                ? .realDecimal(b.pointer, scale: scale) : .textDecimal(b.pointer, scale: scale)
        case .bytes(let offsets, let bytes):
            form =
                column.type == .string
                ? .text(offsets.pointer, bytes.pointer) : .blob(offsets.pointer, bytes.pointer)
        case .fixed(let b, let width): form = column.type == .uuid ? .uuid(b.pointer) : .fixed(b.pointer, width: width)
        case .structure, .list, .map: form = .json
        }
    }

    func write(row: Int, _ result: ResultSink) {
        precondition(UInt(bitPattern: row) < UInt(bitPattern: column.rowCount), "row out of range")
        if let validity, validity[row] == 0 { return result.null() }
        switch form {
        case .boolean(let values): result.integer(Int64(values[row]))
        case .int32(let values): result.integer(Int64(values[row]))
        case .int64(let values): result.integer(values[row])
        case .float(let values): result.real(Double(values[row]))
        case .double(let values): result.real(values[row])
        case .realDecimal(let values, let scale):
            result.real(DecimalNumber.real(unscaled: Int64(truncatingIfNeeded: values[row]), scale: scale))
        case .textDecimal(let values, let scale): result.text(DecimalText.format(values[row], scale: scale))
        case .text(let offsets, let bytes):
            let start = Int(offsets[row])
            result.text(UnsafeBufferPointer(start: bytes + start, count: Int(offsets[row + 1]) - start))
        case .blob(let offsets, let bytes):
            let start = Int(offsets[row])
            result.blob(UnsafeBufferPointer(start: bytes + start, count: Int(offsets[row + 1]) - start))
        case .fixed(let bytes, let width):
            result.blob(UnsafeBufferPointer(start: bytes + row * width, count: width))
        case .uuid(let bytes):
            result.text(UUID(bytes: UnsafeBufferPointer(start: bytes + row * 16, count: 16)).description)
        case .date, .time, .timestamp, .timestampNanos: writeTemporal(row, result)
        case .json:
            var json: [UInt8] = []
            column.appendJSON(row: row, into: &json)
            json.withUnsafeBufferPointer { result.text($0) }
        }
    }

    private func writeTemporal(_ row: Int, _ result: ResultSink) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: TemporalText.byteCountMax) { room in
            let out = room.baseAddress!
            let count: Int
            switch form {
            case .date(let values): count = TemporalText.write(days: Int(values[row]), into: out)
            case .time(let values):
                let micros = values[row]
                count = TemporalText.write(timeMicros: micros, fraction: micros % 1_000_000 != 0, into: out)
            case .timestamp(let values, let utc):
                count = TemporalText.write(timestampMicros: values[row], utc: utc, into: out)
            case .timestampNanos(let values, let utc):
                count = TemporalText.write(timestampNanos: values[row], utc: utc, into: out)
            default: preconditionFailure("not a temporal column")
            }
            result.text(UnsafeBufferPointer(start: out, count: count))
        }
    }
}
