import Base
import Glibc

/// The history of the shell between its runs: a file that only its owner can read, since statements hold what people
/// look for.
struct HistoryFile {
    /// Twice the entries that are kept, so that it is rarely written anew. A longer file is started afresh.
    private static let linesMax = 2 * History.entriesMax
    private static let bytesMax = 64 << 20

    let path: String
    private let files: any FileSystem

    /// `FIRN_HISTORY`, else `firn/history` in `XDG_STATE_HOME`, else in `~/.local/state`; nil when none of these is
    /// set, or `FIRN_HISTORY` is empty.
    static func path(_ variable: (String) -> String?) -> String? {
        if let path = variable("FIRN_HISTORY") { return path.isEmpty ? nil : AbsolutePath.make(path) }
        // The specification has relative paths ignored: https://specifications.freedesktop.org/basedir-spec/
        if let state = variable("XDG_STATE_HOME"), state.hasPrefix("/") { return state + "/firn/history" }
        return variable("HOME").map { $0 + "/.local/state/firn/history" }
    }

    init(path: String, files: any FileSystem) {
        self.path = path
        self.files = files
    }

    /// What it holds, at most as much as is kept; nothing when there is no file.
    func load() throws -> History {
        guard let size = try files.size(path) else { return History() }
        _ = chmod(path, 0o600)
        guard size <= Self.bytesMax else {
            try replace([])
            return History()
        }
        let entries = History.decode(String(decoding: try files.readAll(path), as: UTF8.self))
        let history = History(entries)
        if entries.count > Self.linesMax { try replace(history.entries) }
        return history
    }

    /// Adds an entry at the end.
    func append(_ entry: String) throws {
        try privately {
            let file: any File
            if try files.size(path) == nil {
                try files.createDirectories(path.parentDirectory)
                file = try files.open(path, .createNew)
            } else {
                file = try files.open(path, .update)
            }
            defer { file.close() }
            try file.write(Array(History.encode(entry).utf8), at: try file.size())
        }
    }

    private func replace(_ entries: [String]) throws {
        try privately {
            let new = path + ".new"
            try files.writeAll(Array(entries.map(History.encode).joined().utf8), to: new)
            try files.rename(new, to: path)
        }
    }

    /// What the body creates is for nobody else.
    private func privately(_ body: () throws -> Void) rethrows {
        let before = umask(0o077)
        defer { umask(before) }
        try body()
    }
}
