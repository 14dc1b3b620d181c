import Iceberg

/// The bounds of the policy, from table properties.
public struct CompactionOptions: Hashable, Sendable {
    /// `firn.compaction.enabled`, default true: whether the background compactor looks at the table.
    public var isEnabled: Bool
    /// `write.target-file-size-bytes`, default 512 MiB.
    public var targetBytes: Int64
    /// `firn.compaction.min-input-files`, default 5: files a tier needs.
    public var inputFilesMin: Int
    /// `firn.compaction.group-bytes-max`, default and at most the target: bytes one group reads, and so writes.
    public var groupBytesMax: Int64
    /// `firn.compaction.delete-ratio`, default 0.3: a file of which this share of rows is deleted is rewritten,
    /// whatever its size.
    public var deletedShareMin: Double
    /// Files one group reads. Bounds what a conflict or a kill throws away when files are tiny.
    public var groupFilesMax = 2000

    public static let enabledProperty = "firn.compaction.enabled"
    public static let inputFilesMinProperty = "firn.compaction.min-input-files"
    public static let groupBytesMaxProperty = "firn.compaction.group-bytes-max"
    public static let deletedShareMinProperty = "firn.compaction.delete-ratio"

    public init(
        isEnabled: Bool = true, targetBytes: Int64 = 512 << 20, inputFilesMin: Int = 5, groupBytesMax: Int64? = nil,
        deletedShareMin: Double = 0.3
    ) {
        precondition(targetBytes > 0 && inputFilesMin >= 2 && (groupBytesMax ?? 1) > 0)
        self.isEnabled = isEnabled
        self.targetBytes = targetBytes
        self.inputFilesMin = inputFilesMin
        self.groupBytesMax = min(groupBytesMax ?? targetBytes, targetBytes)
        self.deletedShareMin = deletedShareMin
    }

    /// As for every table property, a value that does not parse or is out of range counts as absent.
    public init(_ properties: TableProperties) {
        let target = properties.targetFileBytes
        self.init(
            isEnabled: properties.flag(Self.enabledProperty, default: true), targetBytes: Int64(target),
            inputFilesMin: properties.integer(Self.inputFilesMinProperty, default: 5, in: 2...Int.max),
            groupBytesMax: Int64(
                properties.integer(Self.groupBytesMaxProperty, default: target, in: 1...Int.max)),
            deletedShareMin: properties[Self.deletedShareMinProperty].flatMap { Double($0) }.flatMap {
                $0 > 0 && $0 <= 1 ? $0 : nil
            } ?? 0.3)
    }

    /// The most one output file may hold.
    public var outputBytesMax: Int64 { groupBytesMax }
    /// A file below this is small: 0.75 of the largest output, as in Iceberg's rewriteDataFiles.
    public var smallBytesBelow: Int64 { outputBytesMax - outputBytesMax / 4 }
}
