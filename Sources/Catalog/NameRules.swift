import Base

/// What a name may be. Names of namespaces and tables become folder names and parts of SQL identifiers in every engine
/// that reads the warehouse, so they are kept to what needs no quoting or escaping anywhere.
public enum NameRules {
    /// Bytes of a metadata location: `iceberg_tables.metadata_location` is VARCHAR(1000).
    static let locationBytesMax = 1000
    /// First-level namespaces whose folder the warehouse itself uses.
    static let reserved: Set<String> = ["wal"]

    /// One namespace level or table name: 1 to 255 bytes of `[A-Za-z0-9_][A-Za-z0-9_-]*`.
    public static func check(_ name: String) throws(FirnError) {
        guard !name.isEmpty else { throw bad(name, "a part of the name is empty") }
        guard name.utf8.count <= Limits.nameBytesMax else {
            throw bad(String(name.prefix(40)) + "…", "a part of the name is longer than \(Limits.nameBytesMax) bytes")
        }
        guard name.utf8.allSatisfy({ isWord($0) || $0 == UInt8(ascii: "-") }), name.utf8.first != UInt8(ascii: "-")
        else { throw bad(name, "use letters, digits, '_' and '-', and do not start with '-'") }
    }

    public static func check(namespace: [String]) throws(FirnError) {
        guard let first = namespace.first else { throw bad("", "the namespace is missing") }
        for level in namespace { try check(level) }
        guard namespace.reduce(namespace.count - 1, { $0 + $1.utf8.count }) <= Limits.nameBytesMax else {
            throw bad(first + "…", "the namespace is longer than \(Limits.nameBytesMax) bytes")
        }
        guard !reserved.contains(first) else { throw bad(first, "this namespace is reserved") }
    }

    /// A namespace to look up, which another engine may have named. Levels are stored joined by dots, so one that has
    /// dots itself would be taken for several. Throws `.notFound` (`namespace_not_found`).
    public static func checkExisting(_ namespace: [String]) throws(FirnError) {
        let length = namespace.reduce(namespace.count - 1, { $0 + $1.utf8.count })
        guard !namespace.isEmpty, length <= Limits.nameBytesMax,
            namespace.allSatisfy({ !$0.isEmpty && !$0.contains(".") && !$0.utf8.contains(0) })
        else { throw FirnError(.notFound, "namespace_not_found", "there is no namespace of this name") }
    }

    /// A table's folder must leave room for the names of metadata files.
    static func checkLength(of location: String, _ id: TableIdentifier) throws(FirnError) {
        let longest = location.utf8.count + "/metadata/00000-.metadata.json".utf8.count + 36
        guard longest <= locationBytesMax else {
            throw bad(id.name, "the path of its metadata would be longer than the catalog can hold")
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    static func bad(_ name: String, _ reason: String) -> FirnError {
        FirnError(.invalidInput, "bad_identifier", "not a usable name: \(reason)", context: ["name": name])
    }
}
