import Base
import Catalog
import HTTPTypes
import Hummingbird
import Ingest

/// Health for supervisors, figures for Prometheus, and the description of this API.
struct HealthRoutes {
    let warehouse: Warehouse
    let ingest: IngestService
    let openAPI: [UInt8]
    let metrics: MetricsText
    let isStopping: @Sendable () -> Bool
    /// Of its own, so that a probe does not wait behind work.
    private let pool = WorkerPool(name: "health", threads: 1)

    init(
        warehouse: Warehouse, ingest: IngestService, openAPI: [UInt8], metrics: MetricsText,
        isStopping: @escaping @Sendable () -> Bool
    ) {
        self.warehouse = warehouse
        self.ingest = ingest
        self.openAPI = openAPI
        self.metrics = metrics
        self.isStopping = isStopping
    }

    func add(to router: Router<RouteContext>) {
        router.get("/healthz") { _, _ in JSONResponse.make(["status": "ok"]) }
        router.get("/readyz") { _, _ in
            try await pool.run {
                try checkReady()
                return JSONResponse.make(["status": "ready"])
            }
        }
        router.get("/metrics") { _, _ in
            let text = try await pool.run { metrics.render() }
            return Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
        }
        router.get("/openapi.yaml") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/yaml"],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: openAPI)))
        }
        router.get("/") { _, _ in
            let text = """
                Firn streams records into Apache Iceberg tables.

                  POST /v1/tables                          create a table
                  POST /v1/tables/{ns}/{table}/records     insert records
                  POST /v1/query                           query with SQL
                  GET  /openapi.yaml                       everything else

                """
            return Response(
                status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
        }
    }

    /// Throws the first reason why a batch sent now would not land. `/healthz` only says that the process answers.
    private func checkReady() throws(FirnError) {
        try check("shutdown") {
            guard !isStopping(), !ingest.figures.isClosed else {
                throw FirnError(.cancelled, "shutting_down", "the server is shutting down")
            }
        }
        try check("catalog") { _ = try warehouse.listNamespaces() }
        try check("log") {
            guard ingest.figures.log.isAvailable else {
                throw FirnError(.storageFull, "log_storage_full", "the write-ahead log cannot be written")
            }
        }
        try check("directory") {
            let files = warehouse.environment.files
            // A name that the log's recovery removes, should the process die in between.
            let path = warehouse.directory + "/wal/ready.tmp"
            let file = try files.open(path, .replace)
            defer { file.close() }
            try file.write([1], at: 0)
            try files.remove(path)
        }
    }

    private func check(_ name: String, _ body: () throws -> Void) throws(FirnError) {
        do {
            try body()
        } catch {
            let reason = (error as? FirnError)?.message ?? "\(error)"
            throw FirnError(.cancelled, "not_ready", "\(name): \(reason)", context: ["check": name], cause: error)
        }
    }
}
