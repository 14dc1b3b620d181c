import Glibc

/// Which of a partition's smallest files to merge: those whose sizes have the most entropy.
///
/// Let a merge read files of `x1 … xk` bytes, `X` in all. Its *bits* are the entropy of the sizes,
/// `sum((xi / X) * log2(X / xi))`, less `log2(X / T)` where the output passes the target `T`. So they count by how many
/// doublings on the way to `T` the merge moves a byte, on average; four equal files have two, a file of 90 % and one of
/// 10 % have half a bit. The cost is one write of each byte. A merge of one bit or more is *worth it*.
struct MergeChoice: Hashable {
    /// Merges the `count` smallest files.
    let count: Int
    let bits: Double

    /// The share of the best bits that a longer run may lack: wider merges are fewer merges.
    static let nearlyBest = 0.9

    /// What the best run is.
    enum Aim {
        /// Of those with nearly the most bits, the longest that stays within the target, else the first that passes it.
        case bits
        /// The longest that is worth it: nothing will follow.
        case last
        /// The one within the target that removes the most files for each byte it writes: the partition has hardly room
        /// for more.
        case relief
    }

    /// The best run of the smallest files that is worth it.
    ///
    /// - Parameters:
    ///   - sizes: ascending.
    ///   - bytesMax: what one merge may read.
    ///   - bitsMin: what a merge must bring.
    static func best(
        of sizes: some Sequence<Int64>, targetBytes: Int64, bytesMax: Int64, filesMin: Int, filesMax: Int,
        bitsMin: Double, aim: Aim = .bits
    ) -> MergeChoice? {
        var runs: [(choice: MergeChoice, bytes: Double)] = []
        var most = 0.0
        var sum = 0.0
        var weighted = 0.0
        var count = 0
        for size in sizes {
            let bytes = Double(max(size, 1))
            guard sum + bytes <= Double(bytesMax), count < filesMax else { break }
            sum += bytes
            weighted += bytes * log2(bytes)
            count += 1
            guard count >= max(filesMin, 2) else { continue }
            let overshoot = max(0, log2(sum / Double(targetBytes)))
            let choice = MergeChoice(count: count, bits: log2(sum) - weighted / sum - overshoot)
            runs.append((choice, sum))
            most = max(most, choice.bits)
        }
        // Rounding must not refuse two equal files.
        let enough = (aim == .bits ? max(bitsMin, most * nearlyBest) : bitsMin) - 1e-9
        let good = runs.filter { $0.choice.bits >= enough }
        let within = good.filter { $0.bytes <= Double(targetBytes) }
        guard aim == .relief else { return (within.last ?? good.first)?.choice }
        func relief(_ run: (choice: MergeChoice, bytes: Double)) -> Double { Double(run.choice.count - 1) / run.bytes }
        return (within.max { relief($0) < relief($1) } ?? good.first)?.choice
    }
}
