import Columnar

@testable import Parquet

typealias Predicate = Columnar.Expression

/// A file in memory that notes what is read of it.
final class RecordedFile {
    let bytes: [UInt8]
    private(set) var ranges: [Range<Int>] = []

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func open() throws -> ParquetFileReader {
        let reader = try ParquetFileReader(fileBytes: bytes.count, source: "test.parquet") {
            self.ranges.append($0)
            return Array(self.bytes[$0])
        }
        ranges = []
        return reader
    }

    func forget() { ranges = [] }

    func touched(_ range: Range<Int>) -> Bool { ranges.contains { $0.overlaps(range) } }
}

/// What a test changes about a written file's footer.
struct FooterChanges {
    var dropsPageIndex = false
    var addsBloomFilters = false
    var dropsStatistics = false
}

/// The file with another footer, and Bloom filters before it, over the values that each leaf outside lists holds.
func changing(_ bytes: [UInt8], _ schema: Schema, _ changes: FooterChanges) throws -> [UInt8] {
    let reader = try open(bytes)
    var footer = reader.footer
    var output = Array(bytes[..<(bytes.count - 8 - footer.footerBytes)])
    for group in footer.rowGroups.indices {
        let batch = try reader.readRowGroup(group, projection: schema)
        for leaf in reader.leaves {
            var chunk = footer.rowGroups[group].columns[leaf.column]
            if changes.dropsPageIndex {
                (chunk.offsetIndexOffset, chunk.columnIndexOffset) = (nil, nil)
            }
            if changes.dropsStatistics { chunk.statistics = nil }
            if changes.addsBloomFilters, let chain = schema.chain(to: leaf.fieldId) {
                let top = schema.fields.firstIndex { $0.id == chain[0].id }!
                var filter = BloomFilter(distinctCount: batch.rowCount, falsePositiveRate: 0.01, bytesMax: 1 << 20)
                for row in 0..<batch.rowCount {
                    let value = find(chain, batch.columns[top].value(at: row))
                    if let hash = BloomFilter.hash(value, in: leaf) { filter.insert(hash: hash) }
                    // Both zeros, as a writer would add them.
                    for zero in [Value.double(0), .double(-0.0)] where value == zero {
                        filter.insert(hash: BloomFilter.hash(UInt64(0)))
                        filter.insert(hash: BloomFilter.hash(UInt64(1) << 63))
                    }
                }
                let stored = filter.serialize()
                (chunk.bloomFilterOffset, chunk.bloomFilterBytes) = (output.count, group % 2 == 0 ? stored.count : nil)
                output += stored
            }
            footer.rowGroups[group].columns[leaf.column] = chunk
        }
    }
    let tail = footer.serialize()
    output += tail
    withUnsafeBytes(of: UInt32(tail.count).littleEndian) { output.append(contentsOf: $0) }
    return output + Array("PAR1".utf8)
}

/// The value of the last field of a chain of structs.
func find(_ chain: [Field], _ top: Value) -> Value {
    var value = top
    for (level, field) in chain.enumerated() where level > 0 {
        guard case .structure(let values) = value, case .structure(let type) = chain[level - 1].type else {
            return .null
        }
        value = values[type.fields.firstIndex { $0.id == field.id }!]
    }
    return value
}

/// SQL's three-valued logic over single values, written anew: nil is unknown.
func holds(_ predicate: Predicate, _ value: (Int) -> Value) -> Bool? {
    switch predicate {
    case .alwaysTrue: return true
    case .alwaysFalse: return false
    case .not(let inner): return holds(inner, value).map { !$0 }
    case .and(let a, let b):
        let (a, b) = (holds(a, value), holds(b, value))
        return a == false || b == false ? false : a == nil || b == nil ? nil : true
    case .or(let a, let b):
        let (a, b) = (holds(a, value), holds(b, value))
        return a == true || b == true ? true : a == nil || b == nil ? nil : false
    case .isNull(let id): return value(id).isNull
    case .notNull(let id): return !value(id).isNull
    case .isIn(let id, let literals):
        return value(id).isNull ? nil : literals.contains { compared(value(id), $0) == 0 }
    case .startsWith(let id, let prefix):
        guard case .string(let text) = value(id) else { return nil }
        return Array(text.utf8).starts(with: Array(prefix.utf8))
    case .compare(let id, let comparison, let literal):
        if value(id).isNull { return nil }
        // Nil for NaN, which differs from everything.
        let order = compared(value(id), literal)
        switch comparison {
        case .equal: return order == 0
        case .notEqual: return order != 0
        case .less: return order.map { $0 < 0 } ?? false
        case .lessOrEqual: return order.map { $0 <= 0 } ?? false
        case .greater: return order.map { $0 > 0 } ?? false
        case .greaterOrEqual: return order.map { $0 >= 0 } ?? false
        }
    }
}

/// Negative, zero or positive.
private func compared(_ a: Value, _ b: Value) -> Int? {
    func order<T: Comparable>(_ a: T, _ b: T) -> Int? { a < b ? -1 : a > b ? 1 : a == b ? 0 : nil }
    func bytes(_ a: [UInt8], _ b: [UInt8]) -> Int? {
        a == b ? 0 : a.lexicographicallyPrecedes(b) ? -1 : 1
    }
    switch (a, b) {
    case (.boolean(let a), .boolean(let b)): return order(a ? 1 : 0, b ? 1 : 0)
    case (.int(let a), .int(let b)), (.date(let a), .date(let b)): return order(a, b)
    case (.long(let a), .long(let b)), (.timestamptz(let a), .timestamptz(let b)),
        (.timestampNs(let a), .timestampNs(let b)):
        return order(a, b)
    case (.float(let a), .float(let b)): return order(a, b)
    case (.double(let a), .double(let b)): return order(a, b)
    case (.decimal(let a, _), .decimal(let b, _)): return order(a, b)
    case (.string(let a), .string(let b)): return bytes(Array(a.utf8), Array(b.utf8))
    case (.uuid(let a), .uuid(let b)): return bytes(Array(a.bytes), Array(b.bytes))
    case (.binary(let a), .binary(let b)): return bytes(a, b)
    default: preconditionFailure("\(a) against \(b)")
    }
}
