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
            return usesDictionary ? encode(values, offsets, bytes) : appendPlain(values, offsets, bytes)
        case (.fixed(let bytes, let width), .some(let wanted)) where width == wanted && !isDecimal:
            return appendFixed(values, UnsafePointer(bytes.pointer), width)
        case (.decimal(let source), .some(let width)) where isDecimal:
            try convert(source, values, width)
            let dense = LeafValues(column: values.column, start: 0, count: values.count, slots: nil)
            guard appendFixed(dense, UnsafePointer(converted.pointer), width) else { return false }
            widen(source, values)
            return true
        default: throw LeafMismatch.error(values.column)
        }
    }

    private func encode(_ values: LeafValues, _ offsets: Buffer<Int32>, _ bytes: Buffer<UInt8>) -> Bool {
        let dictionary = self.dictionary ?? ByteDictionary()
        self.dictionary = dictionary
        let start = indices.count
        indices.reserve(values.count)
        let out = indices.pointer + start
        let ends = offsets.pointer
        var total = 0
        for position in 0..<values.count {
            let slot = values.slots.map { Int($0[position]) } ?? values.start &+ position
            let low = Int(ends[slot])
            let length = Int(ends[slot &+ 1]) &- low
            guard let index = dictionary.index(of: bytes.pointer + low, count: length, bytesMax: dictionaryBytesMax)
            else { return false }
            out[position] = index
            total &+= length
        }
        indices.commit(values.count)
        valueCount += values.count
        plainBytes += total + values.count * 4
        return true
    }

    private func appendPlain(_ values: LeafValues, _ offsets: Buffer<Int32>, _ bytes: Buffer<UInt8>) -> Bool {
        let ends = offsets.pointer
        let before = plain.count
        var scan = ByteBoundsScan()
        for position in 0..<values.count {
            let slot = values.slots.map { Int($0[position]) } ?? values.start &+ position
            let low = Int(ends[slot])
            let length = Int(ends[slot &+ 1]) &- low
            let source = bytes.pointer + low
            scan.visit(source, length)
            plain.reserve(length &+ 4)
            let target = UnsafeMutableRawPointer(plain.pointer + plain.count)
            target.storeBytes(of: UInt32(truncatingIfNeeded: length).littleEndian, as: UInt32.self)
            (target + 4).copyMemory(from: source, byteCount: length)
            plain.commit(length &+ 4)
        }
        scan.extend(&bounds)
        valueCount += values.count
        plainBytes += plain.count - before
        return true
    }

    private func appendFixed(_ values: LeafValues, _ base: UnsafePointer<UInt8>, _ width: Int) -> Bool {
        if usesDictionary {
            let dictionary = self.dictionary ?? ByteDictionary()
            self.dictionary = dictionary
            indices.reserve(values.count)
            let out = indices.pointer + indices.count
            for position in 0..<values.count {
                let slot = values.slots.map { Int($0[position]) } ?? values.start &+ position
                guard
                    let index = dictionary.index(of: base + slot * width, count: width, bytesMax: dictionaryBytesMax)
                else { return false }
                out[position] = index
            }
            indices.commit(values.count)
        } else {
            var scan = ByteBoundsScan()
            plain.reserve(values.count * width)
            let out = plain.pointer + plain.count
            for position in 0..<values.count {
                let slot = values.slots.map { Int($0[position]) } ?? values.start &+ position
                (out + position * width).update(from: base + slot * width, count: width)
                if !isDecimal { scan.visit(base + slot * width, width) }
            }
            plain.commit(values.count * width)
            if !isDecimal { scan.extend(&bounds) }
        }
        valueCount += values.count
        plainBytes += values.count * width
        return true
    }

    private func convert(_ source: Buffer<Int128>, _ values: LeafValues, _ width: Int) throws(FirnError) {
        converted.removeAll()
        converted.reserve(values.count * width)
        let spare = 128 - width * 8
        var fits = true
        for position in 0..<values.count {
            let value = source.pointer[values.slots.map { Int($0[position]) } ?? values.start + position]
            fits = fits && (value << Int128(spare)) >> Int128(spare) == value
            DecimalBytes.encode(value, width: width, to: converted.pointer + position * width)
        }
        guard fits else { throw DecimalOverflow.error(values.column) }
    }

    private func widen(_ source: Buffer<Int128>, _ values: LeafValues) {
        guard let slots = values.slots else {
            bounds.merge(BoundsKernels.decimals(source.pointer + values.start, count: values.count))
            return
        }
        for position in 0..<values.count {
            bounds.merge(BoundsKernels.decimals(source.pointer + Int(slots[position]), count: 1))
        }
    }

    override func settleBounds() {
        guard usesDictionary, !isDecimal, let dictionary, !indices.isEmpty else { return }
        pageNumber &+= 1
        if seenInPage.count < dictionary.count {
            seenInPage.append(repeating: 0, count: dictionary.count - seenInPage.count)
        }
        let seen = seenInPage.pointer
        var scan = ByteBoundsScan()
        for position in 0..<indices.count {
            let index = Int(indices.pointer[position])
            if seen[index] == pageNumber { continue }
            seen[index] = pageNumber
            let start = Int(dictionary.offsets.pointer[index])
            scan.visit(dictionary.bytes.pointer + start, Int(dictionary.offsets.pointer[index + 1]) - start)
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
