/// What somebody asks of one compaction, beyond what the table's properties say.
public struct CompactionRequest: Hashable, Sendable {
    /// Merges whatever is small, also pairs, and applies every delete, whatever it costs.
    public var isForced: Bool
    /// Lays out the rows of all files that it rewrites in this way. `.sort` and `.zOrder` take files of any size, since
    /// an order within small files alone helps no reader.
    public var layout: CompactionOptions.Layout?
    /// Also rewrites large files that have an older partition spec or another sort order than the table's.
    public var evolves: Bool
    /// Only files of the partition with this path, as folders name it (`day=2026-11-21`); fields at the end may be left
    /// out.
    public var partition: String?

    public init(
        isForced: Bool = false, layout: CompactionOptions.Layout? = nil, evolves: Bool = false,
        partition: String? = nil
    ) {
        self.isForced = isForced
        self.layout = layout
        self.evolves = evolves
        self.partition = partition
    }

    /// Whether large files matter, too.
    var needsAllFiles: Bool {
        switch layout {
        case .sort, .zOrder: true
        case .automatic, .binPack, nil: evolves
        }
    }

    func includes(_ path: @autoclosure () -> String) -> Bool {
        guard let partition else { return true }
        let path = path()
        return path == partition || path.hasPrefix(partition + "/")
    }
}
