import Columnar

/// The deletes of one data file, applied to its rows.
struct RowDeletes {
    private let positions: RowPositions?
    private let keys: [EqualityKeys]
    private let sequenceNumber: Int64

    init(_ loaded: DeleteLoader.Loaded, sequenceNumber: Int64) {
        positions = loaded.positions
        keys = loaded.keys
        self.sequenceNumber = sequenceNumber
    }

    /// True when no row of the range is left.
    func deletesAll(of rows: Range<Int64>) -> Bool {
        positions.map { !rows.isEmpty && $0.count(in: rows) == rows.count } ?? false
    }

    /// The rows of a batch that are left; nil when all are.
    ///
    /// - Parameters:
    ///   - batch: holds the compared columns of the equality deletes.
    ///   - first: the position in the file that row 0 of `rows`, or of the batch, has.
    ///   - rows: how far each row of the batch stands behind `first`; nil for row i at `first` + i.
    func left(_ batch: RecordBatch, first: Int64, rows: [Int32]?) -> [Int32]? {
        var left: [Int32]?
        if let positions {
            if let rows {
                let kept = rows.indices.filter { !positions.contains(first + Int64(rows[$0])) }
                if kept.count < rows.count { left = kept.map { Int32($0) } }
            } else {
                left = positions.rowsLeft(from: first, count: batch.rowCount)
            }
        }
        for keys in keys {
            left = keys.left(batch, rows: left, sequenceNumber: sequenceNumber) ?? left
        }
        return left
    }
}
