import Base
import Columnar

/// The keys of equality deletes over the same columns, each with the highest sequence number that deletes it: a row
/// goes when its key is here with a number above the row's own. So one table of keys serves data files of all ages.
///
/// Keys are equal as Iceberg values: null equals null, every NaN is one value, -0.0 differs from 0.0.
///
/// Spec: https://iceberg.apache.org/spec/#equality-delete-files
struct EqualityKeys: Sendable {
    /// Ascending ids of the compared columns.
    let fieldIds: [Int]
    /// Keys of one column of whole numbers, as they are.
    private var integers: [Int64: Int64] = [:]
    private var nullNumber: Int64?
    /// Other keys, as bytes.
    private var texts: [[UInt8]: Int64] = [:]
    private var textBytes = 0

    init(fieldIds: [Int]) { self.fieldIds = fieldIds }

    /// Bytes of memory held, roughly.
    var byteCount: Int { integers.count * 32 + texts.count * 64 + textBytes }

    /// Adds the keys of a batch of deletes. The batch has the compared columns, maybe among others.
    mutating func add(_ batch: RecordBatch, sequenceNumber: Int64) {
        let columns = KeyColumn.find(fieldIds, in: batch)
        if let column = Self.integerColumn(columns) {
            for row in 0..<batch.rowCount {
                if let key = column.integer(row) {
                    integers[key] = max(integers[key] ?? .min, sequenceNumber)
                } else {
                    nullNumber = max(nullNumber ?? .min, sequenceNumber)
                }
            }
            return
        }
        var key: [UInt8] = []
        for row in 0..<batch.rowCount {
            key.removeAll(keepingCapacity: true)
            for column in columns { column.append(row, to: &key) }
            if let known = texts[key] {
                if known < sequenceNumber { texts[key] = sequenceNumber }
            } else {
                texts[key] = sequenceNumber
                textBytes += key.count
            }
        }
    }

    private static func integerColumn(_ columns: [KeyColumn]) -> KeyColumn? {
        columns.count == 1 && columns[0].isInteger ? columns[0] : nil
    }

    /// Of the rows `rows` (nil for all) of a data file of this age, those that stay; nil when all do.
    func left(_ batch: RecordBatch, rows: [Int32]?, sequenceNumber: Int64) -> [Int32]? {
        let columns = KeyColumn.find(fieldIds, in: batch)
        let count = rows?.count ?? batch.rowCount
        var left: [Int32]?
        func visit(_ isDeleted: (Int) -> Bool) {
            for index in 0..<count {
                let row = rows.map { $0[index] } ?? Int32(index)
                if isDeleted(Int(row)) {
                    if left == nil { left = rows.map { Array($0[..<index]) } ?? Array(0..<row) }
                } else {
                    left?.append(row)
                }
            }
        }
        if let column = Self.integerColumn(columns) {
            let null = nullNumber ?? .min
            visit { row in
                guard let key = column.integer(row) else { return null > sequenceNumber }
                return integers[key].map { $0 > sequenceNumber } ?? false
            }
        } else {
            var key: [UInt8] = []
            visit { row in
                key.removeAll(keepingCapacity: true)
                for column in columns { column.append(row, to: &key) }
                return texts[key].map { $0 > sequenceNumber } ?? false
            }
        }
        return left
    }
}

/// A compared column, and the structs around it.
private struct KeyColumn {
    let column: Column
    /// Any of these null makes the value null.
    let parents: [Column]

    /// Precondition: the batch has the columns, inside structs at most.
    static func find(_ ids: [Int], in batch: RecordBatch) -> [KeyColumn] {
        ids.map { id in
            guard let chain = batch.schema.chain(to: id),
                let top = batch.schema.fields.firstIndex(where: { $0.id == chain[0].id })
            else { preconditionFailure("the rows lack a compared column") }
            var column = batch.columns[top]
            var parents: [Column] = []
            for (parent, field) in zip(chain, chain.dropFirst()) {
                guard case .structure(let children) = column.storage, case .structure(let type) = parent.type,
                    let place = type.fields.firstIndex(where: { $0.id == field.id })
                else { preconditionFailure("a struct column without its child") }
                parents.append(column)
                column = children[place]
            }
            return KeyColumn(column: column, parents: parents)
        }
    }

    var isInteger: Bool {
        switch column.storage {
        case .int32, .int64: true
        default: false
        }
    }

    private func isNull(_ row: Int) -> Bool { column.isNull(row) || parents.contains { $0.isNull(row) } }

    /// The value of a column of whole numbers; nil for null.
    func integer(_ row: Int) -> Int64? {
        if isNull(row) { return nil }
        switch column.storage {
        case .int32(let values): return Int64(values[row])
        case .int64(let values): return values[row]
        default: preconditionFailure("not a column of whole numbers")
        }
    }

    /// Appends the value in a form that no other value of the column starts with.
    func append(_ row: Int, to key: inout [UInt8]) {
        if isNull(row) { return key.append(0) }
        key.append(1)
        switch column.storage {
        case .boolean(let values): key.append(values[row])
        case .int32(let values): Self.append(values[row], to: &key)
        case .int64(let values): Self.append(values[row], to: &key)
        case .float(let values):
            Self.append(values[row].isNaN ? Float.nan.bitPattern : values[row].bitPattern, to: &key)
        case .double(let values):
            Self.append(values[row].isNaN ? Double.nan.bitPattern : values[row].bitPattern, to: &key)
        case .decimal(let values): Self.append(values[row], to: &key)
        case .bytes(let offsets, let bytes):
            let range = Int(offsets[row])..<Int(offsets[row + 1])
            Self.append(Int32(range.count), to: &key)
            key.append(contentsOf: UnsafeBufferPointer(rebasing: bytes.values[range]))
        case .fixed(let bytes, let width): key.append(contentsOf: bytes.values[row * width..<(row + 1) * width])
        case .structure, .list, .map: preconditionFailure("a compared column is nested")
        }
    }

    private static func append(_ value: some FixedWidthInteger, to key: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { key.append(contentsOf: $0) }
    }
}
