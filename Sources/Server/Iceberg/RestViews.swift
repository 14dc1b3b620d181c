import Base
import Catalog
import HTTPTypes
import Hummingbird
import Iceberg

/// Views: list, create, load, replace, register, rename, drop. What they select is their engines' matter.
struct RestViews {
    let service: RestService

    private var warehouse: Warehouse { service.warehouse }

    var endpoints: [RestEndpoint] {
        let space = "/v1/{prefix}/namespaces/{namespace}"
        let all = space + "/views"
        let one = all + "/{view}"
        return [
            RestEndpoint(.get, all) { try await list($0) },
            RestEndpoint(.post, all) { try await create($0) },
            RestEndpoint(.get, one) { call in
                let view = try call.view
                return try await service.reads.run { JSONResponse.make(try warehouse.loadView(view).json) }
            },
            RestEndpoint(.head, one) { call in
                let view = try call.view
                return try await service.reads.run {
                    Response(status: try warehouse.viewExists(view) ? .noContent : .notFound)
                }
            },
            RestEndpoint(.post, one) { try await replace($0) },
            RestEndpoint(.delete, one) { call in
                let view = try call.view
                return try await service.change(call, status: .noContent) { _, request in
                    try warehouse.dropView(view, request: request)
                    return .nothing
                }
            },
            RestEndpoint(.post, space + "/register-view") { try await register($0) },
            RestEndpoint(.post, "/v1/{prefix}/views/rename") { try await rename($0) },
        ]
    }

    private func list(_ call: RestCall) async throws -> Response {
        let page = try RestPage(call)
        let namespace = try call.namespace
        return try await service.reads.run {
            let (views, next) = page.cut(try warehouse.listViews(in: namespace), name: \.name)
            return JSONResponse.make([
                "identifiers": .array(views.map(RestTables.json)), "next-page-token": next.map { .string($0) } ?? .null,
            ])
        }
    }

    private func create(_ call: RestCall) async throws -> Response {
        let namespace = try call.namespace
        return try await service.change(call) { json, request in
            let id = try TableIdentifier(namespace: namespace, name: try RestBody.text(json, "name"))
            guard let schema = json["schema"], schema.objectValue != nil else {
                throw RestBody.bad("schema", "an Iceberg schema")
            }
            guard let version = json["view-version"], version.objectValue != nil else {
                throw RestBody.bad("view-version", "a view version")
            }
            let view = try warehouse.createView(
                id, schema: try ViewSchema(json: schema, source: "schema"),
                version: try ViewVersion(json: version, source: "view-version"),
                location: try RestBody.optionalText(json, "location"),
                properties: try RestBody.strings(json, "properties"), request: request)
            return .json(view.json)
        }
    }

    private func replace(_ call: RestCall) async throws -> Response {
        let id = try call.view
        return try await service.change(call, scope: .commit) { json, request in
            if let given = json["identifier"], !given.isNull {
                guard try RestBody.identifier(given, "identifier") == id else {
                    throw RestBody.bad("identifier", "the view of the path, \(id)")
                }
            }
            guard let updates = json["updates"] else { throw RestBody.bad("updates", "a list of view updates") }
            let view = try warehouse.commitView(
                id, updates: try ViewUpdate.list(json: updates),
                requirements: try ViewRequirement.list(json: json["requirements"]), request: request)
            return .json(view.json)
        }
    }

    private func register(_ call: RestCall) async throws -> Response {
        let namespace = try call.namespace
        return try await service.change(call) { json, request in
            let id = try TableIdentifier(namespace: namespace, name: try RestBody.text(json, "name"))
            let view = try warehouse.registerView(
                id, metadata: try RestBody.text(json, "metadata-location"), request: request)
            return .json(view.json)
        }
    }

    private func rename(_ call: RestCall) async throws -> Response {
        try await service.change(call, status: .noContent) { json, request in
            let source = try RestBody.identifier(json["source"], "source")
            let target = try RestBody.identifier(json["destination"], "destination")
            try warehouse.renameView(
                source, to: try TableIdentifier(namespace: target.namespace, name: target.name), request: request)
            return .nothing
        }
    }
}

extension RestCall {
    /// Throws `.notFound` (`namespace_not_found`, `view_not_found`) for names that no view can have.
    fileprivate var view: TableIdentifier {
        get throws {
            let (namespace, name) = (try namespace, try context.parameters.text("view"))
            do {
                return try TableIdentifier(existing: namespace, name: name)
            } catch  where error.code == "table_not_found" {
                throw FirnError(.notFound, "view_not_found", "there is no view of this name")
            }
        }
    }
}
