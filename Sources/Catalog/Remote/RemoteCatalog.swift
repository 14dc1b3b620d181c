import Base
import Iceberg

/// Another catalog, in which attached tables are kept: an Iceberg REST catalog. `RestCatalog` implements it; tests have
/// one in memory.
///
/// Blocking; safe to call from any thread. Errors of both methods:
/// - `.io` (`remote_unavailable`): no answer, or one that says to come again.
/// - `.invalidInput` (`remote_refused`): it does not know who asks, or does not let them.
/// - `.notFound` (`remote_table_not_found`).
/// - `.corrupted` (`remote_answer`): what it says makes no sense.
public protocol RemoteCatalog: Sendable {
    /// The table as it is now; nil when it still is what had this tag.
    func load(_ table: RemoteTableName, unless tag: String?) throws -> RemoteTable?

    /// Sends a commit: `requirements` and `updates` of the REST protocol. Also throws
    /// - `.conflict` (`remote_conflict`): a requirement does not hold, so this request changed nothing;
    /// - `.outcomeUnknown` (`remote_outcome_unknown`): it may or may not have been committed, now or in a while. The
    ///   same request with the same key may be sent again at any time: at most one of them takes effect.
    ///
    /// After every other error this request changed nothing.
    func commit(_ request: [UInt8], to table: RemoteTableName, key: UUID) throws -> RemoteTable
}

/// Finds the way to remote catalogs; one client serves all tables of an endpoint.
public protocol RemoteConnector: Sendable {
    /// Throws `.invalidInput` (`bad_endpoint`). Nothing is sent yet.
    func connect(_ endpoint: RemoteEndpoint) throws -> any RemoteCatalog
}

/// A table's name in a remote catalog.
public struct RemoteTableName: Hashable, Sendable, CustomStringConvertible {
    public let namespace: [String]
    public let name: String

    public init(namespace: [String], name: String) {
        self.namespace = namespace
        self.name = name
    }

    public var description: String { (namespace + [name]).joined(separator: ".") }
}

/// A table's state in a remote catalog.
public struct RemoteTable: Sendable {
    public let metadataLocation: String
    public let metadata: TableMetadata
    /// The entity tag, where the catalog gives one.
    public let tag: String?

    public init(metadataLocation: String, metadata: TableMetadata, tag: String?) {
        self.metadataLocation = metadataLocation
        self.metadata = metadata
        self.tag = tag
    }
}

/// Where a remote catalog is and how to be let in. Secrets are named by the files that hold them.
public struct RemoteEndpoint: Hashable, Sendable {
    /// The base that `/v1/config` follows, such as `http://127.0.0.1:8181/iceberg`.
    public var uri: String
    /// The `warehouse` that the catalog is asked for; nil where it has one.
    public var warehouse: String?
    /// Holds a bearer token.
    public var tokenFile: String?
    /// Holds `client-id:client-secret` for OAuth2 client credentials.
    public var credentialFile: String?
    /// A PEM file of the certificates that are trusted; nil for the system's.
    public var caFile: String?
    /// Where to exchange credentials for a token; nil for the catalog's own `/v1/oauth/tokens`.
    public var tokenURI: String?
    public var scope: String?
    /// Sent along with every request.
    public var headers: [String: String]

    public init(
        uri: String, warehouse: String? = nil, tokenFile: String? = nil, credentialFile: String? = nil,
        caFile: String? = nil, tokenURI: String? = nil, scope: String? = nil, headers: [String: String] = [:]
    ) {
        self.uri = uri
        self.warehouse = warehouse
        self.tokenFile = tokenFile
        self.credentialFile = credentialFile
        self.caFile = caFile
        self.tokenURI = tokenURI
        self.scope = scope
        self.headers = headers
    }

    var json: JSONValue {
        var members: [JSONValue.Member] = []
        func add(_ key: String, _ value: String?) {
            if let value { members.append(JSONValue.Member(key, .string(value))) }
        }
        add("uri", uri)
        add("warehouse", warehouse)
        add("token-file", tokenFile)
        add("credential-file", credentialFile)
        add("ca-file", caFile)
        add("token-uri", tokenURI)
        add("scope", scope)
        members.append(JSONValue.Member("headers", JSONValue(strings: headers)))
        return .object(members)
    }

    init(json: JSONValue) throws {
        guard let uri = json["uri"]?.stringValue else { throw MarkStore.malformed("firn_attachments") }
        let headers = (json["headers"]?.objectValue ?? []).compactMap { member in
            member.value.stringValue.map { (member.key, $0) }
        }
        self.init(
            uri: uri, warehouse: json["warehouse"]?.stringValue, tokenFile: json["token-file"]?.stringValue,
            credentialFile: json["credential-file"]?.stringValue, caFile: json["ca-file"]?.stringValue,
            tokenURI: json["token-uri"]?.stringValue, scope: json["scope"]?.stringValue,
            headers: Dictionary(headers) { _, last in last })
    }
}
