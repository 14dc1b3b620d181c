import Base
import Columnar

/// Divides the rows of a batch by partition.
///
/// 1. Each partition field's column is computed and its values numbered in order of appearance. A value equal to that
///    of the row before needs no look-up, which is nearly all of them in a stream ordered by time.
/// 2. The numbers of all fields together are numbered in turn: one group a distinct tuple.
/// 3. A counting sort brings each group's rows together, in their old order.
struct PartitionGrouping {
    struct Group {
        /// One value a partition field.
        let partition: [Value]
        /// Rows of `order`.
        let range: Range<Int>
    }

    let groups: [Group]
    /// The batch's rows, group by group; nil when the batch is one group as it stands.
    let order: [Int32]?

    /// A source column that the batch lacks, since its schema is older, has its value in `defaults`, by field id, in
    /// every row; else it is null.
    ///
    /// Precondition: the batch has at least one row.
    init(_ batch: RecordBatch, spec: PartitionSpec, partitionFields: [Field], defaults: [Int: Value] = [:]) {
        let columns = zip(spec.fields, partitionFields).map { field, result in
            Self.column(batch, field, type: result.type, absent: defaults[field.sourceId] ?? .null)
        }
        var codes = [Int32](repeating: 0, count: batch.rowCount)
        var groupCount = 1
        for column in columns {
            let (next, count) = Self.number(column)
            if count == 1 { continue }
            if groupCount == 1 { (codes, groupCount) = (next, count) } else { groupCount = Self.combine(&codes, next) }
        }
        guard groupCount > 1 else {
            groups = [Group(partition: columns.map { $0.value(at: 0) }, range: 0..<batch.rowCount)]
            order = nil
            return
        }
        var starts = [Int](repeating: 0, count: groupCount + 1)
        var firsts = [Int](repeating: -1, count: groupCount)
        for (row, code) in codes.enumerated() {
            starts[Int(code) + 1] += 1
            if firsts[Int(code)] < 0 { firsts[Int(code)] = row }
        }
        for index in 0..<groupCount { starts[index + 1] += starts[index] }
        var cursor = starts
        var order = [Int32](repeating: 0, count: codes.count)
        for (row, code) in codes.enumerated() {
            order[cursor[Int(code)]] = Int32(row)
            cursor[Int(code)] += 1
        }
        groups = (0..<groupCount).map { index in
            Group(
                partition: columns.map { $0.value(at: firsts[index]) }, range: starts[index]..<starts[index + 1])
        }
        self.order = order
    }

    private static func column(
        _ batch: RecordBatch, _ field: PartitionField, type: DataType, absent: Value
    ) -> Column {
        if field.transform != .void, let source = batch.leaf(field.sourceId) { return field.transform.apply(source) }
        let builder = ColumnBuilder(type, rowCapacity: batch.rowCount)
        let value = field.transform.apply(absent)
        for _ in 0..<batch.rowCount { builder.append(value) }
        return builder.finish()
    }

    /// Numbers distinct values in order of appearance.
    private static func number(_ column: Column) -> (codes: [Int32], count: Int) {
        switch column.storage {
        case .boolean(let b): return number(column) { b[$0] }
        case .int32(let b): return numberNear(column, b) ?? number(column) { b[$0] }
        case .int64(let b): return number(column) { b[$0] }
        case .decimal(let b): return number(column) { b[$0] }
        // Bits, so that NaN equals itself.
        case .float(let b): return number(column) { b[$0].isNaN ? Float.nan.bitPattern : b[$0].bitPattern }
        case .double(let b): return number(column) { b[$0].isNaN ? Double.nan.bitPattern : b[$0].bitPattern }
        case .bytes(let offsets, let bytes):
            let data = bytes.values
            return number(column) { Array(data[Int(offsets[$0])..<Int(offsets[$0 + 1])]) }
        case .fixed(let bytes, let width):
            let data = bytes.values
            return number(column) { Array(data[$0 * width..<($0 + 1) * width]) }
        case .structure, .list, .map: preconditionFailure("a partition value cannot be nested")
        }
    }

    @inline(__always) private static func number<Key: Hashable>(
        _ column: Column, _ key: (Int) -> Key
    ) -> ([Int32], Int) {
        var codes = [Int32](repeating: 0, count: column.rowCount)
        var known: [Key?: Int32] = [:]
        var last: Key?
        var lastCode: Int32 = -1
        for row in 0..<column.rowCount {
            let value = column.isNull(row) ? nil : key(row)
            if lastCode < 0 || value != last {
                lastCode = known[value] ?? Int32(known.count)
                known[value] = lastCode
                last = value
            }
            codes[row] = lastCode
        }
        return (codes, known.count)
    }

    /// Where values lie close together, as those of most transforms do, a table of all between stands for the
    /// dictionary; nil where they do not. Null has the place after the last.
    private static func numberNear(_ column: Column, _ values: Buffer<Int32>) -> (codes: [Int32], count: Int)? {
        guard let least = values.values.min(), let most = values.values.max(),
            Int(most) - Int(least) < max(1024, column.rowCount)
        else { return nil }
        let null = Int(most) - Int(least) + 1
        var known = [Int32](repeating: -1, count: null + 1)
        var count: Int32 = 0
        let codes = (0..<column.rowCount).map { row in
            let place = column.isNull(row) ? null : Int(values[row]) - Int(least)
            if known[place] < 0 {
                known[place] = count
                count += 1
            }
            return known[place]
        }
        return (codes, Int(count))
    }

    private static func combine(_ codes: inout [Int32], _ next: [Int32]) -> Int {
        var known: [Int64: Int32] = [:]
        var (last, lastCode): (Int64, Int32) = (-1, 0)
        for row in codes.indices {
            let pair = Int64(codes[row]) << 32 | Int64(next[row])
            if pair != last {
                lastCode = known[pair] ?? Int32(known.count)
                known[pair] = lastCode
                last = pair
            }
            codes[row] = lastCode
        }
        return known.count
    }
}
