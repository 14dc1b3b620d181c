import Base
import Columnar
import Iceberg

/// Manifests of one content and partition spec that are to be rewritten together.
public struct ManifestPlan: Sendable {
    public let content: ManifestFile.Content
    public let specId: Int
    /// In the order of the smallest partition in each, so that neighbours overlap.
    public let manifests: [ManifestFile]
    public let reason: String

    public var bytes: Int64 { manifests.reduce(0) { $0 + $1.length } }
}

/// Decides which manifests are worth rewriting, from the manifest list alone.
///
/// Planning a query reads every manifest whose partition ranges it cannot rule out. Two things make it read too much:
///
/// 1. *Small manifests.* Commits merge them as they come; another engine's may not. With `smallCountMin` of them below
///    half of `commit.manifest.target-size-bytes`, the small ones are rewritten.
/// 2. *Bad clustering.* Manifests whose ranges cross each other could be told apart by sorting their entries. The cost
///    of a manifest is the bytes of those that cross it, and that of the spec their mean, weighted by size: about what
///    planning the files of one partition reads in vain. When it passes `crossingTargetsMax` manifests of the target
///    size and `crossingShareMax` of all bytes, all are rewritten. Sorted manifests touch, but never cross, so a table
///    that was rewritten is left alone until about an eighth of it is new: an entry is not rewritten more than about
///    eight times while its table doubles.
///
/// Manifests above twice the target are divided. Forced, anything that gains something is done.
public enum ManifestPolicy {
    /// Manifests compared with each other; beyond, a sample stands for all.
    static let comparedMax = 2000
    static let crossingTargetsMax = 4.0
    static let crossingShareMax = 0.2

    public static func plans(
        _ manifests: [ManifestFile], metadata: TableMetadata, isForced: Bool = false
    ) -> [ManifestPlan] {
        var plans: [ManifestPlan] = []
        for content in [ManifestFile.Content.data, .deletes] {
            let live = manifests.filter { $0.content == content && $0.mayHaveLiveFiles && $0.keyMetadata == nil }
            for (specId, group) in Dictionary(grouping: live, by: \.specId).sorted(by: { $0.key > $1.key }) {
                guard let spec = metadata.spec(id: specId) else { continue }
                let fields = metadata.partitionFields(of: spec)
                guard !spec.hasUnknownTransform else { continue }
                let ranges = group.map { TupleRange($0, fields) }
                let properties = metadata.tableProperties
                guard let choice = choose(group, ranges, properties, isForced) else { continue }
                let order = choice.indices.sorted { ranges[$0].precedes(ranges[$1]) }
                plans.append(
                    ManifestPlan(
                        content: content, specId: specId, manifests: order.map { group[$0] }, reason: choice.reason))
            }
        }
        return plans
    }

    private static func choose(
        _ group: [ManifestFile], _ ranges: [TupleRange], _ properties: TableProperties, _ isForced: Bool
    ) -> (indices: [Int], reason: String)? {
        let target = Double(properties.manifestBytesTarget)
        let total = group.reduce(0.0) { $0 + Double($1.length) }
        let crossing = crossingBytes(group, ranges)
        let isCrossing =
            isForced
            ? crossing > 0 : crossing > crossingTargetsMax * target && crossing > crossingShareMax * total
        if isCrossing, group.count > 1 {
            return (
                Array(group.indices),
                "a partition's files are spread over \(ByteText.format(Int64(crossing))) of other manifests"
            )
        }
        let small = group.indices.filter { Double(group[$0].length) < target / 2 }
        let bytes = small.reduce(0.0) { $0 + Double(group[$1].length) }
        let enough = isForced ? 2 : max(2, min(properties.manifestsToMergeMin, 100))
        // Merging must leave fewer.
        if small.count >= enough, Double(small.count) > (bytes / target).rounded(.up) {
            return (small, "\(small.count) small manifests of \(ByteText.format(Int64(bytes)))")
        }
        let large = group.indices.filter { Double(group[$0].length) > 2 * target }
        guard !large.isEmpty else { return nil }
        return (large, "\(large.count) manifests of more than twice the target size")
    }

    /// The bytes of manifests that cross a manifest, on average over all bytes.
    static func crossingBytes(_ group: [ManifestFile], _ ranges: [TupleRange]) -> Double {
        guard group.count > 1, ranges.contains(where: { !$0.isEmpty }) else { return 0 }
        let step = (group.count + comparedMax - 1) / comparedMax
        let sample = Array(stride(from: 0, to: group.count, by: step))
        var weighted = 0.0
        var bytes = 0.0
        for a in sample {
            var crossed = 0.0
            for b in sample where b != a && ranges[a].crosses(ranges[b]) { crossed += Double(group[b].length) }
            weighted += crossed * Double(step) * Double(group[a].length)
            bytes += Double(group[a].length)
        }
        return bytes > 0 ? weighted / bytes : 0
    }
}

/// The partition tuples of a manifest, field by field.
struct TupleRange {
    private struct Bounds {
        var lower: Edge
        var upper: Edge
    }

    /// A bound of a field: null lies below all values, NaN and what is unknown above.
    private enum Edge {
        case bottom
        case value(Value)
        case top

        func compare(_ other: Edge) -> Int {
            switch (self, other) {
            case (.bottom, .bottom), (.top, .top): return 0
            case (.bottom, _), (_, .top): return -1
            case (_, .bottom), (.top, _): return 1
            case (.value(let a), .value(let b)):
                switch ValueOrder.compare(a, b) {
                case .less: return -1
                case .greater: return 1
                default: return 0
                }
            }
        }
    }

    private let fields: [Bounds]

    var isEmpty: Bool { fields.isEmpty }

    init(_ manifest: ManifestFile, _ types: [Field]) {
        guard let summaries = manifest.partitions, summaries.count == types.count else {
            fields = types.map { _ in Bounds(lower: .bottom, upper: .top) }
            return
        }
        fields = zip(summaries, types).map { summary, field in
            let lower = summary.lowerBound.flatMap { SingleValue.decode($0, field.type) }
            let upper = summary.upperBound.flatMap { SingleValue.decode($0, field.type) }
            // Floating-point fields of some writers do not say whether they hold NaN.
            let hasNaN = summary.containsNaN ?? false
            guard let lower, let upper else {
                // Nulls alone, or NaNs alone, or a manifest that does not tell.
                if summary.containsNull, !hasNaN, summary.lowerBound == nil, summary.upperBound == nil {
                    return Bounds(lower: .bottom, upper: .bottom)
                }
                return Bounds(lower: summary.containsNull ? .bottom : .top, upper: .top)
            }
            return Bounds(lower: summary.containsNull ? .bottom : .value(lower), upper: hasNaN ? .top : .value(upper))
        }
    }

    /// True when sorting the entries of both would tell them apart better. Ranges that only touch do not cross; where
    /// both are one value, the next field decides.
    func crosses(_ other: TupleRange) -> Bool {
        for (a, b) in zip(fields, other.fields) {
            let low = a.lower.compare(b.upper)
            let high = b.lower.compare(a.upper)
            if low >= 0 || high >= 0 {
                // Apart or touching; only two equal points leave the question to the next field.
                let samePoint = a.lower.compare(a.upper) == 0 && b.lower.compare(b.upper) == 0 && low == 0
                if samePoint { continue }
                return false
            }
            return true
        }
        return false
    }

    /// By lower bounds.
    func precedes(_ other: TupleRange) -> Bool {
        for (a, b) in zip(fields, other.fields) {
            let order = a.lower.compare(b.lower)
            if order != 0 { return order < 0 }
        }
        return false
    }
}

extension PartitionSpec {
    /// Tuples of such a spec cannot be written.
    var hasUnknownTransform: Bool {
        fields.contains { if case .unknown = $0.transform { true } else { false } }
    }
}
