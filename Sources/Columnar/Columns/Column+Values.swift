import Base

extension Column {
    /// The value of one row. For results and tests; kernels read the buffers. A variant is the struct of its two
    /// binary parts, metadata and value.
    public func value(at row: Int) -> Value {
        if isNull(row) { return .null }
        switch storage {
        case .boolean(let b): return .boolean(b[row] != 0)
        case .int32(let b): return type == .date ? .date(b[row]) : .int(b[row])
        case .int64(let b):
            switch type {
            case .time: return .time(b[row])
            case .timestamp: return .timestamp(b[row])
            case .timestamptz: return .timestamptz(b[row])
            case .timestampNs: return .timestampNs(b[row])
            case .timestamptzNs: return .timestamptzNs(b[row])
            default: return .long(b[row])
            }
        case .float(let b): return .float(b[row])
        case .double(let b): return .double(b[row])
        case .decimal(let b):
            guard case .decimal(_, let scale) = type else { preconditionFailure("decimal storage under \(type)") }
            return .decimal(b[row], scale: scale)
        case .bytes(let offsets, let bytes):
            let slice = UnsafeBufferPointer(rebasing: bytes.values[Int(offsets[row])..<Int(offsets[row + 1])])
            return type == .string ? .string(String(decoding: slice, as: UTF8.self)) : .binary(Array(slice))
        case .fixed(let b, let width):
            let slice = b.values[row * width..<(row + 1) * width]
            return type == .uuid ? .uuid(UUID(bytes: slice)) : .binary(Array(slice))
        case .structure(let children): return .structure(children.map { $0.value(at: row) })
        case .list(let offsets, let element):
            return .list((Int(offsets[row])..<Int(offsets[row + 1])).map { element[0].value(at: $0) })
        case .map(let offsets, let entries):
            return .map(
                (Int(offsets[row])..<Int(offsets[row + 1])).map {
                    Value.MapEntry(key: entries[0].value(at: $0), value: entries[1].value(at: $0))
                })
        }
    }
}

extension ColumnBuilder {
    /// Appends one value of this builder's type, converting nothing. For tests and metadata; decoders append to the
    /// buffers.
    ///
    /// Precondition: the value's case is the one that `type` asks for.
    public func append(_ value: Value) {
        switch (storage, value) {
        case (_, .null): return appendNull()
        case (.boolean(let b), .boolean(let v)): b.append(v ? 1 : 0)
        case (.int32(let b), .int(let v)), (.int32(let b), .date(let v)): b.append(v)
        case (.int64(let b), .long(let v)), (.int64(let b), .time(let v)), (.int64(let b), .timestamp(let v)),
            (.int64(let b), .timestamptz(let v)), (.int64(let b), .timestampNs(let v)),
            (.int64(let b), .timestamptzNs(let v)):
            b.append(v)
        case (.float(let b), .float(let v)): b.append(v)
        case (.double(let b), .double(let v)): b.append(v)
        case (.decimal(let b), .decimal(let v, _)): b.append(v)
        case (.bytes(_, let bytes), .string(let v)): for byte in v.utf8 { bytes.append(byte) }
        case (.bytes(_, let bytes), .binary(let v)): v.withUnsafeBufferPointer { bytes.append($0) }
        case (.fixed(let b, _), .uuid(let v)): for byte in v.bytes { b.append(byte) }
        case (.fixed(let b, let width), .binary(let v)):
            precondition(v.count == width, "fixed value of the wrong length")
            v.withUnsafeBufferPointer { b.append($0) }
        case (.structure(let children), .structure(let values)):
            for (child, value) in zip(children, values) { child.append(value) }
            // A struct's default names no fields: those have their own.
            if values.count < children.count, case .structure(let type) = type {
                for index in values.count..<children.count {
                    children[index].append(type.fields[index].initialDefault ?? .null)
                }
            }
        case (.list(_, let element), .list(let values)): for value in values { element.append(value) }
        case (.map(_, let key, let mapped), .map(let entries)):
            for entry in entries {
                key.append(entry.key)
                mapped.append(entry.value)
            }
        default: preconditionFailure("a value \(value) was appended to a column of type \(type)")
        }
        endValue()
    }
}
