import Base
import Catalog
import Columnar
import HTTPTypes
import Hummingbird
import Iceberg
import Ingest

/// Tables: list, create, load, register, rename, drop.
struct RestTables {
    let service: RestService

    private var warehouse: Warehouse { service.warehouse }

    var endpoints: [RestEndpoint] {
        let space = "/v1/{prefix}/namespaces/{namespace}"
        let all = space + "/tables"
        let one = all + "/{table}"
        return [
            RestEndpoint(.get, all) { try await list($0) },
            RestEndpoint(.post, all) { try await create($0) },
            RestEndpoint(.get, one) { try await load($0) },
            RestEndpoint(.head, one) { call in
                let table = try call.table
                return try await service.reads.run {
                    Response(status: try warehouse.tableExists(table) ? .noContent : .notFound)
                }
            },
            RestEndpoint(.delete, one) { try await drop($0) },
            RestEndpoint(.post, one + "/unregister") { try await unregister($0) },
            RestEndpoint(.get, one + "/credentials") { call in
                let table = try call.table
                return try await service.reads.run {
                    _ = try warehouse.loadTable(table)
                    return JSONResponse.make(["storage-credentials": []])
                }
            },
            RestEndpoint(.post, space + "/register") { try await register($0) },
            RestEndpoint(.post, "/v1/{prefix}/tables/rename") { try await rename($0) },
        ]
    }

    private func list(_ call: RestCall) async throws -> Response {
        let page = try RestPage(call)
        let namespace = try call.namespace
        return try await service.reads.run {
            let (tables, next) = page.cut(try warehouse.listTables(in: namespace), name: \.name)
            return JSONResponse.make([
                "identifiers": .array(tables.map(Self.json)), "next-page-token": next.map { .string($0) } ?? .null,
            ])
        }
    }

    static func json(_ table: TableIdentifier) -> JSONValue {
        ["namespace": .array(table.namespace.map { .string($0) }), "name": .string(table.name)]
    }

    private func load(_ call: RestCall) async throws -> Response {
        let id = try call.table
        guard let snapshots = RestTableAnswer.Snapshots(rawValue: call.query("snapshots") ?? "all") else {
            throw FirnError(.invalidInput, "bad_snapshots", "\"snapshots\" is all or refs")
        }
        let headers = call.request.headers
        try await service.freshen(try await service.reads.run { try warehouse.loadTable(id) }, call)
        return try await service.reads.run {
            let answer = RestTableAnswer(try warehouse.loadTable(id), snapshots: snapshots)
            guard !RestTableAnswer.matches(answer.tag, ifNoneMatch: headers[.ifNoneMatch]) else {
                var response = Response(status: .notModified)
                response.headers[.eTag] = answer.tag
                return response
            }
            return try answer.response(acceptEncoding: headers[.acceptEncoding])
        }
    }

    // MARK: Creating

    private func create(_ call: RestCall) async throws -> Response {
        let namespace = try call.namespace
        return try await service.change(call) { json, request in
            let id = try TableIdentifier(namespace: namespace, name: try RestBody.text(json, "name"))
            let shape = try RestTableShape(json)
            try IngestPolicy.check(shape.properties, schema: shape.schema)
            guard try !RestBody.flag(json, "stage-create") else {
                let metadata = try warehouse.stageTable(
                    id, schema: shape.schema, spec: shape.spec, sortOrder: shape.sortOrder,
                    properties: shape.properties, location: shape.location)
                try warehouse.makeFolders(of: metadata)
                return .staged(RestTableAnswer(metadataLocation: nil, metadata: metadata))
            }
            let table = try warehouse.createTable(
                id, schema: shape.schema, spec: shape.spec, sortOrder: shape.sortOrder, properties: shape.properties,
                location: shape.location, request: request)
            try? warehouse.makeFolders(of: table.metadata)
            return .table(table)
        }
    }

    private func register(_ call: RestCall) async throws -> Response {
        let namespace = try call.namespace
        return try await service.change(call) { json, request in
            let id = try TableIdentifier(namespace: namespace, name: try RestBody.text(json, "name"))
            let table = try warehouse.registerTable(
                id, metadata: try RestBody.text(json, "metadata-location"), confined: true,
                overwrite: try RestBody.flag(json, "overwrite"), request: request)
            service.ingest.forget(id)
            return .table(table)
        }
    }

    // MARK: Names

    private func rename(_ call: RestCall) async throws -> Response {
        try await service.change(call, status: .noContent) { json, request in
            let source = try RestBody.identifier(json["source"], "source")
            let target = try RestBody.identifier(json["destination"], "destination")
            try warehouse.renameTable(
                source, to: try TableIdentifier(namespace: target.namespace, name: target.name), request: request)
            service.ingest.forget(source)
            return .nothing
        }
    }

    private func drop(_ call: RestCall) async throws -> Response {
        let id = try call.table
        let purge = call.query("purgeRequested")?.lowercased() == "true"
        // A table that cannot be written any more can still be dropped.
        if !purge { try? await service.settle(id) }
        return try await service.change(call, status: .noContent) { _, request in
            try warehouse.dropTable(id, purge: purge, request: request)
            service.ingest.forget(id)
            return .nothing
        }
    }

    private func unregister(_ call: RestCall) async throws -> Response {
        let id = try call.table
        try await service.settle(id)
        return try await service.change(call) { _, request in
            let table = try warehouse.loadTable(id)
            try warehouse.dropTable(id, purge: false, request: request)
            service.ingest.forget(id)
            return .table(table)
        }
    }
}

/// What a request to create a table says of it.
struct RestTableShape {
    let schema: Schema
    let spec: PartitionSpec
    let sortOrder: SortOrder
    let properties: [String: String]
    let location: String?

    /// Throws `.invalidInput` for what is not as the protocol says, `bad_schema` for field ids that repeat.
    init(_ json: JSONValue) throws(FirnError) {
        guard let form = json["schema"], form.objectValue != nil else {
            throw RestBody.bad("schema", "an Iceberg schema")
        }
        schema = try Schema(json: form, source: "schema")
        let ids = schema.allFields.map(\.field.id)
        guard Set(ids).count == ids.count else {
            throw FirnError(.invalidInput, "bad_schema", "two fields of the schema have the same id")
        }
        spec =
            try Self.part(json, "partition-spec").map { form throws(FirnError) in
                try PartitionSpec(json: form, source: "partition-spec")
            } ?? .unpartitioned
        sortOrder =
            try Self.part(json, "write-order").map { form throws(FirnError) in
                try SortOrder(json: form, source: "write-order")
            } ?? .unsorted
        // Names of the metadata itself are dropped, not refused: clients send them along.
        properties = try RestBody.strings(json, "properties").filter {
            $0.key == "format-version" || !TableProperties.reserved.contains($0.key)
        }
        location = try RestBody.optionalText(json, "location")
    }

    private static func part(_ json: JSONValue, _ member: String) throws(FirnError) -> JSONValue? {
        guard let value = json[member], !value.isNull else { return nil }
        guard value.objectValue != nil else { throw RestBody.bad(member, "an object") }
        return value
    }
}
