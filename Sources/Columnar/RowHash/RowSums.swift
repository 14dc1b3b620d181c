import Base

/// What the rows of one run state, summed per row; columns are added one after the other, in any order. See `RowHash`.
public final class RowSums {
    public let rowCount: Int
    private let sums: Buffer<UInt64>

    public init(rowCount: Int) {
        self.rowCount = rowCount
        sums = Buffer(repeating: 0, count: rowCount)
    }

    /// One word a row, for kernels that add to it.
    public var pointer: UnsafeMutablePointer<UInt64> { sums.pointer }

    /// A column for what rows state, so that it goes along with them where they are sorted or divided. No table has a
    /// field of this id.
    public static let carriedField = Field(id: 2_147_483_000, name: "_sums", required: true, type: .long)

    /// The batch with the sums of its first `columns` behind its own columns.
    public static func carried(by batch: RecordBatch, columns: Int) -> RecordBatch {
        let sums = RowSums(rowCount: batch.rowCount)
        for (field, column) in zip(batch.schema.fields.prefix(columns), batch.columns) {
            sums.add(column, field.id, field.type, rows: 0..<batch.rowCount, at: 0)
        }
        let words = Buffer<Int64>(capacity: batch.rowCount)
        UnsafeMutableRawPointer(words.pointer).copyMemory(from: sums.pointer, byteCount: 8 * batch.rowCount)
        words.commit(batch.rowCount)
        let column = Column(
            type: .long, rowCount: batch.rowCount, validity: nil, nullCount: 0, storage: .int64(words))
        var schema = batch.schema
        schema.fields.append(carriedField)
        return RecordBatch(schema: schema, columns: batch.columns + [column], rowCount: batch.rowCount)
    }

    public func clear() { sums.pointer.update(repeating: 0, count: rowCount) }

    /// Adds the values of `rows` of a column of this type to as many rows from `row`.
    public func add(_ column: Column, _ fieldId: Int, _ type: DataType, rows: Range<Int>, at row: Int) {
        precondition(row >= 0 && row + rows.count <= rowCount && rows.upperBound <= column.rowCount)
        column.addStatements(ValueHash.factor(fieldId), type, rows, places: nil, to: sums.pointer + row)
    }
}

extension Column {
    /// Adds what each of `rows` states to one word of `output`.
    ///
    /// - Parameter places: of the rows, when they are elements of lists.
    fileprivate func addStatements(
        _ factor: UInt64, _ type: DataType, _ rows: Range<Int>, places: UnsafePointer<UInt64>?,
        to output: UnsafeMutablePointer<UInt64>
    ) {
        guard !rows.isEmpty else { return }
        switch (storage, type) {
        case (.structure(let children), .structure(let type)):
            let parts = zip(type.fields, children).map { (ValueHash.factor($0.id), $0.type, $1) }
            addStruct(parts, factor, rows, places, output)
        case (.structure(let children), _):
            // A variant: its parts have no ids.
            let parts = children.enumerated().map {
                (XXHash64.avalanche(factor &+ UInt64($0.offset)) | 1, DataType.binary, $0.element)
            }
            addStruct(parts, factor, rows, places, output)
        case (.list(let offsets, let element), .list(let type)):
            addLists(offsets, [(type.elementId, type.element, element[0])], factor, rows, places, output)
        case (.map(let offsets, let entries), .map(let type)):
            addLists(
                offsets, [(type.keyId, type.key, entries[0]), (type.valueId, type.value, entries[1])], factor, rows,
                places, output)
        default:
            withWords(rows.count) { hashes in
                ValueHash.hash(storage, rows, into: hashes)
                add(hashes, factor, rows, places, output)
            }
        }
    }

    /// Adds one hash a row, scaled, where the row is not null.
    private func add(
        _ hashes: UnsafePointer<UInt64>, _ factor: UInt64, _ rows: Range<Int>, _ places: UnsafePointer<UInt64>?,
        _ output: UnsafeMutablePointer<UInt64>
    ) {
        let valid = validity.map { $0.pointer + rows.lowerBound }
        for index in 0..<rows.count {
            var hash = hashes[index]
            if let places { hash = XXHash64.avalanche(hash ^ places[index]) }
            if let valid, valid[index] == 0 { continue }
            output[index] &+= hash &* factor
        }
    }

    private func addStruct(
        _ parts: [(factor: UInt64, type: DataType, column: Column)], _ factor: UInt64, _ rows: Range<Int>,
        _ places: UnsafePointer<UInt64>?, _ output: UnsafeMutablePointer<UInt64>
    ) {
        withWords(rows.count) { own in
            own.update(repeating: ValueHash.present, count: rows.count)
            add(own, factor, rows, places, output)
            guard let validity else {
                for part in parts {
                    part.column.addStatements(part.factor, part.type, rows, places: places, to: output)
                }
                return
            }
            // What lies beneath a null struct is not part of the row.
            own.update(repeating: 0, count: rows.count)
            for part in parts { part.column.addStatements(part.factor, part.type, rows, places: places, to: own) }
            for index in 0..<rows.count where validity.pointer[rows.lowerBound + index] != 0 {
                output[index] &+= own[index]
            }
        }
    }

    private func addLists(
        _ offsets: Buffer<Int32>, _ parts: [(id: Int, type: DataType, column: Column)], _ factor: UInt64,
        _ rows: Range<Int>, _ places: UnsafePointer<UInt64>?, _ output: UnsafeMutablePointer<UInt64>
    ) {
        let first = Int(offsets[rows.lowerBound])
        let count = Int(offsets[rows.upperBound]) - first
        let ends = offsets.pointer
        withWords(2 * count + rows.count) { room in
            let (elementPlaces, sums, lengths) = (room, room + count, room + 2 * count)
            for index in 0..<rows.count {
                let start = Int(ends[rows.lowerBound + index]) - first
                let end = Int(ends[rows.lowerBound + index + 1]) - first
                lengths[index] = ValueHash.length(end - start)
                let place = places.map { $0[index] } ?? 0
                for at in start..<end { elementPlaces[at] = ValueHash.place(place, at - start) }
            }
            add(lengths, factor, rows, places, output)
            sums.update(repeating: 0, count: count)
            for part in parts {
                part.column.addStatements(
                    ValueHash.factor(part.id), part.type, first..<first + count, places: elementPlaces, to: sums)
            }
            for index in 0..<rows.count where !isNull(rows.lowerBound + index) {
                let start = Int(ends[rows.lowerBound + index]) - first
                let end = Int(ends[rows.lowerBound + index + 1]) - first
                for at in start..<end { output[index] &+= sums[at] }
            }
        }
    }
}

private func withWords(_ count: Int, _ body: (UnsafeMutablePointer<UInt64>) -> Void) {
    let room = Buffer<UInt64>(capacity: count)
    body(room.pointer)
}
