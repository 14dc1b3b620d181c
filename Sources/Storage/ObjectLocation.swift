import Base

/// Checks and spellings of object locations. Every location that a file or a client named passes through here
/// before it reaches the file system.
///
/// Iceberg stores locations as plain text: nothing is percent-decoded, so `%3A` in a location is `%3A` in the file
/// name.
public enum ObjectLocation {
    /// The absolute path that a location names.
    ///
    /// Accepts `file:///a/b`, `file:/a/b` (old Hadoop writers) and `/a/b`. Refuses other schemes, hosts, relative
    /// paths, `.` and `..` components, and control characters, with `.invalidInput` (`bad_location`).
    public static func path(_ location: String) throws(FirnError) -> String {
        var path = location[...]
        if let scheme = scheme(of: location) {
            guard scheme == "file" else { throw bad(location, "only file locations are supported") }
            path = path.dropFirst(5)
            if path.hasPrefix("//") { path = path.dropFirst(2) }
        }
        guard path.utf8.first == UInt8(ascii: "/"), path.utf8.count > 1 else {
            throw bad(location, "the path is not absolute")
        }
        guard path.utf8.count <= 4096 else { throw bad(location, "the path is longer than 4096 bytes") }
        guard path.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw bad(location, "the path holds a control character")
        }
        var components: [Substring] = []
        for component in path.split(separator: "/") {
            guard component != "..", component != "." else {
                throw bad(location, "the path holds a '\(component)' component")
            }
            components.append(component)
        }
        return "/" + components.joined(separator: "/")
    }

    /// The location of an absolute path: `file://` and the path.
    public static func file(_ path: String) -> String { "file://" + path }

    /// One spelling for all locations of the same object, to compare locations written by different engines.
    public static func normalized(_ location: String) throws(FirnError) -> String { file(try path(location)) }

    /// True when `location` lies strictly below `folder`; false also when either is not a location of this store.
    public static func isBelow(_ location: String, folder: String) -> Bool {
        guard let inner = try? path(location), let outer = try? path(folder) else { return false }
        return inner.utf8.count > outer.utf8.count + 1 && inner.hasPrefix(outer + "/")
    }

    private static func scheme(of location: String) -> Substring? {
        guard let colon = location.firstIndex(of: ":") else { return nil }
        let head = location[..<colon]
        guard let first = head.utf8.first, first != UInt8(ascii: "/"), !head.contains("/") else { return nil }
        return head
    }

    private static func bad(_ location: String, _ reason: String) -> FirnError {
        FirnError(.invalidInput, "bad_location", "not a usable location: \(reason)", context: ["location": location])
    }
}
