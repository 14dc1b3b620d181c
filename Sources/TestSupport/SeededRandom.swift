import Base
import Synchronization

/// A reproducible source of randomness (SplitMix64): the same seed gives the same numbers on every machine.
public final class SeededRandom: RandomSource, RandomNumberGenerator {
    private let state: Mutex<UInt64>

    public init(seed: UInt64) { state = Mutex(seed) }

    public func next() -> UInt64 {
        state.withLock { state in
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }

    /// A number in `0 ..< bound`; `bound` is at least 1.
    public func next(below bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// True `numerator` times out of `denominator`.
    public func chance(_ numerator: Int, in denominator: Int) -> Bool { next(below: denominator) < numerator }

    public func bytes(_ count: Int) -> [UInt8] {
        var words: [UInt64] = []
        for _ in 0..<(count + 7) / 8 { words.append(next().littleEndian) }
        return words.withUnsafeBytes { Array($0.prefix(count)) }
    }
}
