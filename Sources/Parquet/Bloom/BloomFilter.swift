import Base
import Glibc

/// A split-block Bloom filter: which values a column chunk may hold.
///
/// A filter is `z` blocks of eight 32-bit words. The upper half of a value's hash chooses the block, the lower half
/// one bit in each of its words, so a probe touches one cache line.
///
/// Spec: https://github.com/apache/parquet-format/blob/master/BloomFilter.md
public struct BloomFilter: Sendable, Hashable {
    static let blockBytes = 32
    /// Multipliers that turn one 32-bit hash into eight bit numbers.
    private static let salts: InlineArray<8, UInt32> = [
        0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31,
    ]

    private(set) var words: [UInt32]

    /// An empty filter for `distinctCount` values, of a power of two bytes.
    ///
    /// - Parameters:
    ///   - falsePositiveRate: the share of absent values that may pass, above 0 and below 1.
    ///   - bytesMax: no filter is larger, whatever that does to the rate; 32 at least.
    public init(distinctCount: Int, falsePositiveRate: Double, bytesMax: Int) {
        let bytes = Self.byteCount(distinctCount: distinctCount, falsePositiveRate: falsePositiveRate)
        let most = 1 << (Int.bitWidth - 1 - max(Self.blockBytes, bytesMax).leadingZeroBitCount)
        self.init(blockCount: min(bytes, most) / Self.blockBytes)
    }

    /// An empty filter. Precondition: `blockCount` is positive.
    init(blockCount: Int) {
        precondition(blockCount > 0)
        words = [UInt32](repeating: 0, count: blockCount * 8)
    }

    /// Precondition: whole blocks.
    init(words: [UInt32]) {
        precondition(!words.isEmpty && words.count % 8 == 0)
        self.words = words
    }

    /// The power of two bytes that keeps the rate: eight bits a value are set, one in each word of a block.
    static func byteCount(distinctCount: Int, falsePositiveRate: Double) -> Int {
        let rate = min(max(falsePositiveRate, 1e-9), 0.999)
        let bits = -8 * Double(max(1, distinctCount)) / log(1 - pow(rate, 1.0 / 8))
        let bytes = min(bits / 8, Double(ParquetLimits.bloomFilterBytesMax))
        var room = blockBytes
        while Double(room) < bytes { room *= 2 }
        return room
    }

    public var blockCount: Int { words.count / 8 }
    public var byteCount: Int { words.count * 4 }

    /// The share of bits that are set; a probe of an absent value passes with about its eighth power.
    public var fill: Double {
        Double(words.reduce(0) { $0 + $1.nonzeroBitCount }) / Double(words.count * 32)
    }

    @inline(__always)
    private static func firstWord(_ hash: UInt64, _ blocks: Int) -> Int {
        Int(truncatingIfNeeded: ((hash &>> 32) &* UInt64(truncatingIfNeeded: blocks)) &>> 32) &* 8
    }

    /// Adds a value by its hash.
    public mutating func insert(hash: UInt64) {
        words.withUnsafeMutableBufferPointer { words in
            let first = Self.firstWord(hash, words.count / 8)
            let key = UInt32(truncatingIfNeeded: hash)
            for index in 0..<8 { words[first &+ index] |= 1 &<< ((key &* Self.salts[index]) &>> 27) }
        }
    }

    /// Adds many values by their hashes.
    mutating func insert(hashes: UnsafeBufferPointer<UInt64>) {
        words.withUnsafeMutableBufferPointer { words in
            let blocks = words.count / 8
            for hash in hashes {
                let first = Self.firstWord(hash, blocks)
                let key = UInt32(truncatingIfNeeded: hash)
                for index in 0..<8 { words[first &+ index] |= 1 &<< ((key &* Self.salts[index]) &>> 27) }
            }
        }
    }

    /// False proves that no value with this hash was added.
    public func mayContain(hash: UInt64) -> Bool {
        words.withUnsafeBufferPointer { words in
            let first = Self.firstWord(hash, words.count / 8)
            let key = UInt32(truncatingIfNeeded: hash)
            for index in 0..<8 where words[first + index] & 1 &<< ((key &* Self.salts[index]) &>> 27) == 0 {
                return false
            }
            return true
        }
    }
}

// MARK: Hashes

extension BloomFilter {
    /// The hash of a value in PLAIN encoding, without the length of a byte array.
    public static func hash(_ plain: UnsafeRawBufferPointer) -> UInt64 { XXHash64.hash(plain) }

    public static func hash(_ plain: [UInt8]) -> UInt64 { XXHash64.hash(plain) }

    /// The hash of an INT32, or of the bits of a FLOAT.
    @inline(__always)
    static func hash(_ word: UInt32) -> UInt64 {
        let start = (XXHash64.prime5 &+ 4) ^ (UInt64(word) &* XXHash64.prime1)
        return XXHash64.avalanche((start &<< 23 | start &>> 41) &* XXHash64.prime2 &+ XXHash64.prime3)
    }

    /// The hash of an INT64, or of the bits of a DOUBLE.
    @inline(__always)
    static func hash(_ word: UInt64) -> UInt64 {
        XXHash64.avalanche(XXHash64.absorb(XXHash64.prime5 &+ 8, word))
    }
}
