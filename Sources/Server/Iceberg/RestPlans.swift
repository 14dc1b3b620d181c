import Base
import Catalog
import HTTPTypes
import Hummingbird
import Iceberg

/// Scan planning: the files of a scan, pruned on the server, which has the metadata at hand.
///
/// Every plan is complete when it is answered, and what does not fit in the answer is in plan tasks that say themselves
/// what they stand for. So there is nothing to poll and nothing to cancel.
struct RestPlans {
    let service: RestService
    /// Plans read manifests, and loading a table must not wait for that.
    private let pool = WorkerPool(name: "rest-plan", threads: 2)

    init(service: RestService) { self.service = service }

    private var warehouse: Warehouse { service.warehouse }

    var endpoints: [RestEndpoint] {
        let table = "/v1/{prefix}/namespaces/{namespace}/tables/{table}"
        let plan = table + "/plan"
        return [
            RestEndpoint(.post, plan) { try await self.plan($0) },
            RestEndpoint(.get, plan + "/{plan-id}") { call in
                let (id, planId) = (try call.table, try call.context.parameters.text("plan-id"))
                return try await service.reads.run {
                    _ = try warehouse.loadTable(id)
                    throw Self.unknown(planId, "plans are answered at once and not kept; plan the scan again")
                }
            },
            RestEndpoint(.delete, plan + "/{plan-id}") { call in
                let (id, planId) = (try call.table, try call.context.parameters.text("plan-id"))
                return try await service.reads.run {
                    guard RequestedScan.isPlanId(planId, of: try warehouse.loadTable(id).metadata) else {
                        throw Self.unknown(planId, "the table had no such plan")
                    }
                    return Response(status: .noContent)
                }
            },
            RestEndpoint(.post, table + "/tasks") { try await tasks($0) },
        ]
    }

    private func plan(_ call: RestCall) async throws -> Response {
        let id = try call.table
        let bytes = try await call.bytes()
        let request = try await pool.run {
            try ScanRequest(json: bytes.isEmpty ? [:] : try JSONValue(parsing: bytes, source: "request body"))
        }
        if request.range == .current {
            try await service.freshen(try await service.reads.run { try warehouse.loadTable(id) }, call)
        }
        return try await pool.run {
            let scan = try RequestedScan(request, of: try warehouse.loadTable(id).metadata)
            let page = try scan.plan(store: warehouse.store)
            return JSONResponse.make(
                .object(
                    [.init("status", "completed"), .init("plan-id", .string(scan.planId))] + page.members))
        }
    }

    private func tasks(_ call: RestCall) async throws -> Response {
        let id = try call.table
        let bytes = try await call.bytes()
        return try await pool.run {
            let json = try JSONValue(parsing: bytes, source: "request body")
            let page = try RequestedScan.page(
                of: try RestBody.text(json, "plan-task"), metadata: try warehouse.loadTable(id).metadata,
                store: warehouse.store)
            return JSONResponse.make(.object(page.members))
        }
    }

    private static func unknown(_ planId: String, _ reason: String) -> FirnError {
        FirnError(.notFound, "plan_not_found", reason, context: ["plan-id": String(planId.prefix(64))])
    }
}
