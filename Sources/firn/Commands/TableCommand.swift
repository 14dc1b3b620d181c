import ArgumentParser
import Base
import Catalog
import Iceberg
import Ingest
import Maintenance
import Query

struct TableCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "table", abstract: "Create, list, show, alter, import, rename and drop tables.",
        subcommands: [
            Create.self, List.self, Show.self, Alter.self, Partition.self, Sort.self, Rename.self, Drop.self,
            Register.self, AddFiles.self, Attach.self, Detach.self,
        ])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a table.",
            discussion: """
                The schema is a list of "name type", with "required" after a type where null is not allowed:

                  firn table create web.clicks 'id long required, ts timestamptz, price decimal(10,2),
                      device struct<os string, version string>, tags list<string>, attrs map<string, string>' \\
                      --partition 'day(ts)' --property write.target-file-size-bytes=134217728

                Types: boolean int long float double decimal(p,s) date time timestamp timestamptz string uuid \
                fixed[n] binary struct<…> list<…> map<…, …>; with --property format-version=3 also timestamp_ns \
                timestamptz_ns variant unknown, and "default VALUE" after a type. A schema that starts with { is \
                Iceberg's JSON.
                """)
        @OptionGroup var location: WarehouseOptions
        @Argument(help: "namespace.table") var table: String
        @Argument(help: "The columns, or Iceberg's schema JSON.") var schema: String
        @Option(help: "Partition terms, such as 'day(ts), country'.") var partition: String?
        @Option(help: "Sort terms, such as 'ts desc, id'.") var sort: String?
        @Option(help: "Columns that identify a row, separated by commas.") var identifier: String?
        @Option(name: .customLong("property"), help: "A table property, key=value; may be repeated.")
        var properties: [String] = []
        @Flag(help: "Succeed when the table exists already.") var ifNotExists = false

        func run() throws {
            let definition = try TableDefinition(
                identifier: TableIdentifier(parsing: table), schema: schema, partition: partition, sort: sort,
                identifierColumns: (identifier ?? "").split(separator: ",").map { $0.filter { $0 != " " } },
                properties: try Self.pairs(properties))
            try IngestPolicy.check(definition.properties, schema: definition.schema)
            let warehouse = try location.open(create: true)
            let created = try warehouse.createTable(definition, ifNotExists: ifNotExists)
            Console.out("created \(created.identifier) at \(created.metadata.location)\n")
        }

        static func pairs(_ texts: [String]) throws -> [String: String] {
            var pairs: [String: String] = [:]
            for text in texts {
                guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
                    throw ValidationError("write --property key=value, not \"\(text)\"")
                }
                pairs[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            return pairs
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the tables of the warehouse.")
        @OptionGroup var location: WarehouseOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let warehouse = try location.open()
            var printer = RowPrinter(columns: ["table", "records", "data-files", "bytes"], format: output.format)
            for identifier in try warehouse.listTables() {
                // A catalog elsewhere that does not answer is no reason to list nothing.
                let table = try warehouse.lastKnownTable(identifier)
                let summary = table.metadata.currentSnapshot?.summary ?? [:]
                func total(_ key: String) -> Cell { .integer(summary[key].flatMap { Int64($0) } ?? 0) }
                try printer.print([
                    .text(identifier.description), total("total-records"), total("total-data-files"),
                    total("total-files-size"),
                ])
            }
            try printer.finish()
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Describe a table.")
        @OptionGroup var location: WarehouseOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "namespace.table") var table: String

        func run() throws {
            let warehouse = try location.open()
            let identifier = try TableIdentifier(parsing: table)
            let summary = TableSummary(
                try warehouse.loadTable(identifier), attachment: try warehouse.attachment(of: identifier))
            // A table whose files cannot be read is still worth describing.
            let health = Result { try HealthProbe.health(of: identifier, warehouse) }
            switch output.format {
            case .table: Console.out(Self.text(summary, health))
            default:
                var json = summary.json
                if case .object(let members) = json, let health = try? health.get() {
                    json = .object(members + [.init("health", health.json)])
                }
                Console.out(json.serialize(pretty: output.format == .json) + [UInt8(ascii: "\n")])
            }
        }

        /// The summary with the health before its columns.
        private static func text(_ summary: TableSummary, _ health: Result<TableHealth, any Error>) -> String {
            let lines =
                switch health {
                case .success(let health): "health        \(health.text)\nfiles         \(health.details)\n"
                case .failure(let error): "health        unknown: \((error as? FirnError)?.message ?? "\(error)")\n"
                }
            let text = summary.text
            guard let columns = text.firstRange(of: "\ncolumns\n") else { return text + lines }
            return text[..<columns.lowerBound] + "\n" + lines + text[columns.lowerBound...].dropFirst()
        }
    }

    struct Alter: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Set or remove table properties.")
        @OptionGroup var location: WarehouseOptions
        @Argument(help: "namespace.table") var table: String
        @Option(name: .customLong("set"), help: "key=value; may be repeated.") var set: [String] = []
        @Option(name: .customLong("remove"), help: "A property to remove; may be repeated.") var remove: [String] = []

        func validate() throws {
            if set.isEmpty && remove.isEmpty { throw ValidationError("nothing to do: give --set or --remove") }
        }

        func run() throws {
            let identifier = try TableIdentifier(parsing: table)
            try location.open().updateProperties(
                identifier, set: try Create.pairs(set), remove: remove, check: IngestPolicy.check)
            Console.out("altered \(identifier)\n")
        }
    }

    struct Rename: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Rename a table; its files stay where they are.")
        @OptionGroup var location: WarehouseOptions
        @Argument(help: "namespace.table") var table: String
        @Argument(help: "The new namespace.table") var target: String

        func run() throws {
            let from = try TableIdentifier(parsing: table)
            let to = try TableIdentifier(parsing: target)
            try location.open().renameTable(from, to: to)
            Console.out("renamed \(from) to \(to)\n")
        }
    }

    struct Drop: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Drop a table and, unless --keep-files, its files.")
        @OptionGroup var location: WarehouseOptions
        @Argument(help: "namespace.table") var table: String
        @Flag(help: "Leave data and metadata files on disk.") var keepFiles = false

        func run() throws {
            let identifier = try TableIdentifier(parsing: table)
            let warehouse = try location.open()
            try warehouse.dropTable(identifier, purge: !keepFiles)
            try warehouse.collectGarbage()
            Console.out("dropped \(identifier)\n")
        }
    }
}

struct NamespaceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "namespace", abstract: "Create and list namespaces.", subcommands: [Create.self, List.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a namespace.",
            discussion: "With --auto-create-tables, the first records sent to an unknown table define it.")
        @OptionGroup var location: WarehouseOptions
        @Argument(help: "The namespace; levels are separated by dots.") var namespace: String
        @Flag(help: "Let the first records of an unknown table define it.") var autoCreateTables = false
        @Option(name: .customLong("property"), help: "key=value; may be repeated.") var properties: [String] = []

        func run() throws {
            var pairs = try TableCommand.Create.pairs(properties)
            if autoCreateTables { pairs["firn.auto-create-tables"] = "true" }
            let levels = try TableDefinition.namespace(.string(namespace))
            try location.open(create: true).createNamespace(levels, properties: pairs, ifNotExists: false)
            Console.out("created namespace \(namespace)\n")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the namespaces of the warehouse.")
        @OptionGroup var location: WarehouseOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let warehouse = try location.open()
            var printer = RowPrinter(columns: ["namespace", "properties"], format: output.format)
            for namespace in try warehouse.listNamespaces() {
                let properties = JSONValue(strings: try warehouse.namespaceProperties(namespace))
                try printer.print([.text(namespace.joined(separator: ".")), .json(properties.text)])
            }
            try printer.finish()
        }
    }
}
