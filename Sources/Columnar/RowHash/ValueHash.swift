import Base

/// 64 bits of a value: the same in whatever file and type it lies, as far as Iceberg promotes types.
///
/// Every NaN is the same value, `-0.0` differs from `0.0`, an int or float hashes as the long or double it may be
/// promoted to, a decimal by its unscaled number. Whole runs of values are hashed at once.
public enum ValueHash {
    /// Stands for a struct that is there, whatever it holds.
    public static let present: UInt64 = 0x9AE1_6A3B_2F90_404F

    /// Writes the hash of each value of `range` to `output`. A slot without a value gets some number.
    ///
    /// Precondition: the storage is not nested.
    public static func hash(_ storage: Column.Storage, _ range: Range<Int>, into output: UnsafeMutablePointer<UInt64>) {
        switch storage {
        case .boolean(let b): words(b, range, output) { UInt64($0) }
        case .int32(let b): words(b, range, output) { UInt64(bitPattern: Int64($0)) }
        case .int64(let b): words(b, range, output) { UInt64(bitPattern: $0) }
        case .float(let b): words(b, range, output) { canonicalBits(Double($0)) }
        case .double(let b): words(b, range, output) { canonicalBits($0) }
        case .decimal(let b):
            words(b, range, output) { value in
                let high = UInt64(truncatingIfNeeded: value &>> 64)
                // A number of 64 bits is told by its lower half.
                let low = UInt64(truncatingIfNeeded: value)
                return high == UInt64(bitPattern: Int64(bitPattern: low) &>> 63)
                    ? low : XXHash64.avalanche(low) ^ high &* XXHash64.prime5
            }
        case .bytes(let offsets, let bytes):
            precondition(range.upperBound < offsets.count)
            let (ends, base) = (offsets.pointer, UnsafeRawPointer(bytes.pointer))
            for index in range {
                let start = Int(ends[index])
                output[index &- range.lowerBound] = Self.bytes(base + start, Int(ends[index &+ 1]) &- start)
            }
        case .fixed(let b, let width):
            precondition(range.upperBound * width <= b.count)
            let base = UnsafeRawPointer(b.pointer)
            for index in range { output[index &- range.lowerBound] = Self.bytes(base + index &* width, width) }
        case .structure, .list, .map: preconditionFailure("a nested column has no values of its own")
        }
    }

    /// The hash of a list's length.
    @inlinable public static func length(_ count: Int) -> UInt64 {
        XXHash64.avalanche(UInt64(truncatingIfNeeded: count) ^ XXHash64.prime3)
    }

    /// The place of the element `index` of a list that itself stands at `place`; 0 is the place of a row's own values.
    @inlinable public static func place(_ place: UInt64, _ index: Int) -> UInt64 {
        XXHash64.avalanche(place &+ (UInt64(truncatingIfNeeded: index) &+ 1) &* XXHash64.prime4)
    }

    /// The factor by which values of a field count in their row: odd, and unlike that of any other field.
    public static func factor(_ fieldId: Int) -> UInt64 {
        XXHash64.avalanche(UInt64(truncatingIfNeeded: fieldId) &* XXHash64.prime1 &+ XXHash64.prime2) | 1
    }

    @inline(__always)
    private static func words<Element: BitwiseCopyable>(
        _ values: Buffer<Element>, _ range: Range<Int>, _ output: UnsafeMutablePointer<UInt64>,
        _ bits: (Element) -> UInt64
    ) {
        precondition(range.lowerBound >= 0 && range.upperBound <= values.count, "values out of the column")
        let start = values.pointer + range.lowerBound
        for index in 0..<range.count { output[index] = XXHash64.avalanche(bits(start[index]) ^ XXHash64.prime1) }
    }

    @inline(__always) private static func canonicalBits(_ value: Double) -> UInt64 {
        value.isNaN ? Double.nan.bitPattern : value.bitPattern
    }

    @inline(__always) private static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    @inline(__always) private static func word(_ base: UnsafeRawPointer, _ at: Int) -> UInt64 {
        UInt64(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    }

    /// 16 bytes a multiplication; the last ones overlap those before. Nothing past the end is read.
    @inline(__always) private static func bytes(_ base: UnsafeRawPointer, _ count: Int) -> UInt64 {
        var state = UInt64(truncatingIfNeeded: count) &* XXHash64.prime1 ^ XXHash64.prime5
        var (a, b): (UInt64, UInt64) = (0, 0)
        if count >= 8 {
            var at = 0
            while at &+ 16 < count {
                state = mix(word(base, at) ^ XXHash64.prime2, word(base, at &+ 8) ^ state)
                at &+= 16
            }
            (a, b) = (word(base, max(0, count &- 16)), word(base, count &- 8))
        } else if count >= 4 {
            a = UInt64(UInt32(littleEndian: base.loadUnaligned(as: UInt32.self)))
            b = UInt64(UInt32(littleEndian: base.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)))
        } else if count > 0 {
            let bytes = base.assumingMemoryBound(to: UInt8.self)
            a = UInt64(bytes[0]) << 16 | UInt64(bytes[count / 2]) << 8 | UInt64(bytes[count &- 1])
        }
        return XXHash64.avalanche(mix(a ^ XXHash64.prime3, b ^ state))
    }
}
