import Base
import Columnar

/// A Z curve through several columns: rows that are near each other on it are near in every one of them.
///
/// 1. A sample of the rows, taken at even distances, gives each column's quantiles (`Sample`). So a column's place on
///    the curve does not depend on its type or on how its values are spread, and text counts as much as numbers.
/// 2. A value's place in its column is the number of quantiles that it reaches, 0 for null, in `bits` bits.
/// 3. A row's place is made of the bits of its columns' places in turn, from the highest on.
public struct ZOrderCurve: Sendable {
    let fieldIds: [Int]
    /// Quantiles of each column, rising and without nulls.
    private let quantiles: [Column]
    /// The bits of a place in its column, by place, so far apart that those of the other columns fit between.
    private let spread: [UInt64]

    /// More columns would leave each too few bits to be narrow in.
    static let columnsMax = 16
    private static let bitsMax = 10

    /// Rows from which a curve is laid.
    public struct Sample {
        private let fieldIds: [Int]
        private let schema: Schema
        private var parts: [RecordBatch] = []
        private var rows = 0
        /// Every so many rows are taken.
        private var step = 1
        /// Rows until the next one is taken.
        private var skip = 0
        private static let rowsMax = 1 << 15

        /// - Parameter schema: of the batches, which need no more than these columns.
        ///
        /// Throws `.invalidInput` (`bad_sort`) for fewer than one or more than 16 columns, for one that occurs twice,
        /// is not in the schema, lies in a list or map, or has no order.
        public init(fieldIds: [Int], schema: Schema) throws(FirnError) {
            guard 1...ZOrderCurve.columnsMax ~= fieldIds.count, Set(fieldIds).count == fieldIds.count else {
                throw FirnError(
                    .invalidInput, "bad_sort",
                    "a Z order takes 1 to \(ZOrderCurve.columnsMax) different columns, not \(fieldIds.count)")
            }
            var fields: [Field] = []
            for id in fieldIds {
                guard let field = schema.field(id: id), schema.chain(to: id) != nil, field.type.isPrimitive else {
                    throw FirnError(
                        .invalidInput, "bad_sort", "rows cannot be ordered by column \(schema.path(id: id) ?? "\(id)")",
                        context: ["column": schema.path(id: id) ?? "id \(id)"])
                }
                fields.append(Field(id: id, name: "c\(id)", required: false, type: field.type))
            }
            self.fieldIds = fieldIds
            self.schema = Schema(fields: fields)
        }

        /// Takes some of the batch's rows into account.
        public mutating func add(_ batch: RecordBatch) {
            var taken: [Int32] = []
            while skip < batch.rowCount {
                taken.append(Int32(skip))
                skip += step
            }
            skip -= batch.rowCount
            guard !taken.isEmpty else { return }
            let columns = fieldIds.compactMap { batch.leaf($0) }
            precondition(columns.count == fieldIds.count, "a batch without the curve's columns")
            let part = RecordBatch(schema: schema, columns: columns, rowCount: batch.rowCount)
            parts.append(part.taking(taken))
            rows += taken.count
            guard rows > Self.rowsMax else { return }
            let all = RecordBatch.concatenating(parts)
            let half = all.taking((0..<Int32(all.rowCount)).filter { $0 % 2 == 0 })
            (parts, rows, step) = ([half], half.rowCount, step * 2)
        }

        /// The curve through the rows seen; any curve will do when there are none.
        public func curve() -> ZOrderCurve {
            let all = parts.isEmpty ? BatchBuilder(schema).finish() : RecordBatch.concatenating(parts)
            return ZOrderCurve(fieldIds: fieldIds, sample: all)
        }
    }

    private init(fieldIds: [Int], sample: RecordBatch) {
        self.fieldIds = fieldIds
        let bits = min(Self.bitsMax, 63 / fieldIds.count)
        let places = 1 << bits
        quantiles = sample.columns.map { Self.quantiles($0, count: places - 2) }
        spread = (0..<places).map { place in
            (0..<bits).reduce(0) { $0 | UInt64(place >> $1 & 1) << UInt64($1 * fieldIds.count) }
        }
    }

    /// At most `count` values that divide the column's into even parts.
    private static func quantiles(_ column: Column, count: Int) -> Column {
        let sorter = KeySort([[column]], [KeyDirection(isDescending: false, nullsFirst: true)])
        let picks = Buffer<RowPick>()
        for row in 0..<column.rowCount where !column.isNull(row) { picks.append(RowPick(source: 0, row: row)) }
        sorter.sort(picks)
        var rows: [Int32] = []
        for index in 0..<min(count, picks.count) {
            // The lowest value reaches no quantile: it is the first of place 1.
            let pick = picks[(index + 1) * picks.count / (min(count, picks.count) + 1)]
            if let last = rows.last, sorter.compare(RowPick(source: 0, row: Int(last)), pick) == 0 { continue }
            rows.append(Int32(pick.row))
        }
        return column.taking(rows)
    }

    /// The place of each row on the curve.
    func places(of batch: RecordBatch) -> Column {
        let output = Buffer<Int64>(repeating: 0, count: batch.rowCount)
        let to = output.pointer
        for (index, id) in fieldIds.enumerated() {
            guard let column = batch.leaf(id) else { continue }
            let shift = UInt64(fieldIds.count - 1 - index)
            forEachPlace(column, quantiles[index]) { row, place in
                to[row] |= Int64(truncatingIfNeeded: spread[place] &<< shift)
            }
        }
        return Column(type: .long, rowCount: batch.rowCount, validity: nil, nullCount: 0, storage: .int64(output))
    }

    private func forEachPlace(_ column: Column, _ quantiles: Column, _ body: (Int, Int) -> Void) {
        let direction = KeyDirection(isDescending: false, nullsFirst: true)
        let values = SortColumn([column, quantiles], direction)
        for row in 0..<column.rowCount where !column.isNull(row) {
            let pick = RowPick(source: 0, row: row)
            var (low, high) = (0, quantiles.rowCount)
            while low < high {
                let middle = (low &+ high) / 2
                let isReached = values.compare(RowPick(source: 1, row: middle), pick) <= 0
                if isReached { low = middle + 1 } else { high = middle }
            }
            body(row, low + 1)
        }
    }
}
