import Base
import Columnar

/// Rows by the values of their identifier columns; of rows with equal keys the last one counts.
///
/// 1. A row's key is hashed column by column to 64 bits.
/// 2. An open-addressing table maps hashes to row numbers; rows whose hashes are equal are told apart by their values.
///
/// One owner.
struct KeyTable {
    /// Of the keys, in the order of the table's identifier columns.
    let fields: [Field]
    private var batches: [RecordBatch] = []
    /// Number of the first row of each batch.
    private var starts: [Int] = []
    private(set) var rowCount = 0
    /// Row numbers plus one by slot; 0 is free.
    private var slots: [UInt32]
    private var hashes: [UInt64]
    private var used = 0
    /// Rows whose key came again later.
    private(set) var superseded: Set<Int> = []

    init(fields: [Field]) {
        self.fields = fields
        slots = Array(repeating: 0, count: 1024)
        hashes = Array(repeating: 0, count: 1024)
    }

    /// Distinct keys.
    var count: Int { used }

    /// Adds rows. Precondition: the batch has the key's columns, in any place.
    mutating func add(_ batch: RecordBatch) {
        let keys = batch.keys(fields)
        let rowHashes = keys.rowHashes()
        batches.append(keys)
        starts.append(rowCount)
        for row in 0..<keys.rowCount {
            if used * 2 >= slots.count { grow() }
            let slot = find(rowHashes[row], keys, row)
            if slots[slot] == 0 {
                used += 1
            } else {
                superseded.insert(Int(slots[slot]) - 1)
            }
            slots[slot] = UInt32(rowCount + row + 1)
            hashes[slot] = rowHashes[row]
        }
        rowCount += keys.rowCount
    }

    /// The rows of a batch whose keys are in the table, in order.
    func matches(_ batch: RecordBatch) -> [Int32] {
        guard used > 0 else { return [] }
        let keys = batch.keys(fields)
        let rowHashes = keys.rowHashes()
        var found: [Int32] = []
        for row in 0..<keys.rowCount where slots[find(rowHashes[row], keys, row)] != 0 { found.append(Int32(row)) }
        return found
    }

    /// The slot of a key, or the free one where it would stand.
    private func find(_ hash: UInt64, _ keys: RecordBatch, _ row: Int) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != 0 {
            if hashes[slot] == hash, isEqual(Int(slots[slot]) - 1, keys, row) { return slot }
            slot = (slot + 1) & mask
        }
        return slot
    }

    private func isEqual(_ known: Int, _ keys: RecordBatch, _ row: Int) -> Bool {
        let index = starts.lastIndex { $0 <= known }!
        let other = known - starts[index]
        return zip(batches[index].columns, keys.columns).allSatisfy { a, b in
            a.value(at: other) == b.value(at: row)
        }
    }

    private mutating func grow() {
        let old = (slots, hashes)
        slots = Array(repeating: 0, count: old.0.count * 2)
        hashes = Array(repeating: 0, count: slots.count)
        let mask = slots.count - 1
        for (row, hash) in zip(old.0, old.1) where row != 0 {
            var slot = Int(truncatingIfNeeded: hash) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = row
            hashes[slot] = hash
        }
    }

    /// A predicate that every row with one of the keys passes: equality for few keys, else the range of each column.
    func pruning() -> Expression {
        guard rowCount > 0 else { return .alwaysFalse }
        return .all(fields.indices.map { column(at: $0) })
    }

    private static let literalsMax = 1000

    private func column(at index: Int) -> Expression {
        let id = fields[index].id
        var distinct: Set<Value> = []
        var lower: Value?
        var upper: Value?
        for batch in batches {
            let column = batch.columns[index]
            for row in 0..<batch.rowCount {
                let value = column.value(at: row)
                if value.isNull || ValueOrder.isNaN(value) { return .alwaysTrue }
                if distinct.count <= Self.literalsMax { distinct.insert(value) }
                if lower == nil || ValueOrder.compare(value, lower!) == .less { lower = value }
                if upper == nil || ValueOrder.compare(value, upper!) == .greater { upper = value }
            }
        }
        if distinct.count <= Self.literalsMax {
            return .isIn(fieldId: id, distinct.sorted { ValueOrder.compare($0, $1) == .less })
        }
        guard let lower, let upper else { return .alwaysTrue }
        return .and(
            .compare(fieldId: id, .greaterOrEqual, lower), .compare(fieldId: id, .lessOrEqual, upper))
    }
}

extension RecordBatch {
    /// Only the key's columns, each a leaf of this batch.
    func keys(_ fields: [Field]) -> RecordBatch {
        RecordBatch(
            schema: Schema(fields: fields), columns: fields.map { leaf(id: $0.id) }, rowCount: rowCount)
    }

    private func leaf(id: Int) -> Column {
        guard let chain = schema.chain(to: id), let top = schema.fields.firstIndex(where: { $0.id == chain[0].id })
        else { preconditionFailure("a batch without an identifier column") }
        var column = columns[top]
        // Identifier columns only lie in required structs, so no parent hides a value.
        for (parent, field) in zip(chain, chain.dropFirst()) {
            guard case .structure(let children) = column.storage, case .structure(let type) = parent.type,
                let place = type.fields.firstIndex(where: { $0.id == field.id })
            else { preconditionFailure("a struct without its member") }
            column = children[place]
        }
        return column
    }
}
