import Base
import Iceberg

/// When and how a table is compacted, from its properties. Docs/guides/compaction.md explains each.
public struct CompactionOptions: Hashable, Sendable {
    /// How large merges lay out rows; small ones always join files as they are.
    public enum Layout: Hashable, Sendable {
        /// `.sort` if the table has a sort order, else `.binPack`.
        case automatic
        case binPack
        case sort
        /// By these columns.
        case zOrder([String])
    }

    /// `firn.compaction.enabled`, default true: whether the background compactor looks at the table.
    public var isEnabled: Bool
    /// `write.target-file-size-bytes`, default 512 MiB.
    public var targetBytes: Int64
    /// `firn.compaction.flush-bytes`: the size of files as they arrive; by default what recent commits say.
    public var flushBytes: Int64?
    /// `firn.compaction.min-input-files`: a partition with these many small files is merged before the bound says so.
    public var inputFilesMin: Int?
    /// `firn.compaction.min-input-bytes`: the same for bytes of small files.
    public var inputBytesMin: Int64?
    /// `firn.compaction.min-commits`: all partitions are merged after these many commits without a compaction.
    public var commitsMin: Int?
    /// `firn.compaction.max-age`: a partition is merged when its oldest small file is this old.
    public var ageMsMax: Int64?
    /// `firn.compaction.cold-after`, default 1 h: a partition without new files for as long is compacted to the end;
    /// nil (`never`) for not.
    public var coldAfterMs: Int64?
    /// `firn.compaction.group-bytes-max`: bytes one group reads. By default twice the target.
    public var groupBytesMax: Int64
    /// `firn.compaction.delete-ratio`, default 0.3: a file of which this share of rows is deleted is rewritten,
    /// whatever its size.
    public var deletedShareMin: Double
    /// `firn.compaction.delete-files`, default 10: so is a file that needs these many delete files to be read.
    public var deleteFilesMin: Int
    /// `firn.compaction.strategy` and `firn.compaction.zorder-columns`.
    public var layout: Layout
    /// Files one group reads. Bounds what a conflict or a kill throws away when files are tiny.
    public var groupFilesMax = 2000

    public static let enabledProperty = "firn.compaction.enabled"
    public static let flushBytesProperty = "firn.compaction.flush-bytes"
    public static let inputFilesMinProperty = "firn.compaction.min-input-files"
    public static let inputBytesMinProperty = "firn.compaction.min-input-bytes"
    public static let commitsMinProperty = "firn.compaction.min-commits"
    public static let ageMaxProperty = "firn.compaction.max-age"
    public static let coldAfterProperty = "firn.compaction.cold-after"
    public static let groupBytesMaxProperty = "firn.compaction.group-bytes-max"
    public static let deletedShareMinProperty = "firn.compaction.delete-ratio"
    public static let deleteFilesMinProperty = "firn.compaction.delete-files"
    public static let strategyProperty = "firn.compaction.strategy"
    public static let zOrderColumnsProperty = "firn.compaction.zorder-columns"

    public static let coldAfterMsDefault: Int64 = 3_600_000

    public init(
        isEnabled: Bool = true, targetBytes: Int64 = 512 << 20, flushBytes: Int64? = nil, inputFilesMin: Int? = nil,
        inputBytesMin: Int64? = nil, commitsMin: Int? = nil, ageMsMax: Int64? = nil,
        coldAfterMs: Int64? = coldAfterMsDefault, groupBytesMax: Int64? = nil, deletedShareMin: Double = 0.3,
        deleteFilesMin: Int = 10, layout: Layout = .automatic
    ) {
        precondition(targetBytes > 0 && (inputFilesMin ?? 2) >= 2 && (groupBytesMax ?? 1) > 0)
        let twice = targetBytes > Int64.max / 2 ? Int64.max : 2 * targetBytes
        let group = min(groupBytesMax ?? twice, twice)
        self.isEnabled = isEnabled
        // Groups that can hardly pass the target would never reach it.
        self.targetBytes = min(targetBytes, max(1, group - group / 4))
        self.flushBytes = flushBytes
        self.inputFilesMin = inputFilesMin
        self.inputBytesMin = inputBytesMin
        self.commitsMin = commitsMin
        self.ageMsMax = ageMsMax
        self.coldAfterMs = coldAfterMs
        self.groupBytesMax = group
        self.deletedShareMin = deletedShareMin
        self.deleteFilesMin = deleteFilesMin
        self.layout = layout
    }

    /// As for every table property, a value that does not parse or is out of range counts as absent.
    public init(_ properties: TableProperties) {
        func number(_ key: String, from least: Int = 1) -> Int? {
            properties[key].flatMap { Int($0) }.flatMap { $0 >= least ? $0 : nil }
        }
        func duration(_ key: String) -> Int64? {
            properties[key].flatMap { try? DurationText.milliseconds($0) }
        }
        let never = properties[Self.coldAfterProperty] == "never"
        self.init(
            isEnabled: properties.flag(Self.enabledProperty, default: true),
            targetBytes: Int64(properties.targetFileBytes),
            flushBytes: number(Self.flushBytesProperty).map(Int64.init),
            inputFilesMin: number(Self.inputFilesMinProperty, from: 2),
            inputBytesMin: number(Self.inputBytesMinProperty).map(Int64.init),
            commitsMin: number(Self.commitsMinProperty), ageMsMax: duration(Self.ageMaxProperty),
            coldAfterMs: never ? nil : duration(Self.coldAfterProperty) ?? Self.coldAfterMsDefault,
            groupBytesMax: number(Self.groupBytesMaxProperty).map(Int64.init),
            deletedShareMin: properties[Self.deletedShareMinProperty].flatMap { Double($0) }.flatMap {
                $0 > 0 && $0 <= 1 ? $0 : nil
            } ?? 0.3,
            deleteFilesMin: number(Self.deleteFilesMinProperty) ?? 10, layout: Self.layout(properties))
    }

    private static func layout(_ properties: TableProperties) -> Layout {
        let columns = columnNames(properties[zOrderColumnsProperty] ?? "")
        switch properties[strategyProperty]?.lowercased() {
        case "binpack": return .binPack
        case "sort": return .sort
        case "zorder" where !columns.isEmpty: return .zOrder(columns)
        default: return .automatic
        }
    }

    /// The names in a list with commas.
    public static func columnNames(_ text: String) -> [String] {
        text.split(separator: ",").map { part in
            var name = part
            while name.first == " " { name.removeFirst() }
            while name.last == " " { name.removeLast() }
            return String(name)
        }.filter { !$0.isEmpty }
    }

    /// The most a forced merge makes of files that are small by `smallBytesBelow`.
    public var outputBytesMax: Int64 { min(targetBytes, groupBytesMax) }
    /// A forced compaction leaves files of this size and more alone: 0.75 of the target, as in Iceberg's
    /// rewriteDataFiles.
    public var smallBytesBelow: Int64 { outputBytesMax - outputBytesMax / 4 }
}
