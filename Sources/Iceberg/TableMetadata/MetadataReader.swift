import Base
import Columnar

/// Typed access to the members of one JSON object of a metadata file, with errors that name the member.
///
/// Throws `.corrupted`, code `bad_metadata`.
struct MetadataReader {
    let json: JSONValue
    let source: String
    /// What errors call the whole.
    let subject: String

    init(_ json: JSONValue, source: String, subject: String = "table metadata") {
        self.json = json
        self.source = source
        self.subject = subject
    }

    func bad(_ message: String) -> FirnError {
        FirnError(.corrupted, "bad_metadata", "bad \(subject): \(message)", context: ["file": source])
    }

    /// Nil for a missing member and for null.
    func value(_ key: String) -> JSONValue? {
        guard let value = json[key], !value.isNull else { return nil }
        return value
    }

    func optionalLong(_ key: String) throws(FirnError) -> Int64? {
        guard let value = value(key) else { return nil }
        guard let number = value.intValue else { throw bad("\"\(key)\" is not an integer") }
        return number
    }

    func long(_ key: String) throws(FirnError) -> Int64 {
        guard let number = try optionalLong(key) else { throw bad("\"\(key)\" is missing") }
        return number
    }

    func optionalInt(_ key: String) throws(FirnError) -> Int? {
        guard let value = try optionalLong(key) else { return nil }
        guard let number = Int32(exactly: value) else { throw bad("\"\(key)\" passes 32 bits") }
        return Int(number)
    }

    func int(_ key: String) throws(FirnError) -> Int {
        guard let number = try optionalInt(key) else { throw bad("\"\(key)\" is missing") }
        return number
    }

    func optionalString(_ key: String) throws(FirnError) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.stringValue else { throw bad("\"\(key)\" is not a string") }
        return text
    }

    func string(_ key: String) throws(FirnError) -> String {
        guard let text = try optionalString(key) else { throw bad("\"\(key)\" is missing") }
        return text
    }

    /// Nil for a missing member; objects only.
    func optionalObjects(_ key: String) throws(FirnError) -> [MetadataReader]? {
        guard let value = value(key) else { return nil }
        guard let items = value.arrayValue else { throw bad("\"\(key)\" is not an array") }
        var readers: [MetadataReader] = []
        for item in items {
            guard item.objectValue != nil else { throw bad("\"\(key)\" holds something other than objects") }
            readers.append(MetadataReader(item, source: source, subject: subject))
        }
        return readers
    }

    func objects(_ key: String) throws(FirnError) -> [MetadataReader] { try optionalObjects(key) ?? [] }

    func object(_ key: String) throws(FirnError) -> JSONValue {
        guard let value = value(key) else { throw bad("\"\(key)\" is missing") }
        guard value.objectValue != nil else { throw bad("\"\(key)\" is not an object") }
        return value
    }

    func longs(_ key: String) throws(FirnError) -> [Int64] {
        guard let items = value(key)?.arrayValue else { throw bad("\"\(key)\" is not a list") }
        let numbers = items.compactMap(\.intValue)
        guard numbers.count == items.count else { throw bad("\"\(key)\" is not a list of integers") }
        return numbers
    }

    func texts(_ key: String) throws(FirnError) -> [String] {
        guard let items = value(key)?.arrayValue else { throw bad("\"\(key)\" is not a list") }
        let texts = items.compactMap(\.stringValue)
        guard texts.count == items.count else { throw bad("\"\(key)\" is not a list of strings") }
        return texts
    }

    func strings(_ key: String) throws(FirnError) -> [String: String] {
        guard let value = value(key) else { return [:] }
        guard let members = value.objectValue else { throw bad("\"\(key)\" is not an object") }
        var strings: [String: String] = [:]
        for member in members {
            // Some writers put numbers and booleans where strings belong.
            strings[member.key] = member.value.stringValue ?? member.value.text
        }
        return strings
    }

    /// Members other than `keys`, as read.
    func others(than keys: Set<String>) -> [JSONValue.Member] {
        (json.objectValue ?? []).filter { !keys.contains($0.key) }
    }
}
