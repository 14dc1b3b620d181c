import Base

extension RecordBatch {
    /// The rows of all batches, one after the other, as one batch: what works on whole columns then works on many rows.
    ///
    /// Preconditions: there is a batch, all have the same fields, and the strings of no column, nor the elements of its
    /// lists, pass the 2^31 that offsets can count.
    public static func concatenating(_ batches: [RecordBatch]) -> RecordBatch {
        guard batches.count > 1 else { return batches[0] }
        let first = batches[0]
        let columns = first.columns.indices.map { index in Column.concatenating(batches.map { $0.columns[index] }) }
        return RecordBatch(schema: first.schema, columns: columns, rowCount: batches.reduce(0) { $0 + $1.rowCount })
    }
}

extension Column {
    /// The rows of all columns, one after the other. Precondition: there is one, and all are of one type.
    static func concatenating(_ columns: [Column]) -> Column {
        let rows = columns.reduce(0) { $0 + $1.rowCount }
        let nulls = columns.reduce(0) { $0 + $1.nullCount }
        var validity: Buffer<UInt8>?
        if nulls > 0 {
            let bits = Buffer<UInt8>(capacity: rows)
            for column in columns {
                if let own = column.validity {
                    bits.append(own.values)
                } else {
                    bits.append(repeating: 1, count: column.rowCount)
                }
            }
            validity = bits
        }
        return Column(
            type: columns[0].type, rowCount: rows, validity: validity, nullCount: nulls,
            storage: concatenatingStorage(columns, rows: rows))
    }

    private static func concatenatingStorage(_ columns: [Column], rows: Int) -> Storage {
        switch columns[0].storage {
        case .boolean: return .boolean(join(columns, rows) { if case .boolean(let b) = $0.storage { b } else { nil } })
        case .int32: return .int32(join(columns, rows) { if case .int32(let b) = $0.storage { b } else { nil } })
        case .int64: return .int64(join(columns, rows) { if case .int64(let b) = $0.storage { b } else { nil } })
        case .float: return .float(join(columns, rows) { if case .float(let b) = $0.storage { b } else { nil } })
        case .double: return .double(join(columns, rows) { if case .double(let b) = $0.storage { b } else { nil } })
        case .decimal: return .decimal(join(columns, rows) { if case .decimal(let b) = $0.storage { b } else { nil } })
        case .fixed(_, let width):
            let joined = join(columns, rows * width, width: width) {
                if case .fixed(let b, _) = $0.storage { b } else { nil }
            }
            return .fixed(joined, width: width)
        case .bytes: return concatenatingBytes(columns, rows: rows)
        case .structure(let children):
            return .structure(
                children.indices.map { index in
                    concatenating(
                        columns.map {
                            guard case .structure(let own) = $0.storage else { mixed() }
                            return own[index]
                        })
                })
        case .list, .map: return concatenatingItems(columns, rows: rows)
        }
    }

    @inline(__always) private static func join<T: BitwiseCopyable>(
        _ columns: [Column], _ count: Int, width: Int = 1, _ buffer: (Column) -> Buffer<T>?
    ) -> Buffer<T> {
        let joined = Buffer<T>(capacity: count)
        for column in columns {
            guard let own = buffer(column) else { mixed() }
            joined.append(UnsafeBufferPointer(rebasing: own.values[..<(column.rowCount * width)]))
        }
        return joined
    }

    private static func concatenatingBytes(_ columns: [Column], rows: Int) -> Storage {
        var total = 0
        for column in columns {
            guard case .bytes(let offsets, _) = column.storage else { mixed() }
            total += Int(offsets[column.rowCount] - offsets[0])
        }
        precondition(total <= Int(Int32.max), "too many bytes for one column")
        let (ends, joined) = (Buffer<Int32>(capacity: rows + 1), Buffer<UInt8>(capacity: total))
        ends.append(0)
        for column in columns {
            guard case .bytes(let offsets, let bytes) = column.storage else { mixed() }
            appendOffsets(offsets, rows: column.rowCount, to: ends)
            let range = Int(offsets[0])..<Int(offsets[column.rowCount])
            joined.append(UnsafeBufferPointer(rebasing: bytes.values[range]))
        }
        return .bytes(offsets: ends, bytes: joined)
    }

    private static func concatenatingItems(_ columns: [Column], rows: Int) -> Storage {
        let ends = Buffer<Int32>(capacity: rows + 1)
        ends.append(0)
        var children: [[Column]] = []
        var isMap = false
        for column in columns {
            let (offsets, own) = column.items
            if case .map = column.storage { isMap = true }
            appendOffsets(offsets, rows: column.rowCount, to: ends)
            let range = offsets[0]..<offsets[column.rowCount]
            if children.isEmpty { children = own.map { _ in [] } }
            for (index, child) in own.enumerated() {
                let isWhole = range.lowerBound == 0 && Int(range.upperBound) == child.rowCount
                children[index].append(isWhole ? child : child.taking(Array(range)))
            }
        }
        precondition(children[0].reduce(0) { $0 + $1.rowCount } <= Int(Int32.max), "too many elements for one column")
        let joined = children.map { concatenating($0) }
        return isMap ? .map(offsets: ends, entries: joined) : .list(offsets: ends, element: joined)
    }

    private var items: (offsets: Buffer<Int32>, children: [Column]) {
        switch storage {
        case .list(let offsets, let children), .map(let offsets, let children): (offsets, children)
        default: Self.mixed()
        }
    }

    /// Appends the ends of `rows` ranges, moved behind the last one there.
    private static func appendOffsets(_ offsets: Buffer<Int32>, rows: Int, to ends: Buffer<Int32>) {
        ends.reserve(rows)
        let (from, to) = (offsets.pointer, ends.pointer + ends.count)
        let shift = ends[ends.count - 1] &- from[0]
        for row in 0..<rows { to[row] = from[row + 1] &+ shift }
        ends.commit(rows)
    }

    private static func mixed() -> Never { preconditionFailure("columns of different types") }
}
