import Base
import Columnar
import Glibc

/// Loops that find the bounds of contiguous values. Plain scalar loops: the compiler turns them into vector code.
enum BoundsKernels {
    @inline(__always)
    static func integers<T: FixedWidthInteger & SignedInteger>(_ values: UnsafePointer<T>, count: Int) -> ColumnBounds {
        guard count > 0 else { return .empty }
        var low = values[0]
        var high = values[0]
        for index in 1..<max(1, count) {
            let value = values[index]
            low = value < low ? value : low
            high = value > high ? value : high
        }
        return .integer(Int64(low), Int64(high))
    }

    /// NaN compares false with everything, so it never becomes a bound.
    @inline(__always)
    static func reals<T: BinaryFloatingPoint>(
        _ values: UnsafePointer<T>, count: Int
    ) -> (bounds: ColumnBounds, nanCount: Int) {
        // Four strands, since each comparison waits for the one before it in its strand.
        var (low0, low1, low2, low3) = (T.infinity, T.infinity, T.infinity, T.infinity)
        var (high0, high1, high2, high3) = (-T.infinity, -T.infinity, -T.infinity, -T.infinity)
        var nanCount = 0
        let whole = count & ~3
        var index = 0
        while index < whole {
            let (a, b, c, d) = (values[index], values[index &+ 1], values[index &+ 2], values[index &+ 3])
            (low0, high0) = (a < low0 ? a : low0, a > high0 ? a : high0)
            (low1, high1) = (b < low1 ? b : low1, b > high1 ? b : high1)
            (low2, high2) = (c < low2 ? c : low2, c > high2 ? c : high2)
            (low3, high3) = (d < low3 ? d : low3, d > high3 ? d : high3)
            nanCount &+= (a == a ? 0 : 1) &+ (b == b ? 0 : 1) &+ (c == c ? 0 : 1) &+ (d == d ? 0 : 1)
            index &+= 4
        }
        while index < count {
            let value = values[index]
            (low0, high0) = (value < low0 ? value : low0, value > high0 ? value : high0)
            nanCount &+= value == value ? 0 : 1
            index &+= 1
        }
        let low = min(min(low0, low1), min(low2, low3))
        let high = max(max(high0, high1), max(high2, high3))
        return (nanCount == count ? .empty : .real(Double(low), Double(high)), nanCount)
    }

    static func booleans(_ values: UnsafePointer<UInt8>, count: Int) -> ColumnBounds {
        guard count > 0 else { return .empty }
        var any: UInt8 = 0
        var all: UInt8 = 1
        for index in 0..<count {
            any |= values[index]
            all &= values[index]
        }
        return .integer(Int64(all & 1), Int64(any & 1))
    }

    static func decimals(_ values: UnsafePointer<Int128>, count: Int) -> ColumnBounds {
        guard count > 0 else { return .empty }
        var low = values[0]
        var high = values[0]
        for index in 1..<max(1, count) {
            let value = values[index]
            if value < low { low = value }
            if value > high { high = value }
        }
        return .wide(low, high)
    }
}

/// Follows the least and greatest of many byte strings by 8 bytes of each, touching the rest only on a tie: by those
/// behind what the least and the greatest so far have in common, as all between them do.
///
/// Holds pointers, so it lives no longer than one pass over a buffer.
struct ByteBoundsScan {
    private var low: (UnsafePointer<UInt8>, Int)?
    private var lowPrefix: UInt64 = 0
    private var high: (UnsafePointer<UInt8>, Int)?
    private var highPrefix: UInt64 = 0
    /// Whole words that both begin with.
    private var common = 0

    /// Precondition: 8 bytes may be read at `value`, and behind its last whole word.
    @inline(__always)
    mutating func visit(_ value: UnsafePointer<UInt8>, _ count: Int) {
        guard let (lowStart, lowCount) = low, let (highStart, highCount) = high else {
            (low, high) = ((value, count), (value, count))
            lowPrefix = ByteRuns.word(value, count, skip: 0)
            highPrefix = lowPrefix
            return
        }
        guard common <= count, startsAlike(value, lowStart) else { return settle(value, count) }
        let prefix = ByteRuns.word(value, count, skip: common)
        if prefix > lowPrefix, prefix < highPrefix { return }
        if prefix < lowPrefix || prefix > highPrefix { return settle(value, count) }
        if prefix == lowPrefix, ByteRuns.less(value, count, lowStart, lowCount) { return settle(value, count) }
        if prefix == highPrefix, ByteRuns.less(highStart, highCount, value, count) { settle(value, count) }
    }

    @inline(__always)
    private func startsAlike(_ value: UnsafePointer<UInt8>, _ known: UnsafePointer<UInt8>) -> Bool {
        let (a, b) = (UnsafeRawPointer(value), UnsafeRawPointer(known))
        var at = 0
        while at < common {
            let word = a.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            if word != b.loadUnaligned(fromByteOffset: at, as: UInt64.self) { return false }
            at &+= 8
        }
        return true
    }

    /// Compares with both in full, and finds anew what they have in common.
    @inline(never)
    private mutating func settle(_ value: UnsafePointer<UInt8>, _ count: Int) {
        guard var least = low, var greatest = high else { return }
        if ByteRuns.less(value, count, least.0, least.1) { least = (value, count) }
        if ByteRuns.less(greatest.0, greatest.1, value, count) { greatest = (value, count) }
        (low, high) = (least, greatest)
        let words = min(least.1, greatest.1) / 8
        common = 0
        while common < words * 8, memcmp(least.0 + common, greatest.0 + common, 8) == 0 { common += 8 }
        lowPrefix = ByteRuns.word(least.0, least.1, skip: common)
        highPrefix = ByteRuns.word(greatest.0, greatest.1, skip: common)
    }

    /// Widens `bounds` by all that was visited.
    func extend(_ bounds: inout ColumnBounds) {
        if let (start, count) = low { bounds.extend(UnsafeBufferPointer(start: start, count: count)) }
        if let (start, count) = high { bounds.extend(UnsafeBufferPointer(start: start, count: count)) }
    }
}
