import Base
import Catalog
import HTTPTypes
import Hummingbird
import Iceberg

/// What engines report of their scans and commits; `"ns.table$metrics"` in SQL.
struct RestMetrics {
    let service: RestService

    var endpoints: [RestEndpoint] {
        [
            RestEndpoint(.post, "/v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics") { call in
                let table = try call.table
                let bytes = try await call.bytes()
                return try await service.reads.run {
                    let report = try MetricsReport(json: try JSONValue(parsing: bytes, source: "request body"))
                    try service.warehouse.addMetricsReport(report, to: table)
                    return Response(status: .noContent)
                }
            }
        ]
    }
}
