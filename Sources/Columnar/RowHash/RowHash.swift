import Base

/// An order-independent fingerprint of a multiset of rows.
///
/// 1. Every value becomes 64 bits (`RowHash+Values.swift`): null, false, zero and the empty string all differ.
/// 2. A row folds its values, in the order of the schema, into a 64-bit hash.
/// 3. The fingerprint holds the row count and two sums modulo 2^64: of the row hashes, and of a second, independent
///    mix of them. Addition commutes, so neither the order of rows nor the borders of batches matter, while a row
///    that is dropped, doubled or changed moves both sums.
///
/// Equal multisets have equal fingerprints. Different ones collide by accident with a probability of about 2^-64; the
/// hash is not keyed, so it proves the absence of defects, not of an adversary.
///
/// Equality is that of Iceberg values, not of bytes: every NaN is the same value, `-0.0` differs from `0.0`, an int or
/// float hashes as the long or double it may be promoted to, and the order of a map's entries does not count.
public struct RowHash: Hashable, Sendable, CustomStringConvertible {
    public private(set) var rowCount: Int
    private var sum: UInt64
    private var mixedSum: UInt64

    /// The fingerprint of no rows.
    public init() {
        rowCount = 0
        sum = 0
        mixedSum = 0
    }

    public init(_ batch: RecordBatch) {
        self.init()
        add(batch)
    }

    /// Adds every row of a batch. All batches of one fingerprint must have the same columns in the same order.
    public mutating func add(_ batch: RecordBatch) {
        // A block's hashes stay in the first-level cache while all columns are folded in.
        let blockRowsMax = 1024
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2 * blockRowsMax) { room in
            let rows = room.baseAddress!
            let values = rows + blockRowsMax
            var start = 0
            while start < batch.rowCount {
                let end = min(start + blockRowsMax, batch.rowCount)
                rows.update(repeating: XXHash64.prime5, count: end - start)
                for column in batch.columns {
                    column.hashValues(start..<end, into: values)
                    for index in 0..<end - start { rows[index] = XXHash64.absorb(rows[index], values[index]) }
                }
                for index in 0..<end - start { add(rowHash: XXHash64.avalanche(rows[index])) }
                start = end
            }
        }
    }

    @inline(__always) private mutating func add(rowHash: UInt64) {
        rowCount += 1
        sum &+= rowHash
        mixedSum &+= XXHash64.avalanche(rowHash ^ XXHash64.prime4)
    }

    /// The fingerprint of the rows of both.
    public static func + (a: RowHash, b: RowHash) -> RowHash {
        var both = a
        both.rowCount += b.rowCount
        both.sum &+= b.sum
        both.mixedSum &+= b.mixedSum
        return both
    }

    /// 32 hexadecimal digits; the row count is not part of them.
    public var description: String { Hex.encode(sum, width: 16) + Hex.encode(mixedSum, width: 16) }
}

extension RecordBatch {
    /// A 64-bit hash of every row: rows that are equal as Iceberg values have equal hashes, in any batch whose columns
    /// stand in the same order.
    public func rowHashes() -> [UInt64] {
        [UInt64](unsafeUninitializedCapacity: rowCount) { rows, count in
            guard let base = rows.baseAddress, rowCount > 0 else { return }
            base.update(repeating: XXHash64.prime5, count: rowCount)
            withUnsafeTemporaryAllocation(of: UInt64.self, capacity: rowCount) { room in
                let values = room.baseAddress!
                for column in columns {
                    column.hashValues(0..<rowCount, into: values)
                    for index in 0..<rowCount { base[index] = XXHash64.absorb(base[index], values[index]) }
                }
            }
            for index in 0..<rowCount { base[index] = XXHash64.avalanche(base[index]) }
            count = rowCount
        }
    }
}
