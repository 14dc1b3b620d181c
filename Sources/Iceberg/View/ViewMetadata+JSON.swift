import Base
import Columnar

extension ViewMetadata {
    /// Reads a metadata file, plain or compressed.
    ///
    /// Throws `.corrupted` (`bad_view_metadata`), `.unsupported` (`view_format_version`).
    public static func parse(_ bytes: [UInt8], source: String) throws(FirnError) -> ViewMetadata {
        let json: JSONValue
        do {
            json = try JSONValue(parsing: try TableMetadata.decompressed(bytes), source: source)
        } catch {
            throw bad("the file cannot be read: \(error.message)", source)
        }
        return try ViewMetadata(json: json, source: source)
    }

    /// As `parse`, from a tree.
    public init(json: JSONValue, source: String) throws(FirnError) {
        do throws(FirnError) {
            try self.init(MetadataReader(json, source: source, subject: "view metadata"))
        } catch let error where error.kind == .corrupted || error.kind == .invalidInput {
            throw Self.bad(error.message, source)
        }
    }

    private init(_ reader: MetadataReader) throws(FirnError) {
        guard reader.json.objectValue != nil else { throw reader.bad("not a JSON object") }
        // First, since a table has versions too.
        guard let uuid = UUID(try reader.string("view-uuid")) else { throw reader.bad("\"view-uuid\" is not a UUID") }
        let version = try reader.int("format-version")
        guard version == Self.formatVersion else {
            throw FirnError(
                .unsupported, "view_format_version", "view format version \(version) is not supported",
                context: ["file": reader.source])
        }
        viewUUID = uuid
        location = Self.trimmed(try reader.string("location"))
        schemas = try reader.objects("schemas").map { item throws(FirnError) in
            try ViewSchema(json: item.json, source: item.source)
        }
        currentVersionId = try reader.int("current-version-id")
        versions = try reader.objects("versions").map { item throws(FirnError) in try ViewVersion(item) }
        versionLog = try reader.objects("version-log").map { item throws(FirnError) in
            ViewLogEntry(timestampMs: try item.long("timestamp-ms"), versionId: try item.int("version-id"))
        }
        properties = try reader.strings("properties")
        try validate(reader)
    }

    private func validate(_ reader: MetadataReader) throws(FirnError) {
        guard !location.isEmpty else { throw reader.bad("\"location\" is empty") }
        guard Set(versions.map(\.versionId)).count == versions.count else { throw reader.bad("a version id repeats") }
        guard Set(schemas.map(\.schemaId)).count == schemas.count else { throw reader.bad("a schema id repeats") }
        guard let current = version(id: currentVersionId) else {
            throw reader.bad("there is no current version \(currentVersionId)")
        }
        guard schema(id: current.schemaId) != nil else {
            throw reader.bad("there is no schema \(current.schemaId), which the current version names")
        }
    }

    /// The text of the metadata file. Throws `.limitExceeded` (`view_too_large`).
    public func serialize() throws(FirnError) -> [UInt8] {
        let bytes = json.serialize()
        guard bytes.count <= Self.bytesMax else {
            throw FirnError(
                .limitExceeded, "view_too_large",
                "the view's metadata has \(bytes.count) bytes and may have \(Self.bytesMax); "
                    + "lower \"version.history.num-entries\" or shorten the SQL")
        }
        return bytes
    }

    public var json: JSONValue {
        [
            "view-uuid": .string(viewUUID.description), "format-version": .integer(Int64(Self.formatVersion)),
            "location": .string(location), "properties": JSONValue(strings: properties),
            "schemas": .array(schemas.map(\.json)), "current-version-id": .integer(Int64(currentVersionId)),
            "versions": .array(versions.map(\.json)),
            "version-log": .array(
                versionLog.map {
                    ["timestamp-ms": .integer($0.timestampMs), "version-id": .integer(Int64($0.versionId))]
                }),
        ]
    }

    static func trimmed(_ location: String) -> String {
        var location = location
        while location.count > 1, location.hasSuffix("/") { location.removeLast() }
        return location
    }

    private static func bad(_ message: String, _ source: String) -> FirnError {
        FirnError(.corrupted, "bad_view_metadata", message, context: ["file": source])
    }
}

extension ViewVersion {
    /// Reads a version object. Throws `.invalidInput` (`bad_view_version`).
    public init(json: JSONValue, source: String) throws(FirnError) {
        do throws(FirnError) {
            try self.init(MetadataReader(json, source: source, subject: "view version"))
        } catch { throw FirnError(.invalidInput, "bad_view_version", error.message) }
    }

    init(_ reader: MetadataReader) throws(FirnError) {
        self.init(
            versionId: try reader.int("version-id"), schemaId: try reader.int("schema-id"),
            timestampMs: try reader.long("timestamp-ms"), summary: try reader.strings("summary"),
            representations: try reader.objects("representations").map { item throws(FirnError) in
                if try item.string("type") == "sql" {
                    _ = try item.string("sql")
                    _ = try item.string("dialect")
                }
                return ViewRepresentation(json: item.json)
            }, defaultCatalog: try reader.optionalString("default-catalog"),
            defaultNamespace: try reader.texts("default-namespace"))
        preserved = reader.others(than: [
            "version-id", "schema-id", "timestamp-ms", "summary", "representations", "default-catalog",
            "default-namespace",
        ])
    }

    public var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("version-id", .integer(Int64(versionId))), .init("timestamp-ms", .integer(timestampMs)),
            .init("schema-id", .integer(Int64(schemaId))), .init("summary", JSONValue(strings: summary)),
        ]
        if let defaultCatalog { members.append(.init("default-catalog", .string(defaultCatalog))) }
        members.append(.init("default-namespace", .array(defaultNamespace.map { .string($0) })))
        members.append(.init("representations", .array(representations.map(\.json))))
        return .object(members + preserved)
    }
}
