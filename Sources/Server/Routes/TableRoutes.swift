import Base
import Catalog
import Columnar
import HTTPTypes
import Hummingbird
import Iceberg
import Ingest
import Maintenance

/// List, create, describe, alter and drop tables; show their snapshots and files.
struct TableRoutes {
    let warehouse: Warehouse
    let ingest: IngestService
    let pool: WorkerPool
    let health: HealthProbe

    func add(to router: Router<RouteContext>) {
        router.get("/v1/tables") { _, _ in
            try await pool.run {
                JSONResponse.make(["tables": .array(try warehouse.listTables().map { .string($0.description) })])
            }
        }
        router.post("/v1/tables") { request, _ in
            let json = try await request.json()
            return try await pool.run { try create(json) }
        }
        router.get("/v1/tables/:namespace/:table") { _, context in
            let table = try context.table
            return try await pool.run {
                let attachment = try warehouse.attachment(of: table)
                let summary = TableSummary(try warehouse.loadTable(table), attachment: attachment).json
                guard case .object(let members) = summary, let known = health.healths(of: [table], keep: true).first
                else { return JSONResponse.make(summary) }
                return JSONResponse.make(.object(members + [.init("health", known.health.json)]))
            }
        }
        router.patch("/v1/tables/:namespace/:table") { request, context in
            let table = try context.table
            let json = try await request.json()
            return try await pool.run { try alter(table, json) }
        }
        router.delete("/v1/tables/:namespace/:table") { request, context in
            let table = try context.table
            let purge = request.query("purge").map { $0 == "true" } ?? true
            try await pool.run {
                try warehouse.dropTable(table, purge: purge)
                ingest.forget(table)
            }
            return Response(status: .noContent)
        }
        router.get("/v1/tables/:namespace/:table/snapshots") { _, context in
            let table = try context.table
            return try await pool.run {
                JSONResponse.make(["snapshots": .array(try warehouse.loadTable(table).metadata.snapshots.map(\.json))])
            }
        }
        router.get("/v1/tables/:namespace/:table/files") { request, context in
            let table = try context.table
            let snapshot = request.query("snapshot-id").flatMap { Int64($0) }
            return try await pool.run { try files(table, snapshotId: snapshot) }
        }
        addNamespaces(to: router)
    }

    private func addNamespaces(to router: Router<RouteContext>) {
        router.get("/v1/namespaces") { _, _ in
            try await pool.run {
                let names = try warehouse.listNamespaces().map { JSONValue.string($0.joined(separator: ".")) }
                return JSONResponse.make(["namespaces": .array(names)])
            }
        }
        router.post("/v1/namespaces") { request, _ in
            let json = try await request.json()
            return try await pool.run {
                let namespace = try TableDefinition.namespace(json["namespace"])
                try warehouse.createNamespace(
                    namespace, properties: try TableDefinition.strings(json["properties"], "properties"),
                    ifNotExists: false)
                return JSONResponse.make(["namespace": .string(namespace.joined(separator: "."))], status: .created)
            }
        }
    }

    private func create(_ json: JSONValue) throws -> Response {
        let definition = try TableDefinition(json: json)
        try IngestPolicy.check(definition.properties, schema: definition.schema)
        let table = try warehouse.createTable(
            definition, ifNotExists: json["if-not-exists"]?.boolValue ?? false)
        return JSONResponse.make(TableSummary(table).json, status: .created)
    }

    /// `{"set-properties": {…}, "remove-properties": […], "rename-to": "ns.name", "partition": {"add": "day(ts)"},
    /// "sort": "ts desc"}`
    private func alter(_ identifier: TableIdentifier, _ json: JSONValue) throws -> Response {
        let set = try TableDefinition.strings(json["set-properties"], "set-properties")
        let remove = (json["remove-properties"]?.arrayValue ?? []).compactMap(\.stringValue)
        var current = identifier
        let members = ["rename-to", "partition", "sort"]
        guard !set.isEmpty || !remove.isEmpty || members.contains(where: { json[$0] != nil }) else {
            throw FirnError(
                .invalidInput, "nothing_to_do",
                "send \"set-properties\", \"remove-properties\", \"partition\", \"sort\" or \"rename-to\"")
        }
        if let partition = json["partition"] {
            ingest.schemaChanged(try warehouse.repartition(identifier, change: PartitionChange(json: partition)))
        }
        if let sort = json["sort"] {
            guard let text = sort.stringValue else {
                throw FirnError(.invalidInput, "bad_sort", "\"sort\" must be text such as \"ts desc\"")
            }
            ingest.schemaChanged(try warehouse.sort(identifier, by: text))
        }
        if !set.isEmpty || !remove.isEmpty {
            try warehouse.updateProperties(identifier, set: set, remove: remove, check: IngestPolicy.check)
        }
        if let target = json["rename-to"]?.stringValue {
            let renamed = try TableIdentifier(parsing: target)
            try warehouse.renameTable(identifier, to: renamed)
            current = renamed
        }
        return JSONResponse.make(TableSummary(try warehouse.loadTable(current)).json)
    }

    private func files(_ identifier: TableIdentifier, snapshotId: Int64?) throws -> Response {
        let metadata = try warehouse.loadTable(identifier).metadata
        guard let snapshot = snapshotId == nil ? metadata.currentSnapshot : metadata.snapshot(id: snapshotId!) else {
            guard snapshotId == nil else {
                throw FirnError(.notFound, "snapshot_not_found", "snapshot \(snapshotId!) is not in \(identifier)")
            }
            return JSONResponse.make(["files": []])
        }
        let plan = try ScanPlanner.plan(
            metadata: metadata, snapshot: snapshot, filter: .alwaysTrue, store: warehouse.store)
        let files = plan.tasks.map { task in
            JSONValue.object([
                .init("path", .string(task.dataFile.path)),
                .init("records", .integer(Int64(task.dataFile.recordCount))),
                .init("bytes", .integer(Int64(task.dataFile.fileBytes))),
            ])
        }
        return JSONResponse.make(["snapshot-id": .integer(snapshot.snapshotId), "files": .array(files)])
    }
}
