import Base
import Columnar

/// Decides which files are merged, from table metadata alone. A pure function.
///
/// Let `T` be the target, `f` the mean size of files as they arrive, `E` the excess of a partition: its files less
/// `ceil(bytes / T)`. The policy keeps `E <= log2(T / f)` and writes less than `log2(T / f)` times what arrives.
///
/// 1. A partition with `E` from `due` on (a third below the bound, `CompactionBounds`) is merged until `E` is below.
///    When some are, partitions from `ready` on come along, so that one commit serves many; but not if that is much
///    work, or partitions that fill at one pace would be due together for ever.
/// 2. *Filling.* Files of `T / 2` and more are rarely worth a merge, but what they lack to `T` adds up to excess. When
///    it adds up to one whole file, the two smallest of them are merged, once and for all.
/// 3. Otherwise some of the smallest files are: the run with the most *bits* (`MergeChoice`), if that is one or more;
///    from `urgent` on, when merges have not kept up, the one of these that removes the most files for its bytes.
/// 4. If there is no such run, the partition waits. From `urgent` on it merges the two smallest files whatever it is
///    worth; then sizes grow so fast that those two hardly weigh.
/// 5. A partition is also due by a trigger that the table names (files, bytes, commits, age). Then 3 is repeated while
///    there is a run. One without new files for `coldAfterMs` takes longest runs, down to half a bit, to its end.
/// 6. A file of any size of which `deletedShareMin` of the rows are deleted, or that needs `deleteFilesMin` delete
///    files to be read, makes 3 try its partition too, and is rewritten by itself where no run takes it.
///
/// *Write amplification.* Let a file of `x < T` bytes have the potential `x * log2(T / x)`, one of `T` and more none. A
/// merge of `X` bytes lowers the sum by `X` times its bits, so one by 3 lowers it by what it writes, at least. What
/// arrives raises it by at most `bytes * log2(T / f)` (the function is concave, so that equal sizes are the worst), and
/// it is never negative. Hence all merges by 3 write less than `log2(T / f)` times what arrived; as a rule they have
/// 1.5 to 2.5 bits, and it is half of that. Filling writes at most `2T` for each whole `T` lacking: about as much as
/// one more doubling of the bytes it writes would. Merges by 4 are rare, as the next paragraph says. The tests measure
/// all of it together against the bound, with sizes made to break it. (Sizes are taken to add up; columns compress
/// better together, which makes outputs smaller and the amplification less.)
///
/// *Files.* The entropy of sizes is at least `log2` of the whole by its largest part. So without a run of one bit each
/// file is larger than all smaller ones together, and adding it raises `log2(sum) + entropy` by 1.5 or more: with `q <=
/// 1/2` the share of the smaller ones, and at most one bit among them, by `-log2(q) + h(q) - (1 - q)`, where `h` is the
/// entropy of two. So `s` files from `f` up to `T` have a run once `1.5 (s - 2) > log2(T / f) + 1`: at two thirds of
/// the bound, where merges are due. Smaller files than `f` may stretch the series; then 4 takes the two smallest, whose
/// sum is less than `T / 2.8^(s - 3)`.
///
/// Forced, everything below three quarters of `T` is packed in pairs or more, whatever it costs, and every delete is
/// applied.
public enum CompactionPolicy {
    /// What a merge of a cold partition must bring.
    static let coldBitsMin = 0.5
    /// Partitions that are only `ready` come along while a commit reads no more than this.
    static let readyBytesMax: Int64 = 64 << 20
    /// Files that one sorted group reads, in targets: the wider, the less files overlap.
    static let sortedTargetsMax: Int64 = 16

    /// Plans for a table in this state, most pressing partitions first, of equal ones the smallest plan, each file in
    /// at most one; then those of files with many deleted rows.
    ///
    /// Throws `.invalidInput` (`no_sort_order`, `bad_zorder_column`) and `.notFound` (`partition_not_found`) if the
    /// request asks for what the table lacks.
    public static func plans(
        _ state: CompactionState, options: CompactionOptions, nowMs: Int64, request: CompactionRequest = .init()
    ) throws(FirnError) -> [CompactionPlan] {
        let strategy = try request.layout.map { layout throws(FirnError) in try state.layout.strategy(layout) }
        if let partition = request.partition,
            !state.places.keys.contains(where: { request.includes(state.layout.path($0)) })
        {
            throw FirnError(.notFound, "partition_not_found", "no data files are in partition '\(partition)'")
        }
        let planner = CompactionPlanner(
            state: state, options: options, nowMs: nowMs, request: request,
            strategy: strategy ?? state.layout.strategy(ofProperty: options.layout))
        return planner.plans()
    }

    /// The time from which on the policy may have plans for a state that has none now, though no commit comes; nil if
    /// never.
    public static func nextLookMs(_ state: CompactionState, options: CompactionOptions, nowMs: Int64) -> Int64? {
        var next: Int64?
        for totals in state.places.values where totals.smallFiles >= 2 {
            guard let newest = state.commits.timeMs(sequence: totals.newestSequence) else { continue }
            for wait in [options.coldAfterMs, options.ageMsMax] {
                guard let wait, newest + wait > nowMs else { continue }
                next = min(next ?? Int64.max, newest + wait)
            }
        }
        return next
    }
}
