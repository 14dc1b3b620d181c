import Base
import Columnar

/// The root of a view: what it is called in each SQL dialect, now and before, as one immutable JSON file holds it.
///
/// Firn keeps views for the engines that read the catalog; it neither parses nor runs their SQL. Members of versions
/// that Firn does not interpret (a materialized view's storage table) are carried over as they were read.
///
/// Spec: https://iceberg.apache.org/view-spec/
public struct ViewMetadata: Hashable, Sendable {
    /// The one version of the format.
    public static let formatVersion = 1
    /// Versions that a view keeps unless `version.history.num-entries` says otherwise.
    static let versionsDefault = 10
    /// The most that the property may ask for: each is a copy of the SQL in every metadata file.
    static let versionsMax = 1000
    /// Entries of the version log. Going back and forth between two versions would make it grow for ever.
    static let logEntriesMax = 1000
    /// Text of one metadata file: what ten versions of SQL that no person writes need.
    public static let bytesMax = 16 << 20

    public var viewUUID: UUID
    /// Absolute, without a trailing slash.
    public var location: String
    public var schemas: [ViewSchema]
    public var currentVersionId: Int
    public var versions: [ViewVersion]
    /// Each change of the current version, oldest first.
    public var versionLog: [ViewLogEntry]
    public var properties: [String: String]

    public var currentVersion: ViewVersion { version(id: currentVersionId)! }
    public func version(id: Int) -> ViewVersion? { versions.first { $0.versionId == id } }
    public func schema(id: Int) -> ViewSchema? { schemas.first { $0.schemaId == id } }

    /// Where metadata files go.
    public var metadataFolder: String { TableProperties(properties).metadataFolder(of: location) }
}

/// A schema of a view's result. Views are only kept, so a column of a type that Firn does not know is no obstacle.
public struct ViewSchema: Hashable, Sendable {
    public let schemaId: Int
    /// As given, with this schema's id.
    public let json: JSONValue
    /// Nil when Firn does not know a column's type.
    public let schema: Schema?

    /// Throws `.invalidInput` (`bad_schema`, `malformed_json`) for what is no schema.
    public init(json: JSONValue, source: String) throws(FirnError) {
        guard json["type"]?.stringValue == "struct" else {
            throw FirnError(.invalidInput, "bad_schema", "a schema must be a struct")
        }
        do {
            schema = try Schema(json: json, source: source)
        } catch  where error.kind == .unsupported {
            schema = nil
        }
        guard let id = json["schema-id"], !id.isNull else {
            schemaId = 0
            self.json = Self.numbered(json, 0)
            return
        }
        guard let number = id.intValue.flatMap({ Int32(exactly: $0) }) else {
            throw FirnError(.invalidInput, "bad_schema", "\"schema-id\" is not an integer")
        }
        schemaId = Int(number)
        self.json = json
    }

    private init(_ other: ViewSchema, schemaId: Int) {
        self.schemaId = schemaId
        json = Self.numbered(other.json, schemaId)
        var schema = other.schema
        schema?.schemaId = schemaId
        self.schema = schema
    }

    func numbered(_ id: Int) -> ViewSchema { ViewSchema(self, schemaId: id) }

    /// True when both describe the same columns, whatever their ids.
    func hasSameShape(as other: ViewSchema) -> Bool {
        if let schema, let others = other.schema { return schema.hasSameShape(as: others) }
        return numbered(0).json == other.numbered(0).json
    }

    private static func numbered(_ json: JSONValue, _ id: Int) -> JSONValue {
        .object(
            [JSONValue.Member("schema-id", .integer(Int64(id)))]
                + (json.objectValue ?? []).filter { $0.key != "schema-id" })
    }
}

/// The state of a view at some time. Versions never change.
public struct ViewVersion: Hashable, Sendable {
    public var versionId: Int
    /// `ViewUpdate.lastAdded` means the schema that an earlier update of the same commit added.
    public var schemaId: Int
    public var timestampMs: Int64
    public var summary: [String: String]
    public var representations: [ViewRepresentation]
    /// For names without a catalog; nil for the catalog that holds the view.
    public var defaultCatalog: String?
    /// For names without a namespace.
    public var defaultNamespace: [String]
    /// Members that Firn does not interpret.
    public var preserved: [JSONValue.Member]

    public init(
        versionId: Int = 1, schemaId: Int = 0, timestampMs: Int64, summary: [String: String] = [:],
        representations: [ViewRepresentation], defaultCatalog: String? = nil, defaultNamespace: [String]
    ) {
        self.versionId = versionId
        self.schemaId = schemaId
        self.timestampMs = timestampMs
        self.summary = summary
        self.representations = representations
        self.defaultCatalog = defaultCatalog
        self.defaultNamespace = defaultNamespace
        preserved = []
    }

    /// The dialects in which the view can be read, in lower case.
    public var dialects: Set<String> { Set(representations.compactMap { $0.dialect?.lowercased() }) }

    /// True when both do the same, whatever their ids and times.
    func isSame(as other: ViewVersion) -> Bool {
        summary == other.summary && representations == other.representations && schemaId == other.schemaId
            && defaultCatalog == other.defaultCatalog && defaultNamespace == other.defaultNamespace
            && preserved == other.preserved
    }
}

/// The view in one SQL dialect.
public struct ViewRepresentation: Hashable, Sendable {
    /// As given; for a type other than `sql` that is all there is.
    public let json: JSONValue

    public init(sql: String, dialect: String) {
        json = ["type": "sql", "sql": .string(sql), "dialect": .string(dialect)]
    }

    init(json: JSONValue) { self.json = json }

    public var isSQL: Bool { json["type"]?.stringValue == "sql" }
    public var sql: String? { isSQL ? json["sql"]?.stringValue : nil }
    public var dialect: String? { isSQL ? json["dialect"]?.stringValue : nil }
}

/// When a version became the current one.
public struct ViewLogEntry: Hashable, Sendable {
    public let timestampMs: Int64
    public let versionId: Int

    public init(timestampMs: Int64, versionId: Int) {
        self.timestampMs = timestampMs
        self.versionId = versionId
    }
}
