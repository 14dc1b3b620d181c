import Base
import Columnar

/// Values of 4 or 8 bytes: int, date, long, time, timestamps, float, double and decimals of up to 18 digits.
final class WordEncoder: ValueEncoder {
    enum Order {
        case int32, int64, float, double
    }

    private let order: Order
    private let width: Int
    private var words32: WordDictionary<UInt32>?
    private var words64: WordDictionary<UInt64>?
    private let gathered = Buffer<UInt64>()

    init(order: Order, dictionaryBytesMax: Int) {
        self.order = order
        width = order == .int32 || order == .float ? 4 : 8
        super.init(dictionaryBytesMax: dictionaryBytesMax, mayUseDictionary: true)
    }

    override func appendValues(_ values: LeafValues) throws(FirnError) -> Bool {
        let words = try contiguous(values)
        if usesDictionary {
            guard encode(words, values.count) else { return false }
        } else {
            plain.append(
                UnsafeBufferPointer(
                    start: words.assumingMemoryBound(to: UInt8.self), count: values.count * width))
        }
        valueCount += values.count
        plainBytes += values.count * width
        widen(words, values.count)
        return true
    }

    private func encode(_ words: UnsafeRawPointer, _ count: Int) -> Bool {
        if width == 4 {
            let dictionary = words32 ?? WordDictionary<UInt32>()
            words32 = dictionary
            return dictionary.encode(
                words.assumingMemoryBound(to: UInt32.self), count: count, into: indices,
                bytesMax: dictionaryBytesMax)
        }
        let dictionary = words64 ?? WordDictionary<UInt64>()
        words64 = dictionary
        return dictionary.encode(
            words.assumingMemoryBound(to: UInt64.self), count: count, into: indices, bytesMax: dictionaryBytesMax)
    }

    private func widen(_ words: UnsafeRawPointer, _ count: Int) {
        switch order {
        case .int32:
            bounds.merge(BoundsKernels.integers(words.assumingMemoryBound(to: Int32.self), count: count))
        case .int64:
            bounds.merge(BoundsKernels.integers(words.assumingMemoryBound(to: Int64.self), count: count))
        case .float:
            let found = BoundsKernels.reals(words.assumingMemoryBound(to: Float.self), count: count)
            bounds.merge(found.bounds)
            nanCount += found.nanCount
        case .double:
            let found = BoundsKernels.reals(words.assumingMemoryBound(to: Double.self), count: count)
            bounds.merge(found.bounds)
            nanCount += found.nanCount
        }
    }

    /// The values one after another: in place where they lie so, gathered otherwise.
    private func contiguous(_ values: LeafValues) throws(FirnError) -> UnsafeRawPointer {
        switch (values.column.storage, order) {
        case (.int32(let b), .int32): return gather(UnsafeRawPointer(b.pointer), values)
        case (.int64(let b), .int64): return gather(UnsafeRawPointer(b.pointer), values)
        case (.float(let b), .float): return gather(UnsafeRawPointer(b.pointer), values)
        case (.double(let b), .double): return gather(UnsafeRawPointer(b.pointer), values)
        case (.decimal(let b), .int32), (.decimal(let b), .int64): return try narrow(b, values)
        default: throw LeafMismatch.error(values.column)
        }
    }

    private func gather(_ base: UnsafeRawPointer, _ values: LeafValues) -> UnsafeRawPointer {
        guard let slots = values.slots else { return base + values.start * width }
        gathered.removeAll()
        gathered.reserve(values.count)
        let target = UnsafeMutableRawPointer(gathered.pointer)
        if width == 4 {
            let from = base.assumingMemoryBound(to: UInt32.self)
            let to = target.assumingMemoryBound(to: UInt32.self)
            for index in 0..<values.count { to[index] = from[Int(slots[index])] }
        } else {
            let from = base.assumingMemoryBound(to: UInt64.self)
            let to = target.assumingMemoryBound(to: UInt64.self)
            for index in 0..<values.count { to[index] = from[Int(slots[index])] }
        }
        return UnsafeRawPointer(target)
    }

    private func narrow(_ source: Buffer<Int128>, _ values: LeafValues) throws(FirnError) -> UnsafeRawPointer {
        gathered.removeAll()
        gathered.reserve(values.count)
        let target = UnsafeMutableRawPointer(gathered.pointer)
        let from = source.pointer
        var fits = true
        for index in 0..<values.count {
            let wide = from[values.slots.map { Int($0[index]) } ?? values.start + index]
            if width == 4 {
                let value = Int32(truncatingIfNeeded: wide)
                fits = fits && Int128(value) == wide
                target.storeBytes(of: value, toByteOffset: index * 4, as: Int32.self)
            } else {
                let value = Int64(truncatingIfNeeded: wide)
                fits = fits && Int128(value) == wide
                target.storeBytes(of: value, toByteOffset: index * 8, as: Int64.self)
            }
        }
        guard fits else { throw DecimalOverflow.error(values.column) }
        return UnsafeRawPointer(target)
    }

    override func absorb(_ dictionary: PhysicalValues, into map: Buffer<UInt32>) -> Bool {
        guard let (words, count) = words(dictionary) else { return false }
        if width == 4 {
            let known = words32 ?? WordDictionary<UInt32>()
            words32 = known
            return known.encode(
                words.assumingMemoryBound(to: UInt32.self), count: count, into: map, bytesMax: dictionaryBytesMax)
        }
        let known = words64 ?? WordDictionary<UInt64>()
        words64 = known
        return known.encode(
            words.assumingMemoryBound(to: UInt64.self), count: count, into: map, bytesMax: dictionaryBytesMax)
    }

    private func words(_ values: PhysicalValues) -> (UnsafeRawPointer, count: Int)? {
        switch (values, order) {
        case (.int32(let b), .int32): (UnsafeRawPointer(b.pointer), b.count)
        case (.int64(let b), .int64): (UnsafeRawPointer(b.pointer), b.count)
        case (.float(let b), .float): (UnsafeRawPointer(b.pointer), b.count)
        case (.double(let b), .double): (UnsafeRawPointer(b.pointer), b.count)
        default: nil
        }
    }

    override func appendIndexed(
        _ dictionary: PhysicalValues, _ map: Buffer<UInt32>, _ indices: UnsafePointer<UInt32>, count: Int
    ) throws(FirnError) {
        guard let (words, _) = words(dictionary) else { preconditionFailure("a dictionary of another type") }
        appendMapped(map, indices, count: count)
        plainBytes += count * width
        gathered.removeAll()
        gathered.reserve(count)
        let target = UnsafeMutableRawPointer(gathered.pointer)
        if width == 4 {
            let (from, to) = (words.assumingMemoryBound(to: UInt32.self), target.assumingMemoryBound(to: UInt32.self))
            for index in 0..<count { to[index] = from[Int(indices[index])] }
        } else {
            let (from, to) = (words.assumingMemoryBound(to: UInt64.self), target.assumingMemoryBound(to: UInt64.self))
            for index in 0..<count { to[index] = from[Int(indices[index])] }
        }
        widen(UnsafeRawPointer(target), count)
    }

    override var dictionaryCount: Int { words32?.values.count ?? words64?.values.count ?? 0 }
    override var dictionaryBytes: Int { words32?.bytes ?? words64?.bytes ?? 0 }
    override var dictionaryMemoryBytes: Int { words32?.memoryBytes ?? words64?.memoryBytes ?? 0 }

    override func encodeDictionary(into out: Buffer<UInt8>) {
        if let words32 { Self.append(words32.values, to: out) }
        if let words64 { Self.append(words64.values, to: out) }
    }

    @inline(__always)
    private static func append<Word>(_ words: Buffer<Word>, to out: Buffer<UInt8>) {
        out.append(UnsafeRawBufferPointer(words.values).assumingMemoryBound(to: UInt8.self))
    }

    override func resolveIndices() {
        plain.reserve(indices.count * width)
        let target = UnsafeMutableRawPointer(plain.pointer + plain.count)
        let used = indices.pointer
        if let known = words32?.values.pointer {
            for index in 0..<indices.count {
                let word = known[Int(used[index])]
                target.storeBytes(of: word, toByteOffset: index * 4, as: UInt32.self)
            }
        } else if let known = words64?.values.pointer {
            for index in 0..<indices.count {
                let word = known[Int(used[index])]
                target.storeBytes(of: word, toByteOffset: index * 8, as: UInt64.self)
            }
        }
        plain.commit(indices.count * width)
    }

    override func dropDictionary() {
        words32 = nil
        words64 = nil
    }
}

enum DecimalOverflow {
    static func error(_ column: Column) -> FirnError {
        FirnError(
            .invalidInput, "decimal_out_of_range", "a value has more digits than its type \(column.type) allows")
    }
}
