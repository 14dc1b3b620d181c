import Base
import Catalog
import HTTPTypes
import Hummingbird
import Ingest

/// Health for supervisors, figures for Prometheus, and the description of this API.
struct HealthRoutes {
    let warehouse: Warehouse
    let ingest: IngestService
    let pool: WorkerPool
    let openAPI: [UInt8]

    func add(to router: Router<RouteContext>) {
        router.get("/healthz") { _, _ in JSONResponse.make(["status": "ok"]) }
        router.get("/readyz") { _, _ in
            try await pool.run {
                _ = try warehouse.listNamespaces()
                return JSONResponse.make(["status": "ready"])
            }
        }
        router.get("/metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: MetricsText.render(ingest))))
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
}

/// The figures of `/metrics` in Prometheus' text format, and the only place that names them.
enum MetricsText {
    static func render(_ ingest: IngestService) -> String {
        let totals = ingest.counters.totals
        let backlog = ingest.backlog
        var text = ""
        func add(_ name: String, _ kind: String, _ help: String, _ value: some CustomStringConvertible) {
            text += "# HELP firn_\(name) \(help)\n# TYPE firn_\(name) \(kind)\nfirn_\(name) \(value)\n"
        }
        add("ingest_requests_total", "counter", "Batches acknowledged.", totals.requests)
        add("ingest_records_total", "counter", "Records acknowledged.", totals.records)
        add("ingest_bytes_total", "counter", "Body bytes acknowledged, decoded.", totals.bytes)
        add("ingest_rejected_records_total", "counter", "Records refused with a reason.", totals.rejected)
        add("ingest_duplicate_batches_total", "counter", "Batches recognised as sent before.", totals.duplicates)
        add("ingest_refused_requests_total", "counter", "Requests refused because memory was full.", totals.refused)
        add("ingest_uncommitted_records", "gauge", "Records durable and not yet in a snapshot.", backlog.rows)
        add("ingest_uncommitted_bytes", "gauge", "Memory held by those records.", backlog.bytes)
        add("ingest_memory_bytes", "gauge", "Memory reserved by the ingest path.", ingest.budget.bytesUsed)
        add("log_bytes", "gauge", "Bytes of log not yet released.", ingest.logBytes)
        text +=
            "# HELP firn_ack_seconds Time from request to durable acknowledgement.\n# TYPE firn_ack_seconds histogram\n"
        var seen = 0
        for (index, count) in totals.ackBuckets.enumerated() {
            seen += count
            let edge = index == totals.ackBuckets.count - 1 ? "+Inf" : "\(Double(64 << index) / 1_000_000)"
            text += "firn_ack_seconds_bucket{le=\"\(edge)\"} \(seen)\n"
        }
        text += "firn_ack_seconds_sum \(Double(totals.ackNanosTotal) / 1e9)\nfirn_ack_seconds_count \(seen)\n"
        return text
    }
}
