import Base
import Columnar

/// What the page index says of values that are copied, not encoded.
struct PageFacts {
    var bounds = ColumnBounds.empty
    var nanCount = 0
    /// Of BYTE_ARRAY values, without their lengths; nil for other types.
    var unencodedBytes: Int?

    /// Throws `.corrupted` for a decimal of more than 128 bits.
    init(_ values: PhysicalValues, isDecimal: Bool) throws(FirnError) {
        let count = values.count
        switch values {
        case .boolean(let b): bounds = BoundsKernels.booleans(b.pointer, count: count)
        case .int32(let b): bounds = BoundsKernels.integers(b.pointer, count: count)
        case .int64(let b): bounds = BoundsKernels.integers(b.pointer, count: count)
        case .float(let b): (bounds, nanCount) = BoundsKernels.reals(b.pointer, count: count)
        case .double(let b): (bounds, nanCount) = BoundsKernels.reals(b.pointer, count: count)
        case .bytes(let offsets, let bytes):
            scan(ByteStrings(bytes: bytes, offsets: offsets, width: 0))
            unencodedBytes = Int(offsets[count])
        case .fixed(let bytes, let width) where isDecimal:
            for index in 0..<count {
                let slice = UnsafeBufferPointer(rebasing: bytes.values[index * width..<(index + 1) * width])
                guard let value = DecimalBytes.decode(slice) else {
                    throw RunLengthDecoder.malformed("a decimal passes 128 bits")
                }
                bounds.merge(.wide(value, value))
            }
        case .fixed(let bytes, let width): scan(ByteStrings(bytes: bytes, offsets: nil, width: width))
        }
    }

    private mutating func scan(_ strings: ByteStrings) {
        var scan = ByteBoundsScan()
        for index in 0..<strings.count {
            let (start, count) = strings[index]
            scan.visit(start, count)
        }
        scan.extend(&bounds)
    }
}
