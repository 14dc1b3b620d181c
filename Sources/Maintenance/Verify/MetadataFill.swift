import Base

/// Mends the JSON of a metadata file as far as the rest of it tells how, so that the table can be read and examined in
/// spite of the fault, and repaired.
struct MetadataFill {
    private(set) var members: [JSONValue.Member]
    /// What was changed, one line each.
    private(set) var changes: [String] = []

    /// Nil for JSON that is no object.
    static func fill(_ json: JSONValue) -> (json: JSONValue, changes: [String])? {
        guard let members = json.objectValue else { return nil }
        var fill = MetadataFill(members: members)
        fill.run()
        return (.object(fill.members), fill.changes)
    }

    private init(members: [JSONValue.Member]) { self.members = members }

    private subscript(_ key: String) -> JSONValue? { JSONValue.object(members)[key].flatMap { $0.isNull ? nil : $0 } }

    private mutating func set(_ key: String, _ value: JSONValue, _ change: String) {
        members.removeAll { $0.key == key }
        members.append(JSONValue.Member(key, value))
        changes.append(change)
    }

    private mutating func fill(_ key: String, _ value: Int64?) {
        guard self[key] == nil, let value else { return }
        set(key, .integer(value), "\(key) is set to \(value)")
    }

    /// Sets a member that is lower than it must be.
    private mutating func raise(_ key: String, _ least: Int64?) {
        guard let value = self[key]?.intValue, let least, value < least else { return }
        set(key, .integer(least), "\(key) is raised from \(value) to \(least)")
    }

    private func objects(_ key: String) -> [JSONValue] { JSONValue.object(members).objects(key) }

    private mutating func run() {
        let version = self["format-version"]?.intValue ?? 2
        fill("format-version", version)
        fillIds(version)
        guard version > 1 else { return }
        if self["table-uuid"] == nil, let location = self["location"]?.stringValue {
            // The same on every reading.
            let uuid = UUID(
                random: XXHash64.hash(Array(location.utf8)), XXHash64.hash(Array(location.utf8), seed: 1))
            set("table-uuid", .string(uuid.description), "table-uuid is set to \(uuid)")
        }
        let snapshots = objects("snapshots")
        let numbers = snapshots.compactMap { $0["sequence-number"]?.intValue }
        fill("last-sequence-number", numbers.max() ?? 0)
        raise("last-sequence-number", numbers.max())
        fill("last-updated-ms", snapshots.compactMap { $0["timestamp-ms"]?.intValue }.max() ?? 0)
        if version > 2 {
            let ends = snapshots.compactMap { snapshot in
                snapshot["first-row-id"]?.intValue.flatMap { first in
                    snapshot["added-rows"]?.intValue.map { first &+ $0 }
                }
            }
            fill("next-row-id", ends.max() ?? 0)
            raise("next-row-id", ends.max())
        }
        fillReferences()
        fillSnapshots()
        sortLogs()
    }

    private mutating func fillIds(_ version: Int64) {
        let schemas = objects("schemas")
        let highest = schemas.flatMap(SchemaIds.of).max()
        fill("last-column-id", highest)
        raise("last-column-id", highest)
        let schemaIds = schemas.map { $0["schema-id"]?.intValue ?? 0 }
        mend("current-schema-id", among: schemaIds)
        guard version > 1 else { return }
        let specs = objects("partition-specs")
        mend("default-spec-id", among: specs.compactMap { $0["spec-id"]?.intValue })
        let fieldIds = specs.flatMap { $0.objects("fields") }.compactMap { $0["field-id"]?.intValue }
        fill("last-partition-id", fieldIds.max() ?? 999)
        raise("last-partition-id", fieldIds.max())
        if self["sort-orders"] == nil {
            set("sort-orders", [["order-id": 0, "fields": []]], "sort-orders is set to the unsorted order")
        }
        let orders = objects("sort-orders").compactMap { $0["order-id"]?.intValue }
        if self["default-sort-order-id"] == nil || self["default-sort-order-id"]?.intValue != 0 {
            mend("default-sort-order-id", among: orders, preferred: 0)
        }
    }

    /// An id that is missing or names nothing becomes the preferred, else the newest.
    private mutating func mend(_ key: String, among ids: [Int64], preferred: Int64? = nil) {
        guard let newest = ids.max() else { return }
        if let value = self[key]?.intValue, ids.contains(value) { return }
        let value = preferred.flatMap { ids.contains($0) ? $0 : nil } ?? newest
        set(key, .integer(value), "\(key) is set to \(value)")
    }

    private mutating func fillReferences() {
        let ids = Set(objects("snapshots").compactMap { $0["snapshot-id"]?.intValue })
        let refs = self["refs"]?.objectValue ?? []
        let valid = refs.filter { $0.value["snapshot-id"]?.intValue.map(ids.contains) ?? false }
        if valid.count != refs.count {
            let gone = refs.map(\.key).filter { key in !valid.contains { $0.key == key } }
            set("refs", .object(valid), "references without snapshot are removed: \(gone.joined(separator: ", "))")
        }
        let main = valid.first { $0.key == "main" }?.value["snapshot-id"]?.intValue
        if let main, self["current-snapshot-id"]?.intValue != main {
            set("current-snapshot-id", .integer(main), "current-snapshot-id is set to main's snapshot \(main)")
        }
    }

    private mutating func fillSnapshots() {
        let schemaIds = Set(objects("schemas").map { $0["schema-id"]?.intValue ?? 0 })
        guard let current = self["current-schema-id"]?.intValue, schemaIds.contains(current) else { return }
        var count = 0
        let mended = (self["snapshots"]?.arrayValue ?? []).map { snapshot -> JSONValue in
            guard var inner = snapshot.objectValue else { return snapshot }
            let before = inner
            let schema = snapshot["schema-id"]?.intValue
            if schema == nil || !schemaIds.contains(schema!) {
                inner.removeAll { $0.key == "schema-id" }
                inner.append(JSONValue.Member("schema-id", .integer(current)))
            }
            if snapshot["summary"]?["operation"] == nil {
                let summary = snapshot["summary"]?.objectValue ?? []
                inner.removeAll { $0.key == "summary" }
                // The operation that promises the least to whoever relies on it.
                inner.append(
                    JSONValue.Member("summary", .object([JSONValue.Member("operation", "overwrite")] + summary)))
            }
            if inner != before { count += 1 }
            return .object(inner)
        }
        if count > 0 { set("snapshots", .array(mended), "schema and summary of \(count) snapshots are filled in") }
    }

    private mutating func sortLogs() {
        for key in ["snapshot-log", "metadata-log"] {
            let entries = objects(key)
            let sorted = entries.enumerated().sorted {
                let (a, b) = ($0.element["timestamp-ms"]?.intValue ?? 0, $1.element["timestamp-ms"]?.intValue ?? 0)
                return a == b ? $0.offset < $1.offset : a < b
            }.map(\.element)
            if sorted != entries { set(key, .array(sorted), "\(key) is sorted by time") }
        }
        guard let current = self["current-snapshot-id"]?.intValue, current != -1 else { return }
        let log = objects("snapshot-log")
        if let last = log.last, last["snapshot-id"]?.intValue != current {
            let time = max(last["timestamp-ms"]?.intValue ?? 0, self["last-updated-ms"]?.intValue ?? 0)
            let entry: JSONValue = ["timestamp-ms": .integer(time), "snapshot-id": .integer(current)]
            set("snapshot-log", .array(log + [entry]), "snapshot-log ends with the current snapshot")
        }
        let newest = ["snapshot-log", "metadata-log"].compactMap { objects($0).last?["timestamp-ms"]?.intValue }.max()
        if let newest, let updated = self["last-updated-ms"]?.intValue, updated < newest - 60_000 {
            set("last-updated-ms", .integer(newest), "last-updated-ms is raised to \(newest)")
        }
    }
}
