import Base
import Catalog
import HTTPTypes
import Hummingbird
import Ingest
import Maintenance

/// Compaction on demand, and the schedules of tables.
struct MaintenanceRoutes {
    let warehouse: Warehouse
    let ingest: IngestService
    /// A compaction may take minutes; it has threads of its own so that short requests never wait behind it.
    private let pool = WorkerPool(name: "compact", threads: 1)

    init(warehouse: Warehouse, ingest: IngestService) {
        self.warehouse = warehouse
        self.ingest = ingest
    }

    func add(to router: Router<RouteContext>) {
        router.post("/v1/tables/:namespace/:table/compact") { _, context in
            let table = try context.table
            let report = try await pool.run {
                try MaintenanceJobs(warehouse: warehouse).compact(
                    table, isForced: true, reason: "requested over HTTP", waitMs: 90_000)
            }
            return JSONResponse.make(report.json)
        }
        let schedules = "/v1/tables/:namespace/:table/schedules"
        router.get("\(schedules)") { _, context in
            let table = try context.table
            _ = try warehouse.loadTable(table)
            let now = warehouse.environment.clock.nowMs()
            let views = try warehouse.listSchedules(table: table.description).map { try ScheduleView($0, nowMs: now) }
            return JSONResponse.make(["schedules": .array(views.map(\.json))])
        }
        router.get("\(schedules)/:name") { _, context in
            let name = try context.parameters.text("name")
            return JSONResponse.make(try ScheduleView.find(name, table: try context.table, in: warehouse).json)
        }
        router.put("\(schedules)/:name") { request, context in
            let name = try context.parameters.text("name")
            let json = try await request.json()
            let members = (json.objectValue ?? []).filter { $0.key != "paused" }
            let view = try ScheduleView.set(
                try ScheduleSpec(json: .object(members)), paused: json["paused"]?.boolValue ?? false, name: name,
                table: try context.table, in: warehouse)
            return JSONResponse.make(view.json)
        }
        router.delete("\(schedules)/:name") { _, context in
            let name = try context.parameters.text("name")
            let table = try context.table
            guard try warehouse.removeSchedule(table: table.description, name: name) else {
                throw FirnError(.notFound, "schedule_not_found", "there is no schedule \"\(name)\" for \(table)")
            }
            return Response(status: .noContent)
        }
    }
}
