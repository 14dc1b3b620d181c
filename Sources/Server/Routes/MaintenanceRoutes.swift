import Base
import Catalog
import HTTPTypes
import Hummingbird
import Ingest
import Maintenance

/// Compaction on demand, schedules of tables and of patterns, and jobs.
struct MaintenanceRoutes {
    /// Jobs that one answer lists.
    static let jobsMax = 10_000

    let warehouse: Warehouse
    let jobs: MaintenanceJobs
    let isStopping: @Sendable () -> Bool
    /// A compaction may take minutes; it has threads of its own so that short requests never wait behind it.
    private let pool = WorkerPool(name: "compact", threads: 1)
    private let shortPool = WorkerPool(name: "schedules", threads: 1)

    init(warehouse: Warehouse, jobs: MaintenanceJobs, isStopping: @escaping @Sendable () -> Bool) {
        self.warehouse = warehouse
        self.jobs = jobs
        self.isStopping = isStopping
    }

    func add(to router: Router<RouteContext>) {
        router.post("/v1/tables/:namespace/:table/compact") { _, context in
            let table = try context.table
            var limits = RunLimits()
            limits.width = MaintenanceScheduler.Options().jobsMax
            let report = try await pool.run { [limits] in
                try jobs.compact(
                    table, request: CompactionRequest(isForced: true), reason: "requested over HTTP", waitMs: 90_000,
                    limits: limits, isStopping: isStopping)
            }
            return JSONResponse.make(report.json)
        }
        let schedules = "/v1/tables/:namespace/:table/schedules"
        router.get("\(schedules)") { _, context in
            let table = try context.table
            return try await shortPool.run {
                _ = try warehouse.loadTable(table)
                return try list(warehouse.listSchedules(table: table.description))
            }
        }
        addSchedule(to: router, path: "\(schedules)/:name") { try $0.table.description }
        router.get("/v1/schedules") { _, _ in
            try await shortPool.run { try list(warehouse.listSchedules()) }
        }
        // A pattern as it is, `events.*`, or with the star escaped.
        addSchedule(to: router, path: "/v1/schedules/:pattern/:name") { try $0.parameters.text("pattern") }
        addJobs(to: router)
    }

    private func addSchedule(
        to router: Router<RouteContext>, path: String, table: @escaping @Sendable (RouteContext) throws -> String
    ) {
        let route = RouterPath(path)
        router.get(route) { _, context in
            let (table, name) = (try table(context), try context.parameters.text("name"))
            return try await shortPool.run {
                let view = try ScheduleView.find(name, table: table, in: warehouse)
                let tables = try view.explainTables(in: warehouse)
                return JSONResponse.make(
                    .object(
                        (view.json.objectValue ?? []) + [
                            .init("tables", .object(tables.map { .init($0.table, .string($0.text)) }))
                        ]))
            }
        }
        router.put(route) { request, context in
            let (table, name) = (try table(context), try context.parameters.text("name"))
            let json = try await request.json()
            return try await shortPool.run {
                let members = (json.objectValue ?? []).filter { $0.key != "paused" }
                let view = try ScheduleView.set(
                    try ScheduleSpec(json: .object(members)), paused: json["paused"]?.boolValue ?? false, name: name,
                    table: table, in: warehouse)
                return JSONResponse.make(view.json)
            }
        }
        router.delete(route) { _, context in
            let (table, name) = (try table(context), try context.parameters.text("name"))
            return try await shortPool.run {
                try ScheduleView.remove(name, table: table, in: warehouse)
                return Response(status: .noContent)
            }
        }
        for (action, isPaused) in [("pause", true), ("resume", false)] {
            router.post(RouterPath(path + "/" + action)) { _, context in
                let (table, name) = (try table(context), try context.parameters.text("name"))
                return try await shortPool.run {
                    JSONResponse.make(try ScheduleView.pause(isPaused, name, table: table, in: warehouse).json)
                }
            }
        }
    }

    private func list(_ rows: [ScheduleRow]) throws -> Response {
        let views = try rows.map { try ScheduleView($0, in: warehouse) }
        return JSONResponse.make(["schedules": .array(views.map(\.json))])
    }

    private func addJobs(to router: Router<RouteContext>) {
        router.get("/v1/jobs") { request, _ in
            let (table, kind) = (request.query("table"), request.query("kind"))
            let (state, limit) = (request.query("state"), request.query("limit"))
            return try await shortPool.run {
                let jobs = try warehouse.listJobs(
                    table: table, kind: kind, state: try state.map { try JobRow.State(checking: $0) },
                    limit: try Self.limit(limit))
                return JSONResponse.make(["jobs": .array(jobs.map(\.json))])
            }
        }
        router.get("/v1/jobs/:id") { _, context in
            let id = try context.parameters.text("id")
            return try await shortPool.run { JSONResponse.make(try warehouse.job(id).json) }
        }
        router.delete("/v1/jobs/:id") { _, context in try await cancel(context) }
        router.post("/v1/jobs/:id/cancel") { _, context in try await cancel(context) }
    }

    /// 200 when the job is cancelled, 202 when it will be at its next checkpoint.
    private func cancel(_ context: RouteContext) async throws -> Response {
        let id = try context.parameters.text("id")
        return try await shortPool.run {
            let job = try warehouse.cancelJob(id)
            return JSONResponse.make(job.json, status: job.state == .cancelled ? .ok : .accepted)
        }
    }

    private static func limit(_ text: String?) throws -> Int {
        guard let text else { return 100 }
        guard let limit = Int(text), (1...jobsMax).contains(limit) else {
            throw FirnError(.invalidInput, "bad_limit", "\"limit\" must be 1 to \(jobsMax)")
        }
        return limit
    }
}
