/// How far a clean-up is, for a line on a terminal.
public struct CleanUpProgress: Hashable, Sendable {
    /// What it is doing: `snapshots`, `delete files`, `manifests`, `files` …
    public var step: String
    public var done: Int
    /// At least `done`; grows while the whole is not known yet.
    public var total: Int

    public init(_ step: String, done: Int, total: Int) {
        self.step = step
        self.done = done
        self.total = max(done, total)
    }
}

/// What a clean-up asks and tells on its way.
public struct CleanUpHooks {
    /// Called with the bytes of metadata read or written since the last call. May wait; a throw ends the run, and what
    /// is committed stays.
    public var checkpoint: (_ bytes: Int64) throws -> Void
    public var onProgress: (CleanUpProgress) -> Void

    public init(
        checkpoint: @escaping (Int64) throws -> Void = { _ in },
        onProgress: @escaping (CleanUpProgress) -> Void = { _ in }
    ) {
        self.checkpoint = checkpoint
        self.onProgress = onProgress
    }
}
