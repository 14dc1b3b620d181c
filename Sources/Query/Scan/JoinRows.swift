import Base
import Columnar

/// Rows of an inner table that a join keeps, found again by the value of a column.
final class JoinRows {
    struct Position {
        let batch: Int32
        let row: Int32
    }

    private(set) var batches: [(numbered: NumberedBatch, selected: [Int32]?)] = []
    private(set) var byteCount = 0
    private var rowCount = 0
    /// By field id.
    private var hashes: [Int: [Value: [Position]]] = [:]

    /// A guess at what a hash takes for one row, beside the row itself.
    private static let hashBytesPerRow = 96

    func add(_ numbered: NumberedBatch, rows: [Int32]?) {
        let count = rows?.count ?? numbered.batch.rowCount
        guard count > 0 else { return }
        batches.append((numbered, rows))
        rowCount += count
        byteCount += numbered.batch.byteCount + count * (Self.hashBytesPerRow + 4)
    }

    /// The rows whose column equals `value`, in order.
    func positions(fieldId: Int, value: Value) -> [Position] {
        if hashes[fieldId] == nil { hashes[fieldId] = hash(fieldId) }
        return hashes[fieldId]![value] ?? []
    }

    private func hash(_ fieldId: Int) -> [Value: [Position]] {
        var hash: [Value: [Position]] = [:]
        hash.reserveCapacity(rowCount)
        for (number, (numbered, selected)) in batches.enumerated() {
            let batch = numbered.batch
            guard let column = batch.leaf(fieldId) else { continue }
            for slot in 0..<(selected?.count ?? batch.rowCount) {
                let row = selected.map { Int($0[slot]) } ?? slot
                if column.isNull(row) { continue }
                hash[column.value(at: row), default: []].append(Position(batch: Int32(number), row: Int32(row)))
            }
        }
        return hash
    }
}
