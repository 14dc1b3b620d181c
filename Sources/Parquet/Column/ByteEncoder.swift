import Base
import Columnar

/// Byte strings: string, binary, uuid, fixed, and decimals of more than 18 digits as big-endian fixed bytes.
final class ByteEncoder: ValueEncoder {
    /// Bytes of each value; nil for BYTE_ARRAY, whose PLAIN form has a 4-byte length before each value.
    private let fixedWidth: Int?
    private let isDecimal: Bool
    private var dictionary: ByteDictionary?
    /// For each dictionary entry the number of the last page that looked at it for its bounds.
    private var seenInPage = Buffer<UInt32>()
    private var pageNumber: UInt32 = 0
    private let converted = Buffer<UInt8>()

    init(fixedWidth: Int?, isDecimal: Bool, dictionaryBytesMax: Int) {
        self.fixedWidth = fixedWidth
        self.isDecimal = isDecimal
        super.init(dictionaryBytesMax: dictionaryBytesMax, mayUseDictionary: true)
    }

    override func appendValues(_ values: LeafValues) throws(FirnError) -> Bool {
        switch (values.column.storage, fixedWidth) {
        case (.bytes(let offsets, let bytes), nil):
            return append(values.strings(bytes, offsets: offsets, width: 0))
        case (.fixed(let bytes, let width), .some(let wanted)) where width == wanted && !isDecimal:
            return append(values.strings(bytes, offsets: nil, width: width))
        case (.decimal(let source), .some(let width)) where isDecimal:
            try convert(source, values, width)
            let dense = LeafValues(column: values.column, start: 0, count: values.count, slots: nil)
            guard append(dense.strings(converted, offsets: nil, width: width)) else { return false }
            widen(source, values)
            return true
        default: throw LeafMismatch.error(values.column)
        }
    }

    private func append(_ strings: ByteStrings) -> Bool {
        let total = strings.byteCount
        if usesDictionary {
            let dictionary = self.dictionary ?? ByteDictionary()
            self.dictionary = dictionary
            indices.reserve(strings.count)
            let out = indices.pointer + indices.count
            guard dictionary.encode(strings, into: out, bytesMax: dictionaryBytesMax) else { return false }
            indices.commit(strings.count)
        } else {
            appendPlain(strings, total)
        }
        valueCount += strings.count
        plainBytes += total + (fixedWidth == nil ? strings.count * 4 : 0)
        return true
    }

    private func appendPlain(_ strings: ByteStrings, _ total: Int) {
        let size = total + (fixedWidth == nil ? strings.count * 4 : 0)
        // Short strings are copied 16 bytes at a time, past their end.
        plain.reserve(size + 16)
        var target = UnsafeMutableRawPointer(plain.pointer + plain.count)
        var scan = ByteBoundsScan()
        let hasLength = fixedWidth == nil
        let isBounded = !isDecimal
        for position in 0..<strings.count {
            let (source, length) = strings[position]
            if isBounded { scan.visit(source, length) }
            if hasLength {
                target.storeBytes(of: UInt32(truncatingIfNeeded: length).littleEndian, as: UInt32.self)
                target += 4
            }
            ShortCopy.copy(target, source, length)
            target += length
        }
        plain.commit(size)
        scan.extend(&bounds)
    }

    private func convert(_ source: Buffer<Int128>, _ values: LeafValues, _ width: Int) throws(FirnError) {
        converted.removeAll()
        converted.reserve(values.count * width)
        let (from, to) = (source.pointer, converted.pointer)
        let spare = Int128(128 - width * 8)
        var fits = true
        for position in 0..<values.count {
            let value = from[values.slots.map { Int($0[position]) } ?? values.start + position]
            fits = fits && (value &<< spare) &>> spare == value
            DecimalBytes.encode(value, width: width, to: to + position * width)
        }
        guard fits else { throw DecimalOverflow.error(values.column) }
    }

    private func widen(_ source: Buffer<Int128>, _ values: LeafValues) {
        guard let slots = values.slots else {
            bounds.merge(BoundsKernels.decimals(source.pointer + values.start, count: values.count))
            return
        }
        let from = source.pointer
        guard values.count > 0 else { return }
        var (low, high) = (from[Int(slots[0])], from[Int(slots[0])])
        for position in 1..<max(1, values.count) {
            low = min(low, from[Int(slots[position])])
            high = max(high, from[Int(slots[position])])
        }
        bounds.merge(.wide(low, high))
    }

    override func absorb(_ dictionary: PhysicalValues, into map: Buffer<UInt32>) -> Bool {
        let strings: ByteStrings
        switch (dictionary, fixedWidth) {
        case (.bytes(let offsets, let bytes), nil): strings = ByteStrings(bytes: bytes, offsets: offsets, width: 0)
        case (.fixed(let bytes, let width), .some(let wanted)) where width == wanted:
            strings = ByteStrings(bytes: bytes, offsets: nil, width: width)
        default: return false
        }
        let known = self.dictionary ?? ByteDictionary()
        self.dictionary = known
        map.reserve(strings.count)
        guard known.encode(strings, into: map.pointer + map.count, bytesMax: dictionaryBytesMax) else { return false }
        map.commit(strings.count)
        return true
    }

    override func appendIndexed(
        _ dictionary: PhysicalValues, _ map: Buffer<UInt32>, _ indices: UnsafePointer<UInt32>, count: Int
    ) throws(FirnError) {
        appendMapped(map, indices, count: count)
        switch dictionary {
        case .bytes(let offsets, _):
            let ends = offsets.pointer
            var total = count * 4
            for index in 0..<count {
                let entry = Int(indices[index])
                total &+= Int(ends[entry &+ 1] &- ends[entry])
            }
            plainBytes += total
        case .fixed(let bytes, let width):
            plainBytes += count * width
            guard isDecimal else { return }
            for index in 0..<count {
                let start = Int(indices[index]) * width
                let value = DecimalBytes.decode(UnsafeBufferPointer(rebasing: bytes.values[start..<start + width]))
                guard let value else { throw RunLengthDecoder.malformed("a decimal passes 128 bits") }
                bounds.merge(.wide(value, value))
            }
        default: preconditionFailure("a dictionary of another type")
        }
    }

    override func settleBounds() {
        guard usesDictionary, !isDecimal, let dictionary, !indices.isEmpty else { return }
        pageNumber &+= 1
        if seenInPage.count < dictionary.count {
            seenInPage.append(repeating: 0, count: dictionary.count - seenInPage.count)
        }
        let (seen, page, used) = (seenInPage.pointer, pageNumber, indices.pointer)
        let strings = ByteStrings(bytes: dictionary.bytes, offsets: dictionary.offsets, width: 0)
        var scan = ByteBoundsScan()
        for position in 0..<indices.count {
            let index = Int(used[position])
            if seen[index] == page { continue }
            seen[index] = page
            let (start, length) = strings[index]
            scan.visit(start, length)
        }
        scan.extend(&bounds)
    }

    override var dictionaryCount: Int { dictionary?.count ?? 0 }
    override var dictionaryBytes: Int {
        guard let dictionary else { return 0 }
        return fixedWidth == nil ? dictionary.lengthPrefixedBytes : dictionary.bytes.count
    }
    override var dictionaryMemoryBytes: Int { (dictionary?.memoryBytes ?? 0) + seenInPage.byteCapacity }

    override func encodeDictionary(into out: Buffer<UInt8>) {
        guard let dictionary else { return }
        out.reserve(dictionaryBytes)
        for index in 0..<dictionary.count { append(dictionary.entry(index), to: out) }
    }

    override func resolveIndices() {
        guard let dictionary else { return }
        for position in 0..<indices.count { append(dictionary.entry(Int(indices[position])), to: plain) }
    }

    private func append(_ value: UnsafeBufferPointer<UInt8>, to out: Buffer<UInt8>) {
        if fixedWidth == nil {
            var length = UInt32(value.count).littleEndian
            withUnsafeBytes(of: &length) { out.append($0.assumingMemoryBound(to: UInt8.self)) }
        }
        out.append(value)
    }

    override func dropDictionary() {
        dictionary = nil
        seenInPage = Buffer()
        pageNumber = 0
    }
}
