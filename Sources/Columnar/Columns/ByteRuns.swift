/// Comparisons of bytes in memory.
public enum ByteRuns {
    @inlinable @inline(__always)
    public static func compare(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ count: Int) -> Int {
        let common = commonPrefix(a, b, count)
        return common == count ? 0 : a[common] < b[common] ? -1 : 1
    }

    /// Unsigned bytewise order, a prefix before what it begins.
    @inlinable @inline(__always)
    public static func less(
        _ a: UnsafePointer<UInt8>, _ aCount: Int, _ b: UnsafePointer<UInt8>, _ bCount: Int
    ) -> Bool {
        let order = compare(a, b, min(aCount, bCount))
        return order < 0 || order == 0 && aCount < bCount
    }

    /// The number of equal bytes at the start, `count` at most.
    @inlinable @inline(__always)
    public static func commonPrefix(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ count: Int) -> Int {
        let (x, y) = (UnsafeRawPointer(a), UnsafeRawPointer(b))
        var at = 0
        while at &+ 8 <= count {
            let difference =
                x.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                ^ y.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            if difference != 0 { return at &+ difference.trailingZeroBitCount / 8 }
            at &+= 8
        }
        while at < count, a[at] == b[at] { at &+= 1 }
        return at
    }

    /// Up to 8 bytes from `skip` as a big-endian number, zeros behind the end.
    ///
    /// Precondition: 8 bytes may be read there when the value reaches that far.
    @inlinable @inline(__always)
    public static func word(_ start: UnsafePointer<UInt8>, _ count: Int, skip: Int) -> UInt64 {
        guard count > skip else { return 0 }
        let word = UInt64(bigEndian: UnsafeRawPointer(start + skip).loadUnaligned(as: UInt64.self))
        let left = count &- skip
        return left >= 8 ? word : word & (~0 &<< UInt64(64 &- left &* 8))
    }
}
