import Base

/// An order-independent fingerprint of a multiset of rows.
///
/// 1. A row is taken apart into what it states: the value of a leaf, that a struct is there, the length of a list; each
///    with its field id and, inside lists, its place. Null states nothing.
/// 2. Each statement has a hash (`ValueHash`); those of a row are summed modulo 2^64 (`RowSums`), and the sum is mixed
///    into the row's hash, so that values that change places between rows show.
/// 3. The fingerprint holds the row count and two sums modulo 2^64: of the row hashes, and of a second, independent
///    mix of them. Addition commutes, so neither the order of rows nor the borders of batches matter, while a row
///    that is dropped, doubled or changed moves both sums.
///
/// Sums also commute over columns: a reader may go through a file column by column, the order of columns is of no
/// matter, and a column that was added later changes nothing where it is null.
///
/// Equal multisets have equal fingerprints. Different ones collide by accident with a probability of about 2^-64; the
/// hash is not keyed, so it proves the absence of defects, not of an adversary.
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

    /// Adds every row of a batch.
    public mutating func add(_ batch: RecordBatch) { add(batch, rows: 0..<batch.rowCount) }

    /// Adds some rows of a batch: all of their columns, or the first ones.
    public mutating func add(_ batch: RecordBatch, rows: Range<Int>, columns: Int? = nil) {
        // A block's sums stay in the first-level cache while all columns are added.
        let blockRowsMax = 1024
        let block = RowSums(rowCount: min(blockRowsMax, max(1, rows.count)))
        var start = rows.lowerBound
        while start < rows.upperBound {
            let end = min(start + blockRowsMax, rows.upperBound)
            block.clear()
            for index in 0..<min(columns ?? .max, batch.columns.count) {
                let field = batch.schema.fields[index]
                block.add(batch.columns[index], field.id, field.type, rows: start..<end, at: 0)
            }
            add(block, count: end - start)
            start = end
        }
    }

    /// Adds the first rows of which all columns have been summed.
    public mutating func add(_ sums: RowSums, count: Int) {
        precondition(count <= sums.rowCount)
        add(UnsafePointer(sums.pointer), count: count)
    }

    /// Adds rows by a column of their sums (`RowSums.carried`).
    public mutating func add(carried column: Column, rows: Range<Int>) {
        guard case .int64(let sums) = column.storage else { preconditionFailure("sums are longs") }
        precondition(rows.lowerBound >= 0 && rows.upperBound <= sums.count)
        let start = UnsafeRawPointer(sums.pointer + rows.lowerBound).assumingMemoryBound(to: UInt64.self)
        add(start, count: rows.count)
    }

    private mutating func add(_ rows: UnsafePointer<UInt64>, count: Int) {
        var (first, second): (UInt64, UInt64) = (0, 0)
        for row in 0..<count {
            let hash = XXHash64.avalanche(rows[row] &+ XXHash64.prime5)
            first &+= hash
            second &+= XXHash64.avalanche(hash ^ XXHash64.prime4)
        }
        rowCount += count
        sum &+= first
        mixedSum &+= second
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

    /// Reads `description`; nil for another text.
    public init?(_ text: String, rowCount: Int) {
        let digits = Array(text.utf8)
        guard rowCount >= 0, digits.count == 32 else { return nil }
        func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
            let isHex = digits.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
            return isHex ? UInt64(String(decoding: digits, as: UTF8.self), radix: 16) : nil
        }
        guard let sum = number(digits[..<16]), let mixed = number(digits[16...]) else { return nil }
        (self.rowCount, self.sum, mixedSum) = (rowCount, sum, mixed)
    }
}

extension RecordBatch {
    /// A 64-bit hash of every row: rows that are equal as Iceberg values have equal hashes, in any batch whose columns
    /// have the same field ids.
    public func rowHashes() -> [UInt64] {
        let sums = RowSums(rowCount: rowCount)
        for (field, column) in zip(schema.fields, columns) {
            sums.add(column, field.id, field.type, rows: 0..<rowCount, at: 0)
        }
        return (0..<rowCount).map { XXHash64.avalanche(sums.pointer[$0] &+ XXHash64.prime5) }
    }
}
