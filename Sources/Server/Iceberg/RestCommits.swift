import Base
import Catalog
import HTTPTypes
import Hummingbird
import Iceberg
import Ingest

/// Commits: of one table, or of several in one transaction.
struct RestCommits {
    /// Tables in one transaction; their committers are held together.
    static let tablesMax = 100

    let service: RestService

    var endpoints: [RestEndpoint] {
        [
            RestEndpoint(.post, "/v1/{prefix}/namespaces/{namespace}/tables/{table}") { try await commitOne($0) },
            RestEndpoint(.post, "/v1/{prefix}/transactions/commit") { try await commitAll($0) },
        ]
    }

    private func commitOne(_ call: RestCall) async throws -> Response {
        let id = try call.table
        return try await service.change(call, scope: .commit) { json, request in
            let change = try Self.change(json, of: id)
            return .table(try commit([change], request, showsTable: true)[0].table)
        }
    }

    private func commitAll(_ call: RestCall) async throws -> Response {
        try await service.change(call, scope: .commit, status: .noContent) { json, request in
            guard let items = json["table-changes"]?.arrayValue, (1...Self.tablesMax).contains(items.count) else {
                throw RestBody.bad("table-changes", "a list of 1 to \(Self.tablesMax) changes")
            }
            let changes = try items.map { item in
                try Self.change(item, of: try RestBody.identifier(item["identifier"], "identifier"))
            }
            _ = try commit(changes, request, showsTable: false)
            return .nothing
        }
    }

    private func commit(
        _ changes: [TableTransaction], _ request: KeyedRequest?, showsTable: Bool
    ) throws -> [CommitResult] {
        // Only of who sets them: data must not be refused for properties that somebody else has set.
        let setsProperties = changes.contains { change in
            change.updates.contains { if case .setProperties = $0 { true } else { false } }
        }
        let results = try service.warehouse.commit(changes, request: request, showsTable: showsTable) { metadata in
            if setsProperties { try IngestPolicy.check(metadata.properties, schema: metadata.currentSchema) }
        }
        for (change, result) in zip(changes, results) {
            if change.creates { try? service.warehouse.makeFolders(of: result.table.metadata) }
            service.ingest.schemaChanged(result.table)
        }
        return results
    }

    /// One table's change; an identifier in the body must be the one in the path.
    static func change(_ json: JSONValue, of id: TableIdentifier) throws -> TableTransaction {
        guard json.objectValue != nil else {
            throw FirnError(.invalidInput, "bad_request", "the body must be an object with requirements and updates")
        }
        if let given = json["identifier"], !given.isNull {
            guard try RestBody.identifier(given, "identifier") == id else {
                throw RestBody.bad("identifier", "the table of the path, \(id)")
            }
        }
        return TableTransaction(
            identifier: id, requirements: try requirements(json["requirements"]),
            updates: try TableUpdate.list(json: json["updates"] ?? []))
    }

    private static func requirements(_ json: JSONValue?) throws(FirnError) -> [TableRequirement] {
        guard let json, !json.isNull else { return [] }
        guard let items = json.arrayValue, items.count <= 1000 else {
            throw RestBody.bad("requirements", "a list of at most 1000")
        }
        return try items.map { item throws(FirnError) in try TableRequirement(json: item) }
    }
}
