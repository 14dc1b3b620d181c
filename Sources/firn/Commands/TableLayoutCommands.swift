import ArgumentParser
import Base
import Catalog
import Columnar
import Iceberg
import Query

/// How a table's rows are divided over files, and ordered within them.
extension TableCommand {
    struct Partition: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show and change how new rows are partitioned.",
            discussion: """
                  firn table partition web.clicks show
                  firn table partition web.clicks add 'bucket(16, id)'
                  firn table partition web.clicks drop 'day(ts)'
                  firn table partition web.clicks set 'day(ts), country'
                  firn table partition web.clicks rename ts_day day

                Files keep the partitions they were written with. A field to drop is named by its term or its name; \
                set '' leaves the table unpartitioned.
                """)

        enum Action: String, ExpressibleByArgument, CaseIterable { case show, add, drop, set, rename }

        @OptionGroup var location: WarehouseOptions
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "namespace.table") var table: String
        @Argument(help: "show, add, drop, set or rename.") var action: Action = .show
        @Argument(help: "Partition terms; for rename the old name and the new one.") var values: [String] = []

        func validate() throws {
            let wanted = [Action.show: 0, .rename: 2][action] ?? 1
            guard values.count == wanted else {
                throw ValidationError("\(action.rawValue) takes \(wanted) argument(s), not \(values.count)")
            }
        }

        func run() throws {
            let identifier = try TableIdentifier(parsing: table)
            let change: JSONValue
            switch action {
            case .show: return try show(identifier)
            case .rename: change = ["rename": .object([.init(values[0], .string(values[1]))])]
            default: change = .object([.init(action.rawValue, .string(values[0]))])
            }
            let parsed = try PartitionChange(json: change)
            if let address = server.address {
                let answer = try FirnClient(address).alter(identifier, ["partition": change])
                let terms = (answer["partition"]?.arrayValue ?? []).compactMap(\.stringValue).joined(separator: ", ")
                Console.out("\(identifier) is \(terms.isEmpty ? "not partitioned" : "partitioned by " + terms)\n")
            } else {
                let after = try location.open().repartition(identifier, change: parsed)
                Console.out("\(identifier) is \(SchemaView.partitioning(after))\n")
            }
        }

        private func show(_ identifier: TableIdentifier) throws {
            var printer = RowPrinter(columns: SchemaView.partitionColumnNames, format: output.format)
            for row in SchemaView.partitionFields(try location.open().loadTable(identifier)) {
                try printer.print(Cell.row(row, SchemaView.partitionColumnNames))
            }
            try printer.finish()
        }
    }

    struct Sort: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show and change the order of rows inside new files.",
            discussion: """
                  firn table sort web.clicks 'ts desc nulls last, bucket(16, id)'
                  firn table sort web.clicks none

                Without an order, the present one is shown.
                """)
        @OptionGroup var location: WarehouseOptions
        @OptionGroup var server: ServerOptions
        @Argument(help: "namespace.table") var table: String
        @Argument(help: "Sort terms, or none.") var order: String?

        func run() throws {
            let identifier = try TableIdentifier(parsing: table)
            if let order, let address = server.address {
                _ = try FirnClient(address).alter(identifier, ["sort": .string(order)])
                return Console.out("altered \(identifier)\n")
            }
            let warehouse = try location.open()
            let metadata = try (order.map { try warehouse.sort(identifier, by: $0) } ?? warehouse.loadTable(identifier))
                .metadata
            Console.out("\(identifier) sorted by \(metadata.defaultSortOrder.text(metadata.currentSchema))\n")
        }
    }
}

extension FirnClient {
    /// `PATCH /v1/tables/{ns}/{table}`
    func alter(_ identifier: TableIdentifier, _ body: JSONValue) throws -> JSONValue {
        try call(
            "PATCH", "/v1/tables/\(identifier.namespaceText)/\(identifier.name)",
            headers: ["Content-Type": "application/json"], body: body.serialize())
    }
}
