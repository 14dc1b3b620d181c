import Base

extension Column {
    /// Columns of one type, one behind the other.
    ///
    /// Preconditions: at least one column, all of one type; bytes and items of all together stay below 2^31.
    public static func joining(_ columns: [Column]) -> Column {
        let rows = columns.reduce(0) { $0 + $1.rowCount }
        let nulls = columns.reduce(0) { $0 + $1.nullCount }
        var validity: Buffer<UInt8>?
        if nulls > 0 {
            let bits = Buffer<UInt8>(capacity: rows)
            for column in columns {
                if let own = column.validity {
                    bits.append(contentsOf: own)
                } else {
                    bits.append(repeating: 1, count: column.rowCount)
                }
            }
            validity = bits
        }
        return Column(
            type: columns[0].type, rowCount: rows, validity: validity, nullCount: nulls,
            storage: joining(columns.map(\.storage)))
    }

    private static func joining(_ parts: [Column.Storage]) -> Column.Storage {
        switch parts[0] {
        case .boolean: .boolean(append(parts) { if case .boolean(let b) = $0 { b } else { nil } })
        case .int32: .int32(append(parts) { if case .int32(let b) = $0 { b } else { nil } })
        case .int64: .int64(append(parts) { if case .int64(let b) = $0 { b } else { nil } })
        case .float: .float(append(parts) { if case .float(let b) = $0 { b } else { nil } })
        case .double: .double(append(parts) { if case .double(let b) = $0 { b } else { nil } })
        case .decimal: .decimal(append(parts) { if case .decimal(let b) = $0 { b } else { nil } })
        case .fixed(_, let width):
            .fixed(append(parts) { if case .fixed(let b, _) = $0 { b } else { nil } }, width: width)
        case .bytes:
            .bytes(
                offsets: offsets(parts) { if case .bytes(let o, _) = $0 { o } else { nil } },
                bytes: append(parts) { if case .bytes(_, let b) = $0 { b } else { nil } })
        case .structure(let children):
            .structure(
                children.indices.map { index in
                    joining(parts.map { if case .structure(let c) = $0 { c[index] } else { children[index] } })
                })
        case .list(_, let element):
            .list(
                offsets: offsets(parts) { if case .list(let o, _) = $0 { o } else { nil } },
                element: [joining(parts.map { if case .list(_, let e) = $0 { e[0] } else { element[0] } })])
        case .map(_, let entries):
            .map(
                offsets: offsets(parts) { if case .map(let o, _) = $0 { o } else { nil } },
                entries: entries.indices.map { index in
                    joining(parts.map { if case .map(_, let e) = $0 { e[index] } else { entries[index] } })
                })
        }
    }

    private static func append<T>(
        _ parts: [Column.Storage], _ buffer: (Column.Storage) -> Buffer<T>?
    ) -> Buffer<T> {
        let buffers = parts.compactMap(buffer)
        let out = Buffer<T>(capacity: buffers.reduce(0) { $0 + $1.count })
        for buffer in buffers { out.append(contentsOf: buffer) }
        return out
    }

    private static func offsets(
        _ parts: [Column.Storage], _ buffer: (Column.Storage) -> Buffer<Int32>?
    ) -> Buffer<Int32> {
        let buffers = parts.compactMap(buffer)
        let out = Buffer<Int32>(capacity: buffers.reduce(1) { $0 + $1.count - 1 })
        out.append(0)
        for buffer in buffers {
            let base = out[out.count - 1]
            for index in 1..<max(1, buffer.count) { out.append(base + buffer[index]) }
        }
        return out
    }
}
