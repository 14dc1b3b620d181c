import Base
import Columnar

/// Applies updates in their order, then tidies up.
///
/// 1. Schemas and versions that are there already keep their ids; new ones get the next.
/// 2. The id `lastAdded` means what an earlier update of the same list added.
/// 3. One entry is logged when the current version changed, however often it did.
/// 4. A dialect that the former version had must still be there, or its readers would lose the view.
/// 5. The oldest versions beyond the limit go, and with each the log up to its last use.
extension ViewMetadata {
    /// A new view with one version of one schema.
    ///
    /// Throws `.invalidInput` as `applying`.
    public static func create(
        schema: ViewSchema, version: ViewVersion, location: String, properties: [String: String], uuid: UUID,
        nowMs: Int64
    ) throws(FirnError) -> ViewMetadata {
        var version = version
        version.versionId = 1
        version.schemaId = ViewUpdate.lastAdded
        let empty = ViewMetadata(
            viewUUID: uuid, location: trimmed(location), schemas: [], currentVersionId: 0, versions: [],
            versionLog: [], properties: properties)
        return try empty.applying(
            [.addSchema(schema), .addViewVersion(version), .setCurrentViewVersion(ViewUpdate.lastAdded)], nowMs: nowMs)
    }

    /// The view after the updates.
    ///
    /// - Parameter nowMs: when a version that is not new becomes current again.
    ///
    /// Throws `.invalidInput` for updates that make no sense on this view: `uuid_change`, `view_format_version`,
    /// `bad_location`, `unknown_schema`, `unknown_version`, `nothing_added`, `bad_view_version`, `dialect_dropped`,
    /// `bad_property`.
    public func applying(_ updates: [ViewUpdate], nowMs: Int64) throws(FirnError) -> ViewMetadata {
        var changed = self
        var added = Added()
        for update in updates { try changed.apply(update, &added) }
        if changed.currentVersionId != currentVersionId {
            let current = changed.currentVersion
            let isNew = added.versions.contains(current.versionId)
            changed.versionLog.append(
                ViewLogEntry(timestampMs: isNew ? current.timestampMs : nowMs, versionId: current.versionId))
        }
        if let former = version(id: currentVersionId) { try changed.checkDialects(since: former) }
        try changed.forgetVersions(sparing: added.versions)
        return changed
    }

    private struct Added {
        var schema: Int?
        var version: Int?
        var versions: Set<Int> = []

        static func resolve(_ id: Int, _ last: Int?, _ what: String) throws(FirnError) -> Int {
            guard id == ViewUpdate.lastAdded else { return id }
            guard let last else {
                throw FirnError(.invalidInput, "nothing_added", "the id -1 needs a \(what) added before it")
            }
            return last
        }
    }

    private mutating func apply(_ update: ViewUpdate, _ added: inout Added) throws(FirnError) {
        switch update {
        case .assignUUID(let uuid):
            guard uuid == viewUUID else { throw Self.invalid("uuid_change", "a view's UUID never changes") }
        case .upgradeFormatVersion(let version):
            guard version == Self.formatVersion else {
                throw Self.invalid("view_format_version", "there is no view format version \(version)")
            }
        case .addSchema(let schema): added.schema = try addSchema(schema)
        case .setLocation(let location):
            let folder = Self.trimmed(location)
            guard !folder.isEmpty, folder != "/" else { throw Self.invalid("bad_location", "a view needs a location") }
            self.location = folder
        case .setProperties(let values): properties.merge(values) { _, new in new }
        case .removeProperties(let keys): for key in keys { properties[key] = nil }
        case .addViewVersion(var version):
            version.schemaId = try Added.resolve(version.schemaId, added.schema, "schema")
            let count = versions.count
            let id = try addVersion(version)
            if versions.count > count { added.versions.insert(id) }
            added.version = id
        case .setCurrentViewVersion(let id):
            let id = try Added.resolve(id, added.version, "view version")
            guard version(id: id) != nil else {
                throw Self.invalid("unknown_version", "the view has no version \(id)")
            }
            currentVersionId = id
        }
    }

    private mutating func addSchema(_ schema: ViewSchema) throws(FirnError) -> Int {
        if let known = schemas.first(where: { $0.hasSameShape(as: schema) }) { return known.schemaId }
        let id = try Self.next(schemas.map(\.schemaId), first: 0)
        schemas.append(schema.numbered(id))
        return id
    }

    private mutating func addVersion(_ version: ViewVersion) throws(FirnError) -> Int {
        if let known = versions.first(where: { $0.isSame(as: version) }) { return known.versionId }
        guard schema(id: version.schemaId) != nil else {
            throw Self.invalid("unknown_schema", "the view has no schema \(version.schemaId)")
        }
        guard !version.representations.isEmpty else {
            throw Self.invalid("bad_view_version", "a view version needs a representation")
        }
        for representation in version.representations {
            guard let sql = representation.sql, let dialect = representation.dialect, !sql.isEmpty, !dialect.isEmpty
            else {
                throw Self.invalid(
                    "bad_view_version", "a representation needs the type \"sql\", a statement and a dialect")
            }
        }
        guard version.dialects.count == version.representations.count else {
            throw Self.invalid("bad_view_version", "a view version may have one representation for each dialect")
        }
        var version = version
        version.versionId = try Self.next(versions.map(\.versionId), first: 1)
        versions.append(version)
        return version.versionId
    }

    private static func next(_ ids: [Int], first: Int) throws(FirnError) -> Int {
        guard let highest = ids.max() else { return first }
        // A registered view may have any ids.
        guard highest < Int(Int32.max) else { throw invalid("ids_exhausted", "the view has used up its ids") }
        return max(highest + 1, first)
    }

    private func checkDialects(since former: ViewVersion) throws(FirnError) {
        guard !TableProperties(properties).flag("replace.drop-dialect.allowed", default: false) else { return }
        let lost = former.dialects.subtracting(currentVersion.dialects)
        guard lost.isEmpty else {
            throw Self.invalid(
                "dialect_dropped",
                "the view would lose the dialect \(lost.sorted().joined(separator: ", ")); "
                    + "give it too, or set \"replace.drop-dialect.allowed\" to true")
        }
    }

    private mutating func forgetVersions(sparing added: Set<Int>) throws(FirnError) {
        let key = "version.history.num-entries"
        var limit = Self.versionsDefault
        if let text = properties[key] {
            guard let number = Int(text), (1...Self.versionsMax).contains(number) else {
                throw Self.invalid("bad_property", "\"\(key)\" must be 1 to \(Self.versionsMax)")
            }
            limit = number
        }
        var kept = added.union([currentVersionId])
        for id in versions.map(\.versionId).sorted(by: >) where kept.count < limit { kept.insert(id) }
        versions.removeAll { !kept.contains($0.versionId) }
        if let last = versionLog.lastIndex(where: { !kept.contains($0.versionId) }) {
            versionLog.removeSubrange(...last)
        }
        versionLog.removeFirst(max(0, versionLog.count - Self.logEntriesMax))
    }

    private static func invalid(_ code: String, _ message: String) -> FirnError {
        FirnError(.invalidInput, code, message)
    }
}
