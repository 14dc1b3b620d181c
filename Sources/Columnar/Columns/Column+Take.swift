import Base

extension Column {
    /// The rows `rows`, in that order; a row may occur several times or not at all.
    ///
    /// Precondition: every index is a row of this column.
    public func taking(_ rows: [Int32]) -> Column {
        rows.withUnsafeBufferPointer { taking($0) }
    }

    /// The rows `rows`, in that order, as above.
    public func taking(_ rows: UnsafeBufferPointer<Int32>) -> Column {
        var taken: Buffer<UInt8>?
        var nulls = 0
        if let validity {
            let bits = Column.gather(validity, rows)
            nulls = bits.values.reduce(0) { $0 + ($1 == 0 ? 1 : 0) }
            taken = bits
        }
        return Column(
            type: type, rowCount: rows.count, validity: nulls == 0 ? nil : taken, nullCount: nulls,
            storage: takingStorage(rows))
    }

    private func takingStorage(_ rows: UnsafeBufferPointer<Int32>) -> Storage {
        switch storage {
        case .boolean(let b): return .boolean(Column.gather(b, rows))
        case .int32(let b): return .int32(Column.gather(b, rows))
        case .int64(let b): return .int64(Column.gather(b, rows))
        case .float(let b): return .float(Column.gather(b, rows))
        case .double(let b): return .double(Column.gather(b, rows))
        case .decimal(let b): return .decimal(Column.gather(b, rows))
        case .fixed(let b, let width):
            let output = Buffer<UInt8>(capacity: rows.count * width)
            for row in rows {
                output.append(UnsafeBufferPointer(rebasing: b.values[Int(row) * width..<(Int(row) + 1) * width]))
            }
            return .fixed(output, width: width)
        case .bytes(let offsets, let bytes):
            let (ends, total) = Column.gatherOffsets(offsets, rows)
            let output = Buffer<UInt8>(capacity: total)
            let (starts, source, to, at) = (offsets.pointer, bytes.pointer, output.pointer, ends.pointer)
            for index in 0..<rows.count {
                let length = Int(at[index &+ 1] &- at[index])
                PaddedCopy.copy(to + Int(at[index]), source + Int(starts[Int(rows[index])]), length)
            }
            output.commit(total)
            return .bytes(offsets: ends, bytes: output)
        case .structure(let children): return .structure(children.map { $0.taking(rows) })
        case .list(let offsets, let element):
            let (ends, items) = Column.gatherItems(offsets, rows)
            return .list(offsets: ends, element: element.map { $0.taking(items) })
        case .map(let offsets, let entries):
            let (ends, items) = Column.gatherItems(offsets, rows)
            return .map(offsets: ends, entries: entries.map { $0.taking(items) })
        }
    }

    @inline(__always) private static func gather<T: BitwiseCopyable>(
        _ source: Buffer<T>, _ rows: UnsafeBufferPointer<Int32>
    ) -> Buffer<T> {
        let output = Buffer<T>(capacity: rows.count)
        let (from, to) = (source.values, output.pointer)
        for index in 0..<rows.count {
            let row = Int(rows[index])
            precondition(UInt(bitPattern: row) < UInt(bitPattern: from.count), "row out of range")
            to[index] = from[row]
        }
        output.commit(rows.count)
        return output
    }

    private static func gatherOffsets(
        _ offsets: Buffer<Int32>, _ rows: UnsafeBufferPointer<Int32>
    ) -> (Buffer<Int32>, total: Int) {
        let output = Buffer<Int32>(capacity: rows.count + 1)
        let (from, to, rowCount) = (offsets.pointer, output.pointer, offsets.count &- 1)
        var total = 0
        to[0] = 0
        for index in 0..<rows.count {
            let row = Int(rows[index])
            precondition(UInt(bitPattern: row) < UInt(bitPattern: rowCount), "row out of range")
            total &+= Int(from[row &+ 1] &- from[row])
            to[index &+ 1] = Int32(truncatingIfNeeded: total)
        }
        precondition(total <= Int(Int32.max), "too many items for one column")
        output.commit(rows.count + 1)
        return (output, total)
    }

    /// The offsets of the taken lists, and the rows of the child that they hold.
    private static func gatherItems(
        _ offsets: Buffer<Int32>, _ rows: UnsafeBufferPointer<Int32>
    ) -> (Buffer<Int32>, [Int32]) {
        let (ends, total) = gatherOffsets(offsets, rows)
        var items: [Int32] = []
        items.reserveCapacity(total)
        for row in rows { items.append(contentsOf: offsets[Int(row)]..<offsets[Int(row) + 1]) }
        return (ends, items)
    }
}

extension RecordBatch {
    /// The rows `rows`, in that order. Precondition: every index is a row of this batch.
    public func taking(_ rows: [Int32]) -> RecordBatch {
        RecordBatch(schema: schema, columns: columns.map { $0.taking(rows) }, rowCount: rows.count)
    }
}
