import Base

/// Writes Thrift's compact protocol.
///
/// Spec: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
struct CompactWriter {
    private(set) var writer = ByteWriter()
    /// The last field id of every struct being written, outermost first.
    private var lastIds = [0]

    var bytes: [UInt8] { writer.bytes }

    private mutating func header(_ id: Int, _ type: CompactType) {
        let delta = id - lastIds[lastIds.count - 1]
        precondition(delta > 0, "fields are written in ascending order")
        if delta <= 15 {
            writer.byte(UInt8(delta) << 4 | type.rawValue)
        } else {
            writer.byte(type.rawValue)
            writer.zigzag(Int64(id))
        }
        lastIds[lastIds.count - 1] = id
    }

    mutating func boolean(_ id: Int, _ value: Bool) { header(id, value ? .booleanTrue : .booleanFalse) }

    mutating func int8(_ id: Int, _ value: Int8) {
        header(id, .int8)
        writer.byte(UInt8(bitPattern: value))
    }

    mutating func int16(_ id: Int, _ value: Int16) {
        header(id, .int16)
        writer.zigzag(Int64(value))
    }

    mutating func int32(_ id: Int, _ value: Int32) {
        header(id, .int32)
        writer.zigzag(Int64(value))
    }

    mutating func int64(_ id: Int, _ value: Int) {
        header(id, .int64)
        writer.zigzag(Int64(value))
    }

    mutating func binary(_ id: Int, _ value: [UInt8]) {
        header(id, .binary)
        element(value)
    }

    mutating func string(_ id: Int, _ value: String) {
        header(id, .binary)
        element(value)
    }

    /// A struct field; `body` writes its fields.
    mutating func structure(_ id: Int, _ body: (inout CompactWriter) -> Void) {
        header(id, .structure)
        element(body)
    }

    /// A list field's header; the elements follow.
    mutating func list(_ id: Int, of type: CompactType, count: Int) {
        header(id, .list)
        if count < 15 {
            writer.byte(UInt8(count) << 4 | type.rawValue)
        } else {
            writer.byte(0xf0 | type.rawValue)
            writer.varint(UInt64(count))
        }
    }

    /// A list field of 64-bit numbers.
    mutating func list(_ id: Int, _ values: [Int]) {
        list(id, of: .int64, count: values.count)
        for value in values { element(value) }
    }

    // Elements of a list.
    mutating func element(_ value: [UInt8]) {
        writer.varint(UInt64(value.count))
        writer.raw(value)
    }

    mutating func element(_ value: String) {
        writer.varint(UInt64(value.utf8.count))
        writer.utf8(value)
    }

    mutating func element(_ value: Int) { writer.zigzag(Int64(value)) }

    mutating func element(_ value: Bool) { writer.byte(value ? 1 : 2) }

    mutating func element(_ body: (inout CompactWriter) -> Void) {
        lastIds.append(0)
        body(&self)
        stop()
        lastIds.removeLast()
    }

    /// Ends the outermost struct.
    mutating func stop() { writer.byte(0) }
}
