import Glibc

/// How many files a partition may have, for data that arrives in files of one size.
///
/// Let `T` be the target and `f` the size of a flushed file. A partition of `b` bytes may have
/// `ceil(b / T) + ceil(log2(T / f))` files. Its *excess* is the number of its files less `ceil(b / T)`, so the bound
/// says that the excess is at most `tiers` = `ceil(log2(T / f))`.
///
/// Files keep arriving while a merge is on its way, so merges are due a third below the bound.
public struct CompactionBounds: Hashable, Sendable {
    public let targetBytes: Int64
    /// Between `targetBytes` and a 16-millionth of it.
    public let flushBytes: Int64

    public init(targetBytes: Int64, flushBytes: Int64) {
        precondition(targetBytes > 0)
        self.targetBytes = targetBytes
        self.flushBytes = min(max(flushBytes, targetBytes >> 24, 1), targetBytes)
    }

    /// `log2(T / f)`: what write amplification stays below.
    public var amplificationMax: Double { log2(Double(targetBytes) / Double(flushBytes)) }

    /// The excess that is allowed; one at least.
    public var tiers: Int { max(1, Int(amplificationMax.rounded(.up))) }

    /// Files that may arrive in a partition between the decision to merge and the commit. None for two tiers and less.
    public var headRoom: Int { tiers / 3 }

    /// From this excess on, a partition is merged.
    public var due: Int { tiers - headRoom }

    /// From this excess on, a partition is merged when others are anyway: one commit for all.
    public var ready: Int { max(1, due - headRoom / 2) }

    /// From this excess on, a partition is merged even where that is not worth what it costs, and few bytes come first.
    public var urgent: Int { tiers - (headRoom + 1) / 2 }

    public func excess(files: Int, bytes: Int64) -> Int {
        files - Int((max(bytes, 0) + targetBytes - 1) / targetBytes)
    }

    /// The most files a partition of this size may have.
    public func filesMax(bytes: Int64) -> Int { Int((max(bytes, 0) + targetBytes - 1) / targetBytes) + tiers }
}
