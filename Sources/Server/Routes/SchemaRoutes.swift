import Base
import Catalog
import Columnar
import HTTPTypes
import Hummingbird
import Ingest

/// A table's schema, its history, changes by hand, and the changes that records have proposed.
struct SchemaRoutes {
    let warehouse: Warehouse
    let ingest: IngestService
    let pool: WorkerPool

    func add<Context: RequestContext>(to router: Router<Context>) {
        let schema = "/v1/tables/:namespace/:table/schema"
        router.get("\(schema)") { _, context in
            let table = try context.table
            return try await pool.run { JSONResponse.make(SchemaView(try warehouse.loadTable(table)).json) }
        }
        router.patch("\(schema)") { request, context in
            let table = try context.table
            let json = try await request.json()
            return try await pool.run { try change(table, SchemaChange(json: json)) }
        }
        router.get("\(schema)/proposals") { request, context in
            let table = try context.table
            let state = request.query("state")
            return try await pool.run { try proposals(table, state: state) }
        }
        router.post("\(schema)/proposals/:id/approve") { _, context in
            let (table, id) = (try context.table, try Self.proposalId(context.parameters))
            return try await pool.run {
                let (proposal, evolved) = try warehouse.approveProposal(table, id: id)
                ingest.schemaChanged(evolved)
                return JSONResponse.make(proposal.json)
            }
        }
        router.post("\(schema)/proposals/:id/reject") { _, context in
            let (table, id) = (try context.table, try Self.proposalId(context.parameters))
            return try await pool.run { JSONResponse.make(try warehouse.rejectProposal(table, id: id).json) }
        }
    }

    private func change(_ table: TableIdentifier, _ change: SchemaChange) throws -> Response {
        let before = try warehouse.loadTable(table)
        let after = try warehouse.evolve(table, uuid: before.metadata.tableUUID, change: change)
        ingest.schemaChanged(after)
        return JSONResponse.make(SchemaView.changed(before, after))
    }

    private func proposals(_ table: TableIdentifier, state: String?) throws -> Response {
        let wanted = try state.map { text in
            guard let state = SchemaProposal.State(rawValue: text) else {
                throw FirnError(
                    .invalidInput, "bad_state", "\"state\" must be open, approved or rejected, not \"\(text)\"")
            }
            return state
        }
        let found = try warehouse.schemaProposals(try warehouse.loadTable(table).metadata.tableUUID, state: wanted)
        return JSONResponse.make(["proposals": .array(found.map(\.json))])
    }

    private static func proposalId(_ parameters: Parameters) throws -> Int64 {
        let text = try parameters.text("id")
        guard let id = Int64(text) else {
            throw FirnError(.notFound, "proposal_not_found", "the table has no schema proposal \(text)")
        }
        return id
    }
}
