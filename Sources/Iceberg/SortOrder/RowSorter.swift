import Base
import Columnar

/// Finds the order in which the rows of batches stand under an order.
struct RowSorter {
    let order: RowOrder
    let orderId: Int

    /// Nil for the unsorted order, and for one that cannot be established on these columns.
    init?(_ order: SortOrder, schema: Schema) {
        guard let rows = RowOrder(order, schema: schema) else { return nil }
        self.order = rows
        orderId = order.orderId
    }

    /// The batch's rows in order; nil when they stand in it.
    func permutation(of batch: RecordBatch) -> [Int32]? {
        guard let picks = order.sorted([batch], [order.columns(of: batch)]) else { return nil }
        return picks.values.map { Int32(truncatingIfNeeded: $0.row) }
    }
}

extension RowOrder {
    /// The rows of all batches in order; nil when they stand in it, one batch after the other.
    ///
    /// - Parameter keys: the key columns of each batch.
    func sorted(_ batches: [RecordBatch], _ keys: [[Column]]) -> Buffer<RowPick>? {
        guard let schema = batches.first?.schema else { return nil }
        let picks = Self.picks(batches)
        return KeySort(keys, directions(schema)).sort(picks) ? picks : nil
    }

    /// All rows of the batches as they stand.
    static func picks(_ batches: [RecordBatch]) -> Buffer<RowPick> {
        let picks = Buffer<RowPick>(capacity: batches.reduce(0) { $0 + $1.rowCount })
        for (source, batch) in batches.enumerated() {
            for row in 0..<batch.rowCount { picks.append(RowPick(source: source, row: row)) }
        }
        return picks
    }
}
