import ArgumentParser
import Base
import Catalog
import Columnar
import Query

/// `firn schema`: look at a table's schema, change it by hand, decide about the changes that records propose.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Show and change the columns of a table.",
        discussion: """
            Columns are dotted paths: device.os is a member of a struct, tags.element the elements of a list, \
            attrs.value the values of a map. Every change keeps all older snapshots and files readable.

            With the table property firn.schema.policy=additive the schema grows by itself with the records that \
            need it; with propose, what they need waits here for "firn schema approve".
            """,
        subcommands: [
            Show.self, Add.self, Drop.self, Rename.self, Move.self, Widen.self, Optional.self, Required.self,
            Doc.self, Default.self, Identifier.self, Proposals.self, Approve.self, Reject.self,
        ])

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the columns of a table, nested ones included.")
        @OptionGroup var target: SchemaTarget
        @OptionGroup var output: OutputOptions
        @Flag(help: "Show every schema the table has had, oldest first.") var history = false

        func run() throws {
            let view = try target.view()
            let current = view["schema-id"]?.intValue
            var printer = RowPrinter(columns: SchemaView.columnNames, format: output.format)
            for item in view["history"]?.arrayValue ?? [] where history || item["schema-id"]?.intValue == current {
                let schema = try Schema(json: item["schema"] ?? .null, source: "schema")
                for row in SchemaView.columns(of: schema) { try printer.print(Cell.row(row, SchemaView.columnNames)) }
            }
            try printer.finish()
        }
    }

    struct Widen: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a column a wider type.",
            discussion: """
                int becomes long, float double, and a decimal gets more digits at the same scale. In tables of format \
                version 3, date becomes timestamp or timestamp_ns, and unknown any type.
                """)
        @OptionGroup var target: SchemaTarget
        @Argument(help: "The column's path.") var column: String
        @Argument(help: "The wider type.") var type: String

        func run() throws {
            try target.change(["op": "widen", "column": .string(column), "type": .string(type)])
        }
    }

    struct Optional: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let a required column be null.")
        @OptionGroup var target: SchemaTarget
        @Argument(help: "The column's path.") var column: String

        func run() throws { try target.change(["op": "optional", "column": .string(column)]) }
    }

    struct Proposals: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the schema changes that records have asked for.")
        @OptionGroup var target: SchemaTarget
        @OptionGroup var output: OutputOptions
        @Option(help: "Only open, approved or rejected ones.") var state: String?

        func validate() throws {
            guard state == nil || SchemaProposal.State(rawValue: state ?? "") != nil else {
                throw ValidationError("--state must be open, approved or rejected")
            }
        }

        func run() throws {
            let columns = ["id", "state", "description", "records", "sample"]
            var printer = RowPrinter(columns: columns, format: output.format)
            for proposal in try target.proposals(state: state) { try printer.print(Cell.row(proposal, columns)) }
            try printer.finish()
        }
    }

    struct Approve: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make proposed changes.")
        @OptionGroup var target: SchemaTarget
        @Argument(help: "Numbers from \"firn schema proposals\".") var ids: [Int64]

        func run() throws { for id in ids { try target.decide(id, .approved) } }
    }

    struct Reject: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Turn proposed changes down; they are not proposed again.")
        @OptionGroup var target: SchemaTarget
        @Argument(help: "Numbers from \"firn schema proposals\".") var ids: [Int64]

        func run() throws { for id in ids { try target.decide(id, .rejected) } }
    }
}

/// A table's schema in the warehouse directory, or behind a server.
struct SchemaTarget: ParsableArguments {
    @OptionGroup var location: WarehouseOptions
    @OptionGroup var server: ServerOptions
    @Argument(help: "namespace.table") var table: String

    private func identifier() throws -> TableIdentifier { try TableIdentifier(parsing: table) }

    private func path(_ rest: String = "") throws -> String {
        let identifier = try identifier()
        return "/v1/tables/\(identifier.namespaceText)/\(identifier.name)/schema" + rest
    }

    /// The JSON of `SchemaView`.
    func view() throws -> JSONValue {
        if let address = server.address { return try FirnClient(address).call("GET", try path()) }
        return SchemaView(try location.open().loadTable(try identifier())).json
    }

    /// Makes one operation of a `SchemaChange` in its JSON form, and says so.
    func change(_ operation: JSONValue) throws {
        let body: JSONValue = ["operations": .array([operation])]
        let change = try SchemaChange(json: body)
        let answer: JSONValue
        if let address = server.address {
            answer = try FirnClient(address).call(
                "PATCH", try path(), headers: ["Content-Type": "application/json"], body: body.serialize())
        } else {
            let warehouse = try location.open()
            let before = try warehouse.loadTable(try identifier())
            let after = try warehouse.evolve(
                before.identifier, uuid: before.metadata.tableUUID, change: change)
            answer = SchemaView.changed(before, after)
        }
        let id = answer["schema-id"]?.intValue ?? 0
        Console.out(answer["changed"]?.boolValue == true ? "schema \(id): \(change)\n" : "nothing to change\n")
    }

    func proposals(state: String?) throws -> [JSONValue] {
        if let address = server.address {
            let query = state.map { "?state=\($0)" } ?? ""
            return try FirnClient(address).call("GET", try path("/proposals" + query))["proposals"]?.arrayValue ?? []
        }
        let warehouse = try location.open()
        let uuid = try warehouse.loadTable(try identifier()).metadata.tableUUID
        return try warehouse.schemaProposals(uuid, state: state.flatMap(SchemaProposal.State.init(rawValue:)))
            .map(\.json)
    }

    func decide(_ id: Int64, _ state: SchemaProposal.State) throws {
        let proposal: JSONValue
        if let address = server.address {
            let verb = state == .approved ? "approve" : "reject"
            proposal = try FirnClient(address).call("POST", try path("/proposals/\(id)/\(verb)"))
        } else {
            let warehouse = try location.open()
            proposal =
                switch state {
                case .approved: try warehouse.approveProposal(try identifier(), id: id).proposal.json
                default: try warehouse.rejectProposal(try identifier(), id: id).json
                }
        }
        Console.out("\(state.rawValue) \(id): \(proposal["description"]?.stringValue ?? "")\n")
    }
}
