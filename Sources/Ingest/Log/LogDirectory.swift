import Base

/// Names of the files in a log's directory.
///
/// `N.wal` is a segment, N its number in 20 digits. It gets this name only once its header is synced, so whatever bears
/// the name must verify. `N.free` waits for reuse. `*.tmp` is being prepared and means nothing after a crash.
struct LogDirectory: Sendable {
    let path: String
    let files: any FileSystem

    struct Listing {
        /// Ascending.
        var segments: [UInt64] = []
        var recycled: [String] = []
        var leftovers: [String] = []
    }

    var sparePath: String { path + "/spare.tmp" }
    var shortPath: String { path + "/short.tmp" }
    var rescuePath: String { path + "/rescue.tmp" }
    func segmentPath(_ number: UInt64) -> String { path + "/" + Self.digits(number) + ".wal" }
    func recycledPath(_ number: UInt64) -> String { path + "/" + Self.digits(number) + ".free" }

    func list() throws(FirnError) -> Listing {
        var listing = Listing()
        for entry in try files.list(path) where !entry.isDirectory {
            if let number = Self.number(entry.name, suffix: ".wal") {
                listing.segments.append(number)
            } else if Self.number(entry.name, suffix: ".free") != nil {
                listing.recycled.append(path + "/" + entry.name)
            } else if entry.name.hasSuffix(".tmp") {
                listing.leftovers.append(path + "/" + entry.name)
            }
        }
        listing.segments.sort()
        return listing
    }

    private static func digits(_ number: UInt64) -> String {
        let text = String(number)
        return String(repeating: "0", count: 20 - text.count) + text
    }

    private static func number(_ name: String, suffix: String) -> UInt64? {
        guard name.utf8.count == 20 + suffix.utf8.count, name.hasSuffix(suffix) else { return nil }
        let digits = name.utf8.prefix(20)
        guard digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return UInt64(String(decoding: digits, as: UTF8.self))
    }
}
