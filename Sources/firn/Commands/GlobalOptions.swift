import ArgumentParser
import Base
import Catalog
import Query
import RestCatalog

/// Where the warehouse is.
struct WarehouseOptions: ParsableArguments {
    @Option(help: "The warehouse directory. Default: FIRN_WAREHOUSE, else ./warehouse.")
    var warehouse: String?

    /// Absolute.
    var directory: String {
        let path = warehouse ?? Console.environment("FIRN_WAREHOUSE") ?? "warehouse"
        return AbsolutePath.make(path)
    }

    /// Opens the warehouse; throws `.notFound` (`warehouse_not_found`) when there is none and `create` is false.
    func open(create: Bool = false) throws -> Warehouse {
        if !create, try Environment.live.files.size(directory + "/catalog.db") == nil {
            throw FirnError(
                .notFound, "warehouse_not_found",
                "no warehouse at \(directory); start one with \"firn serve\" or \"firn table create\", or name it with --warehouse"
            )
        }
        return try Warehouse(directory: directory, environment: .live, create: create, remotes: RestConnector())
    }
}

/// Where a running server is, for the commands that can go through one.
struct ServerOptions: ParsableArguments {
    @Option(help: "Go through the server at this address. Default: FIRN_URL.")
    var url: String?

    var address: String? { url ?? Console.environment("FIRN_URL") }
}

struct OutputOptions: ParsableArguments {
    @Option(help: "table, json, ndjson, csv or markdown. Default: table on a terminal, ndjson in a pipe.")
    var output: OutputFormat?

    var format: OutputFormat { output ?? .automatic }
}

enum AbsolutePath {
    /// The path made absolute against the working directory, without `.` and `..` components.
    static func make(_ path: String) -> String {
        let whole = path.hasPrefix("/") ? path : WorkingDirectory.current + "/" + path
        var parts: [Substring] = []
        for part in whole.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }
}
