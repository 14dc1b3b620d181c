import AsyncHTTPClient
import Base
import Catalog
import Iceberg
import NIOCore
import NIOHTTP1
import Synchronization

/// One Iceberg REST catalog: what it says of itself, and its tables.
final class RestClient: RemoteCatalog {
    /// What the catalog is asked for by `/v1/config`.
    private struct Configuration {
        /// Percent-encoded, with a slash at the end where it is not empty.
        var prefix: String
        var separator: String
        var takesKeys: Bool
    }

    private let endpoint: RemoteEndpoint
    private let base: String
    private let transport: HTTPTransport
    private let tokens: RestTokens
    private let configuration = Mutex<Configuration?>(nil)

    /// Throws `.invalidInput` (`bad_endpoint`).
    init(_ endpoint: RemoteEndpoint) throws {
        self.endpoint = endpoint
        var base = endpoint.uri
        while base.hasSuffix("/") { base.removeLast() }
        if base.hasSuffix("/v1") { base.removeLast(3) }
        guard base.hasPrefix("http://") || base.hasPrefix("https://"), !base.contains("?"), !base.contains("#") else {
            throw FirnError(
                .invalidInput, "bad_endpoint", "a catalog's URI looks like http://127.0.0.1:8181/iceberg",
                context: ["uri": endpoint.uri])
        }
        self.base = base
        transport = HTTPTransport(caFile: endpoint.caFile)
        tokens = try RestTokens(endpoint, base: base, transport: transport)
    }

    // MARK: RemoteCatalog

    func load(_ table: RemoteTableName, unless tag: String?) throws -> RemoteTable? {
        do {
            let path = try path(of: table, try configured())
            let answer = try send(.GET, path, headers: tag.map { [("If-None-Match", $0)] } ?? [])
            if answer.status == 304, tag != nil { return nil }
            return try Self.table(answer, source: path)
        } catch let failure as TransportFailure {
            throw failure.unavailable(endpoint.uri)
        }
    }

    func commit(_ request: [UInt8], to table: RemoteTableName, key: UUID) throws -> RemoteTable {
        let configuration: Configuration
        do {
            configuration = try configured()
        } catch let failure as TransportFailure {
            throw failure.unavailable(endpoint.uri)
        }
        let path = try path(of: table, configuration)
        do {
            let headers = configuration.takesKeys ? [("Idempotency-Key", key.description)] : []
            let answer = try send(.POST, path, headers: headers, body: request)
            do {
                return try Self.table(answer, source: path)
            } catch let error as FirnError {
                throw Self.unknown("the catalog's answer to the commit cannot be read", error)
            }
        } catch let failure as TransportFailure {
            guard failure.mayHaveArrived else { throw failure.unavailable(endpoint.uri) }
            throw Self.unknown("the catalog gave no answer to the commit", failure)
        }
    }

    // MARK: Requests

    private func configured() throws -> Configuration {
        if let known = configuration.withLock({ $0 }) { return known }
        let query = endpoint.warehouse.map { "?warehouse=" + PercentEncoding.component($0) } ?? ""
        let answer = try send(.GET, "/v1/config" + query, headers: [])
        let json = try Self.json(answer, source: "/v1/config")
        func setting(_ key: String) -> String? {
            json["overrides"]?[key]?.stringValue ?? json["defaults"]?[key]?.stringValue
        }
        let prefix = (setting("prefix") ?? "").split(separator: "/").map { PercentEncoding.component(String($0)) + "/" }
        let made = Configuration(
            prefix: prefix.joined(), separator: setting("namespace-separator") ?? "%1F",
            takesKeys: json["idempotency-key-lifetime"]?.stringValue != nil)
        configuration.withLock { $0 = made }
        return made
    }

    private func path(of table: RemoteTableName, _ configuration: Configuration) throws -> String {
        let levels = table.namespace.map(PercentEncoding.component).joined(separator: configuration.separator)
        return "/v1/\(configuration.prefix)namespaces/\(levels)/tables/\(PercentEncoding.component(table.name))"
    }

    /// One request, and after a refused token one more. Answers of 200 and 304; all others are thrown.
    private func send(
        _ method: HTTPMethod, _ path: String, headers: [(String, String)], body: [UInt8]? = nil
    ) throws -> HTTPAnswer {
        var isRenewed = false
        while true {
            var all = headers
            all += endpoint.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
            all += [("Accept", "application/json"), ("User-Agent", "firn/" + FirnVersion.current)]
            if body != nil { all.append(("Content-Type", "application/json")) }
            let token = try tokens.current()
            if let token { all.append(("Authorization", "Bearer " + token)) }
            let answer = try transport.send(
                method, base + path, headers: all, body: body, timeout: body == nil ? .seconds(10) : .seconds(60))
            if answer.status == 200 || answer.status == 304 { return answer }
            if answer.status == 401 || answer.status == 419, !isRenewed, tokens.renew(token) {
                isRenewed = true
                continue
            }
            throw try refusal(answer, isCommit: body != nil)
        }
    }

    private func refusal(_ answer: HTTPAnswer, isCommit: Bool) throws -> any Error {
        let json = try? JSONValue(parsing: answer.body, source: "answer")
        let said = json?["error"]?["message"]?.stringValue.map { String($0.prefix(500)) }
        let reason = "\(answer.status)" + (said.map { ": " + $0 } ?? "")
        var context = ["uri": endpoint.uri, "remote-status": String(answer.status)]
        context["remote-type"] = json?["error"]?["type"]?.stringValue.map { String($0.prefix(100)) }
        switch answer.status {
        case 401, 403, 419:
            return FirnError(
                .invalidInput, "remote_refused", "the catalog does not let this warehouse in (\(reason))",
                context: context)
        case 404 where context["remote-type"]?.hasPrefix("NoSuch") == true:
            return FirnError(
                .notFound, "remote_table_not_found", "the catalog has no such table (\(reason))", context: context)
        case 409 where isCommit:
            return FirnError(
                .conflict, "remote_conflict", "another writer committed first (\(reason))", context: context)
        // A 404 of another type is the word of whatever stands before the catalog.
        case 404, 429, 500...599:
            return TransportFailure(
                "the catalog at \(endpoint.uri) answered \(reason)", mayHaveArrived: answer.status != 429)
        default:
            return FirnError(
                .invalidInput, "remote_rejected", "the catalog rejects the request (\(reason))", context: context)
        }
    }

    private static func unknown(_ message: String, _ cause: any Error) -> FirnError {
        FirnError(.outcomeUnknown, "remote_outcome_unknown", message, cause: cause)
    }

    // MARK: Answers

    private static func json(_ answer: HTTPAnswer, source: String) throws -> JSONValue {
        do {
            return try JSONValue(parsing: answer.body, source: source)
        } catch {
            throw FirnError(
                .corrupted, "remote_answer", "the catalog's answer is not JSON: \(error.message)",
                context: ["path": source], cause: error)
        }
    }

    private static func table(_ answer: HTTPAnswer, source: String) throws -> RemoteTable {
        let json = try json(answer, source: source)
        guard let location = json["metadata-location"]?.stringValue, let metadata = json["metadata"] else {
            throw FirnError(
                .corrupted, "remote_answer", "the catalog's answer lacks \"metadata-location\" or \"metadata\"",
                context: ["path": source])
        }
        return RemoteTable(
            metadataLocation: location, metadata: try TableMetadata(json: metadata, source: location),
            tag: answer.headers.first(name: "ETag"))
    }
}
