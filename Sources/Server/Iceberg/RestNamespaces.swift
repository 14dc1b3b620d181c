import Base
import Catalog
import HTTPTypes
import Hummingbird

/// Namespaces: list, create, describe, change, drop.
struct RestNamespaces {
    let service: RestService

    private var warehouse: Warehouse { service.warehouse }

    var endpoints: [RestEndpoint] {
        let all = "/v1/{prefix}/namespaces"
        let one = all + "/{namespace}"
        return [
            RestEndpoint(.get, all) { try await list($0) },
            RestEndpoint(.post, all) { try await create($0) },
            RestEndpoint(.get, one) { call in
                let name = try call.namespace
                return try await service.reads.run {
                    JSONResponse.make(Self.json(name, try warehouse.namespaceProperties(name)))
                }
            },
            RestEndpoint(.head, one) { call in
                let name = try call.namespace
                return try await service.reads.run {
                    Response(status: try warehouse.namespaceExists(name) ? .noContent : .notFound)
                }
            },
            RestEndpoint(.delete, one) { call in
                let name = try call.namespace
                return try await service.change(call, status: .noContent) { _, request in
                    try warehouse.dropNamespace(name, request: request)
                    return .nothing
                }
            },
            RestEndpoint(.post, one + "/properties") { try await change($0) },
        ]
    }

    private func list(_ call: RestCall) async throws -> Response {
        let page = try RestPage(call)
        let parent = try call.query("parent").map { $0.isEmpty ? [] : try RestCall.namespace($0) } ?? []
        return try await service.reads.run {
            let (names, next) = page.cut(try warehouse.listNamespaces(under: parent)) { $0[$0.count - 1] }
            return JSONResponse.make([
                "namespaces": .array(names.map(Self.json)), "next-page-token": next.map { .string($0) } ?? .null,
            ])
        }
    }

    private func create(_ call: RestCall) async throws -> Response {
        try await service.change(call) { json, request in
            let name = try RestBody.namespace(json, "namespace")
            let properties = try RestBody.strings(json, "properties")
            let answer = Self.json(name, properties)
            try warehouse.createNamespace(name, properties: properties, request: request, answer: answer.serialize())
            return .json(answer)
        }
    }

    private func change(_ call: RestCall) async throws -> Response {
        let name = try call.namespace
        return try await service.change(call) { json, request in
            let set = try RestBody.strings(json, "updates")
            let remove = Set(try RestBody.texts(json, "removals"))
            if let both = set.keys.sorted().first(where: remove.contains) {
                throw FirnError(.invalidInput, "property_set_and_removed", "\"\(both)\" is both set and removed")
            }
            return .json(
                try warehouse.changeNamespaceProperties(name, set: set, remove: remove, request: request).json)
        }
    }

    private static func json(_ name: [String]) -> JSONValue { .array(name.map { .string($0) }) }

    private static func json(_ name: [String], _ properties: [String: String]) -> JSONValue {
        ["namespace": json(name), "properties": JSONValue(strings: properties)]
    }
}

/// Members of request bodies, strictly.
enum RestBody {
    static func bad(_ member: String, _ what: String) -> FirnError {
        FirnError(.invalidInput, "bad_member", "\"\(member)\" must be \(what)", context: ["member": member])
    }

    static func text(_ json: JSONValue, _ member: String) throws(FirnError) -> String {
        guard let text = json[member]?.stringValue else { throw bad(member, "a string") }
        return text
    }

    /// Nil for a member that is missing or null.
    static func optionalText(_ json: JSONValue, _ member: String) throws(FirnError) -> String? {
        guard let value = json[member], !value.isNull else { return nil }
        guard let text = value.stringValue else { throw bad(member, "a string") }
        return text
    }

    /// False for a member that is missing or null.
    static func flag(_ json: JSONValue, _ member: String) throws(FirnError) -> Bool {
        guard let value = json[member], !value.isNull else { return false }
        guard let flag = value.boolValue else { throw bad(member, "true or false") }
        return flag
    }

    static func texts(_ json: JSONValue, _ member: String) throws(FirnError) -> [String] {
        guard let value = json[member], !value.isNull else { return [] }
        guard let items = value.arrayValue else { throw bad(member, "a list of strings") }
        return try items.map { item throws(FirnError) in
            guard let text = item.stringValue else { throw bad(member, "a list of strings") }
            return text
        }
    }

    static func strings(_ json: JSONValue, _ member: String) throws(FirnError) -> [String: String] {
        guard let value = json[member], !value.isNull else { return [:] }
        guard let members = value.objectValue else { throw bad(member, "an object of strings") }
        var strings: [String: String] = [:]
        for item in members {
            guard let text = item.value.stringValue else { throw bad(member, "an object of strings") }
            strings[item.key] = text
        }
        return strings
    }

    static func namespace(_ json: JSONValue, _ member: String) throws(FirnError) -> [String] {
        let levels = try texts(json, member)
        guard !levels.isEmpty else { throw bad(member, "a list of names") }
        return levels
    }

    /// `{"namespace": [...], "name": "..."}`
    static func identifier(_ json: JSONValue?, _ member: String) throws(FirnError) -> TableIdentifier {
        guard let json, json.objectValue != nil else { throw bad(member, "a table identifier") }
        return try TableIdentifier(existing: try namespace(json, "namespace"), name: try text(json, "name"))
    }
}
