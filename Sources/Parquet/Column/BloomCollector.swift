import Base

/// Gathers the hashes of a column chunk's values and builds its Bloom filter.
///
/// 1. Values that a dictionary holds are hashed once, at the chunk's end; those of other pages as each page closes.
/// 2. Hashes are kept until the chunk ends, so that the filter fits the distinct values. When there are so many that
///    the filter would reach its greatest size, it is made at that size and takes hashes at once, which bounds memory.
final class BloomCollector {
    private let options: ParquetWriteOptions.BloomFilterOptions
    private let bytesMax: Int
    /// Bytes of each value; 0 for BYTE_ARRAY.
    private let width: Int
    /// More hashes than this need the greatest filter.
    private let hashesMax: Int
    private let hashes = Buffer<UInt64>()
    private var filter: BloomFilter?

    /// Nil for booleans, of which a filter would say nothing.
    init?(leaf: SchemaLeaf, options: ParquetWriteOptions) {
        guard let own = options.bloomFilters[leaf.fieldId] else { return nil }
        switch leaf.element.physicalType {
        case .int32, .float: width = 4
        case .int64, .double: width = 8
        case .byteArray: width = 0
        case .fixedLenByteArray: width = leaf.element.typeLength ?? 0
        case .boolean, .int96, nil: return nil
        }
        if width == 0, leaf.element.physicalType == .fixedLenByteArray { return nil }
        self.options = own
        bytesMax = max(BloomFilter.blockBytes, options.bloomFilterBytesMax)
        var most = 1024
        while most < 1 << 30,
            BloomFilter.byteCount(distinctCount: most, falsePositiveRate: own.falsePositiveRate) < bytesMax
        { most *= 2 }
        hashesMax = most
        begin()
    }

    var bufferedBytes: Int { hashes.count * 8 + (filter?.byteCount ?? 0) }

    private func begin() {
        hashes.removeAll()
        filter = options.distinctCount.map { makeFilter($0) }
    }

    private func makeFilter(_ distinctCount: Int) -> BloomFilter {
        BloomFilter(
            distinctCount: distinctCount, falsePositiveRate: options.falsePositiveRate, bytesMax: bytesMax)
    }

    /// Adds values in PLAIN encoding.
    func add(_ plain: Buffer<UInt8>, count: Int) {
        hashes.reserve(count)
        let out = hashes.pointer + hashes.count
        let base = UnsafeRawPointer(plain.pointer)
        switch width {
        case 4:
            for index in 0..<count {
                let word = base.loadUnaligned(fromByteOffset: index &* 4, as: UInt32.self)
                out[index] = BloomFilter.hash(word)
            }
        case 8:
            for index in 0..<count {
                let word = base.loadUnaligned(fromByteOffset: index &* 8, as: UInt64.self)
                out[index] = BloomFilter.hash(word)
            }
        case 0:
            var at = base
            for index in 0..<count {
                let length = Int(UInt32(littleEndian: at.loadUnaligned(as: UInt32.self)))
                out[index] = BloomFilter.hash(UnsafeRawBufferPointer(start: at + 4, count: length))
                at += 4 + length
            }
        default:
            for index in 0..<count {
                out[index] = BloomFilter.hash(UnsafeRawBufferPointer(start: base + index * width, count: width))
            }
        }
        hashes.commit(count)
        if filter == nil, hashes.count > hashesMax { filter = makeFilter(hashes.count) }
        settle()
    }

    private func settle() {
        guard filter != nil else { return }
        filter?.insert(hashes: hashes.values)
        hashes.removeAll()
    }

    /// Header and bits of the chunk's filter. The collector is then empty.
    func finish() -> [UInt8] {
        if filter == nil {
            var known = hashes.mutableValues
            known.sort()
            var distinct = 0
            let sorted = hashes.pointer
            for index in 0..<hashes.count where index == 0 || sorted[index] != sorted[index - 1] { distinct += 1 }
            filter = makeFilter(distinct)
        }
        settle()
        let bytes = filter?.serialize() ?? []
        begin()
        return bytes
    }
}
