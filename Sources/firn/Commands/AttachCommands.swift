import ArgumentParser
import Base
import Catalog
import Ingest

/// Tables that another Iceberg REST catalog keeps.
extension TableCommand {
    struct Attach: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Work on a table that another Iceberg REST catalog keeps.",
            discussion: """
                  firn table attach web.clicks --uri http://127.0.0.1:8181/iceberg

                Records sent to the table, compaction, row changes and queries go to it through that catalog. Its files
                have to be in a file system that is mounted here too.
                """)
        @OptionGroup var location: WarehouseOptions
        @Argument(help: "namespace.table, as it is to be called here.") var table: String
        @Option(help: "The other catalog, without /v1.") var uri: String
        @Option(help: "The warehouse to ask that catalog for.") var remoteWarehouse: String?
        @Option(help: "The table's name there. Default: the same.") var remoteTable: String?
        @Option(help: "A file with a bearer token; read again when it is refused.") var tokenFile: String?
        @Option(help: "A file with client-id:client-secret, to get tokens for (OAuth2 client credentials).")
        var credentialFile: String?
        @Option(help: "A PEM file of the certificates to trust. Default: those that the system trusts.")
        var caFile: String?
        @Option(help: "Where to get tokens. Default: URI/v1/oauth/tokens.") var tokenUri: String?
        @Option(help: "The scope to ask tokens for. Default: catalog.") var scope: String?
        @Option(name: .customLong("header"), help: "'Name: value', sent with every request; may be repeated.")
        var headers: [String] = []

        func run() throws {
            let identifier = try TableIdentifier(parsing: table)
            let remote = try remoteTable.map { try Self.remoteName($0) }
            let endpoint = RemoteEndpoint(
                uri: uri, warehouse: remoteWarehouse, tokenFile: tokenFile.map(AbsolutePath.make),
                credentialFile: credentialFile.map(AbsolutePath.make), caFile: caFile.map(AbsolutePath.make),
                tokenURI: tokenUri, scope: scope,
                headers: try Self.pairs(headers))
            let warehouse = try location.open(create: true)
            let attached = try warehouse.attach(
                identifier, to: remote ?? RemoteTableName(namespace: identifier.namespace, name: identifier.name),
                at: endpoint)
            Console.out(
                "attached \(identifier) at \(attached.metadata.location), format version "
                    + "\(attached.metadata.formatVersion), \(attached.metadata.snapshots.count) snapshots\n")
        }

        /// The rules of names here do not hold there.
        private static func remoteName(_ text: String) throws -> RemoteTableName {
            let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            guard parts.count > 1, parts.allSatisfy({ !$0.isEmpty }) else {
                throw FirnError(
                    .invalidInput, "bad_identifier", "a table's name there looks like namespace.table",
                    context: ["table": text])
            }
            return RemoteTableName(namespace: parts.dropLast(), name: parts[parts.count - 1])
        }

        private static func pairs(_ headers: [String]) throws -> [String: String] {
            var pairs: [String: String] = [:]
            for header in headers {
                let parts = header.split(separator: ":", maxSplits: 1).map(String.init)
                let isToken = parts.first?.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f } ?? false
                guard parts.count == 2, isToken, parts[1].utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
                    throw FirnError(
                        .invalidInput, "bad_header", "a header is one line like 'Name: value'",
                        context: isToken ? ["header": parts[0]] : [:])
                }
                guard !["authorization", "proxy-authorization", "cookie"].contains(parts[0].lowercased()) else {
                    throw FirnError(
                        .invalidInput, "bad_header",
                        "headers are kept in the catalog, where secrets do not belong: use --token-file",
                        context: ["header": parts[0]])
                }
                pairs[parts[0]] = String(parts[1].drop { $0 == " " })
            }
            return pairs
        }
    }

    struct Detach: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a table of another catalog go.",
            discussion: """
                Nothing changes where it is kept. While the server or its log has records for it that are not committed,
                or it is not known how the last commit ended, --force is needed, and such records may be lost.
                """)
        @OptionGroup var location: WarehouseOptions
        @Argument(help: "namespace.table, as it is called here.") var table: String
        @Flag(help: "Even if acknowledged records go with it.") var force = false

        func run() throws {
            let identifier = try TableIdentifier(parsing: table)
            let warehouse = try location.open()
            let server = LiveServer.find(warehouse: warehouse.directory)
            if !force, let server, try warehouse.attachment(of: identifier) != nil {
                try Self.commitWaiting(identifier, server)
            }
            try warehouse.detach(identifier, force: force) { table, position in
                // What a server has told us is committed need not be looked for.
                guard server == nil else { return false }
                return try LogInspector.holdsRecords(
                    in: warehouse.directory + "/wal", environment: warehouse.environment
                ) { $0 == table && $1 > position }
            }
            Console.out("detached \(identifier)\n")
        }

        private static func commitWaiting(_ table: TableIdentifier, _ server: LiveServer) throws {
            do {
                try server.flush(table)
            } catch {
                throw FirnError(
                    .conflict, "records_waiting",
                    "the server has records for \(table) that it cannot commit: \(error); try again later, or use "
                        + "--force to do without them", context: ["table": table.description], cause: error)
            }
        }
    }
}
