import Base

/// Checks the JSON of a metadata file by itself, as it stands, so that one fault does not hide the others.
///
/// Nothing is assumed about its members: what is missing is told once and passed over afterwards.
/// Spec: https://iceberg.apache.org/spec/#table-metadata
struct MetadataChecks {
    let json: JSONValue
    let location: String
    private(set) var findings: [Finding] = []

    static func check(_ json: JSONValue, location: String) -> [Finding] {
        var checks = MetadataChecks(json: json, location: location)
        guard json.objectValue != nil else {
            return [
                Finding(.metadataUnreadable, location, found: "no JSON object", expected: "table metadata")
            ]
        }
        checks.checkMembers()
        checks.checkIds()
        checks.checkSnapshots()
        checks.checkReferences()
        checks.checkLogs()
        checks.checkRowIds()
        return checks.findings
    }

    private init(json: JSONValue, location: String) {
        self.json = json
        self.location = location
    }

    private mutating func add(_ code: FindingCode, _ found: String, _ expected: String, snapshot: Int64? = nil) {
        findings.append(Finding(code, location, found: found, expected: expected, snapshotId: snapshot))
    }

    private var version: Int64 { json["format-version"]?.intValue ?? 2 }
    private var snapshots: [JSONValue] { json.objects("snapshots") }

    private mutating func checkMembers() {
        var required = ["format-version", "location", "last-updated-ms", "last-column-id"]
        if version > 1 {
            required += [
                "table-uuid", "last-sequence-number", "schemas", "current-schema-id", "partition-specs",
                "default-spec-id", "last-partition-id", "sort-orders", "default-sort-order-id",
            ]
        }
        if version > 2 { required.append("next-row-id") }
        for key in required where json[key] == nil || json[key]?.isNull == true {
            add(.metadataMemberMissing, "no \"\(key)\"", "the member \"\(key)\"")
        }
        for snapshot in snapshots {
            let id = snapshot["snapshot-id"]?.intValue
            var missing = ["snapshot-id", "timestamp-ms", "schema-id"].filter { snapshot[$0]?.intValue == nil }
            if version > 1 {
                if snapshot["sequence-number"]?.intValue == nil { missing.append("sequence-number") }
                if snapshot["manifest-list"]?.stringValue == nil { missing.append("manifest-list") }
            }
            if snapshot["summary"]?["operation"] == nil { missing.append("summary.operation") }
            for key in missing {
                add(.snapshotMemberMissing, "a snapshot without \"\(key)\"", "the member \"\(key)\"", snapshot: id)
            }
        }
    }

    private mutating func checkIds() {
        let schemas = json.objects("schemas")
        let schemaIds = schemas.map { $0["schema-id"]?.intValue ?? 0 }
        if let current = json["current-schema-id"]?.intValue, !schemas.isEmpty, !schemaIds.contains(current) {
            add(.currentSchemaUnknown, "current-schema-id \(current)", "one of \(schemaIds)")
        }
        var highest: Int64 = 0
        var known: Set<Int64> = []
        for (index, schema) in schemas.enumerated() {
            let ids = SchemaIds.of(schema)
            highest = max(highest, ids.max() ?? 0)
            known.formUnion(ids)
            var seen: Set<Int64> = []
            for id in ids where !seen.insert(id).inserted {
                add(.fieldIdDuplicate, "field id \(id) twice in schema \(schemaIds[index])", "ids of their own")
            }
        }
        if let last = json["last-column-id"]?.intValue, last < highest {
            add(.lastColumnIdLow, "\(last)", "at least \(highest)")
        }
        let specs = json.objects("partition-specs")
        let specIds = specs.compactMap { $0["spec-id"]?.intValue }
        if let id = json["default-spec-id"]?.intValue, !specs.isEmpty, !specIds.contains(id) {
            add(.defaultSpecUnknown, "default-spec-id \(id)", "one of \(specIds)")
        }
        let fields = specs.flatMap { $0.objects("fields") }
        let lastField = fields.compactMap { $0["field-id"]?.intValue }.max() ?? 0
        if let last = json["last-partition-id"]?.intValue, last < lastField {
            add(.lastPartitionIdLow, "\(last)", "at least \(lastField)")
        }
        for field in fields where field["transform"]?.stringValue != "void" {
            guard let source = field["source-id"]?.intValue, !known.isEmpty, !known.contains(source) else { continue }
            add(
                .specSourceUnknown, "partition field \"\(field["name"]?.stringValue ?? "")\" of column \(source)",
                "a column of some schema")
        }
        let orderIds = json.objects("sort-orders").compactMap { $0["order-id"]?.intValue }
        if let id = json["default-sort-order-id"]?.intValue, id != 0, !orderIds.contains(id) {
            add(.defaultSortOrderUnknown, "default-sort-order-id \(id)", "one of \(orderIds)")
        }
    }

    private mutating func checkSnapshots() {
        let schemaIds = Set(json.objects("schemas").map { $0["schema-id"]?.intValue ?? 0 })
        let last = json["last-sequence-number"]?.intValue
        var numbers: [Int64: Int64] = [:]
        var byNumber: [Int64: Int64] = [:]
        var parents: [Int64: Int64] = [:]
        for snapshot in snapshots {
            guard let id = snapshot["snapshot-id"]?.intValue else { continue }
            if numbers[id] != nil {
                add(.snapshotIdDuplicate, "snapshot \(id) twice", "ids of their own", snapshot: id)
            }
            if let schema = snapshot["schema-id"]?.intValue, !schemaIds.isEmpty, !schemaIds.contains(schema) {
                add(.snapshotSchemaUnknown, "schema-id \(schema)", "a schema of the table", snapshot: id)
            }
            if let parent = snapshot["parent-snapshot-id"]?.intValue { parents[id] = parent }
            let number = snapshot["sequence-number"]?.intValue ?? 0
            numbers[id] = number
            guard version > 1, number != 0 else { continue }
            if let last, number > last {
                add(
                    .snapshotSequenceNumber, "sequence number \(number)", "at most last-sequence-number \(last)",
                    snapshot: id)
            }
            if let other = byNumber.updateValue(id, forKey: number), other != id {
                add(
                    .snapshotSequenceNumber, "sequence number \(number), as snapshot \(other)", "a number of its own",
                    snapshot: id)
            }
        }
        for (id, parent) in parents.sorted(by: { $0.key < $1.key }) {
            guard version > 1, let own = numbers[id], let before = numbers[parent], own != 0, own <= before,
                id != parent
            else { continue }
            add(
                .snapshotSequenceNumber, "sequence number \(own)", "above \(before) of its parent \(parent)",
                snapshot: id)
        }
        if let id = SnapshotGraph.cycle(parents) {
            add(.snapshotParentCycle, "snapshot \(id) is its own ancestor", "a history without circles", snapshot: id)
        }
    }

    private mutating func checkReferences() {
        let ids = Set(snapshots.compactMap { $0["snapshot-id"]?.intValue })
        let current = json["current-snapshot-id"]?.intValue.flatMap { $0 == -1 ? nil : $0 }
        if let current, !ids.contains(current) {
            add(.currentSnapshotUnknown, "current-snapshot-id \(current)", "a snapshot of the table")
        }
        for member in json["refs"]?.objectValue ?? [] {
            let id = member.value["snapshot-id"]?.intValue
            if id == nil || !ids.contains(id!) {
                add(
                    .referenceUnknownSnapshot,
                    "\(member.value["type"]?.stringValue ?? "reference") \"\(member.key)\" at "
                        + (id.map { "snapshot \($0)" } ?? "no snapshot"), "a snapshot of the table")
            } else if member.key == "main", id != current {
                add(.mainNotCurrent, "main at \(id!), current is \(current.map(String.init) ?? "none")", "the same")
            }
        }
    }

    private mutating func checkLogs() {
        let log = json.objects("snapshot-log")
        let times = log.compactMap { $0["timestamp-ms"]?.intValue }
        if zip(times, times.dropFirst()).contains(where: { $0 - 60_000 > $1 }) {
            add(.snapshotLogWrong, "entries out of order", "entries sorted by time")
        }
        let current = json["current-snapshot-id"]?.intValue.flatMap { $0 == -1 ? nil : $0 }
        if let last = log.last?["snapshot-id"]?.intValue, let current, last != current {
            add(.snapshotLogWrong, "it ends with snapshot \(last)", "the current snapshot \(current)")
        }
        let files = json.objects("metadata-log").compactMap { $0["timestamp-ms"]?.intValue }
        if zip(files, files.dropFirst()).contains(where: { $0 - 60_000 > $1 }) {
            add(.metadataLogWrong, "entries out of order", "entries sorted by time")
        }
        // Clocks of several writers may differ by a minute.
        guard let updated = json["last-updated-ms"]?.intValue else { return }
        if let last = times.last, updated < last - 60_000 {
            add(.snapshotLogWrong, "its last entry is newer than the table", "at most last-updated-ms \(updated)")
        }
        if let last = files.last, updated < last - 60_000 {
            add(.metadataLogWrong, "its last entry is newer than the table", "at most last-updated-ms \(updated)")
        }
    }

    private mutating func checkRowIds() {
        guard version > 2, let next = json["next-row-id"]?.intValue else { return }
        for snapshot in snapshots {
            guard let first = snapshot["first-row-id"]?.intValue, let rows = snapshot["added-rows"]?.intValue,
                first &+ rows > next
            else { continue }
            add(
                .rowIdsWrong, "next-row-id \(next)", "at least \(first &+ rows), the end of a snapshot's rows",
                snapshot: snapshot["snapshot-id"]?.intValue)
        }
    }
}

extension JSONValue {
    /// The objects of an array member; none when it is missing or something else.
    func objects(_ key: String) -> [JSONValue] { (self[key]?.arrayValue ?? []).filter { $0.objectValue != nil } }
}

/// Field ids in the JSON of a schema, in order, whatever its types are.
enum SchemaIds {
    static func of(_ schema: JSONValue) -> [Int64] {
        var ids: [Int64] = []
        fields(schema, &ids, depth: 0)
        return ids
    }

    private static func fields(_ json: JSONValue, _ ids: inout [Int64], depth: Int) {
        guard depth < Limits.nestingDepthMax else { return }
        for field in json.objects("fields") {
            if let id = field["id"]?.intValue { ids.append(id) }
            if let type = field["type"] { nested(type, &ids, depth: depth + 1) }
        }
    }

    private static func nested(_ type: JSONValue, _ ids: inout [Int64], depth: Int) {
        guard type.objectValue != nil, depth < Limits.nestingDepthMax else { return }
        for key in ["element-id", "key-id", "value-id"] {
            if let id = type[key]?.intValue { ids.append(id) }
        }
        fields(type, &ids, depth: depth)
        for key in ["element", "key", "value"] {
            if let inner = type[key] { nested(inner, &ids, depth: depth + 1) }
        }
    }
}

enum SnapshotGraph {
    /// A snapshot that is its own ancestor; nil when there is none.
    static func cycle(_ parents: [Int64: Int64]) -> Int64? {
        var finished: Set<Int64> = []
        for start in parents.keys.sorted() {
            var path: Set<Int64> = []
            var current = start
            while !finished.contains(current) {
                guard path.insert(current).inserted else { return current }
                guard let parent = parents[current] else { break }
                current = parent
            }
            finished.formUnion(path)
        }
        return nil
    }
}
