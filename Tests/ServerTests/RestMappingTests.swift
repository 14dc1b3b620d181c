import Base
import Catalog
import HTTPTypes
import Iceberg
import Testing

@testable import Server

/// What the REST catalog makes of requests and for answers, without a server around it.
@Suite struct RestMappingTests {
    private func answer(
        _ kind: FirnError.Kind, _ code: String = "x", _ scope: RestError.Scope = .other
    ) -> String {
        let error = RestError(FirnError(kind, code, "why"), scope: scope)
        return "\(error.status.code) \(error.type)"
    }

    @Test func errorsSayWhatAClientShouldDo() {
        #expect(answer(.invalidInput) == "400 BadRequestException")
        #expect(answer(.notFound, "table_not_found") == "404 NoSuchTableException")
        #expect(answer(.notFound, "namespace_not_found") == "404 NoSuchNamespaceException")
        #expect(answer(.notFound, "view_not_found") == "404 NoSuchViewException")
        #expect(answer(.unsupported) == "406 UnsupportedOperationException")
        #expect(answer(.alreadyExists) == "409 AlreadyExistsException")
        #expect(answer(.conflict, "namespace_not_empty") == "409 NamespaceNotEmptyException")
        #expect(answer(.conflict, "requirement_failed", .commit) == "409 CommitFailedException")
        #expect(answer(.conflict, "stale_sequence_number", .commit) == "409 CommitFailedException")
        #expect(answer(.conflict, "stale_row_id", .commit) == "409 CommitFailedException")
        #expect(answer(.invalidInput, "idempotency_key_reused") == "422 UnprocessableEntityException")
        #expect(answer(.overloaded) == "503 SlowDownException")
        #expect(answer(.io) == "500 InternalServerError")
    }

    /// A client keeps its files after a 5xx, so only an unknown outcome may be one.
    @Test func aCommitIsUnknownOnlyWhenItIs() {
        for kind in FirnError.Kind.allCases {
            let error = RestError(FirnError(kind, "x", "why"), scope: .commit)
            #expect((error.status.code >= 500) == (kind == .outcomeUnknown), "\(kind)")
        }
        #expect(answer(.outcomeUnknown, "x", .commit) == "500 CommitStateUnknownException")
        struct Other: Error {}
        #expect(RestError(Other(), scope: .commit).type == "CommitStateUnknownException")
    }

    @Test func onlyDefiniteRefusalsAreKept() {
        func isDefinite(_ kind: FirnError.Kind, _ code: String = "x") -> Bool {
            RestError(FirnError(kind, code, "why"), scope: .commit).isDefinite
        }
        for kind in [FirnError.Kind.invalidInput, .notFound, .alreadyExists, .conflict] { #expect(isDefinite(kind)) }
        for kind in [FirnError.Kind.io, .storageFull, .overloaded, .cancelled, .outcomeUnknown] {
            #expect(!isDefinite(kind), "\(kind)")
        }
        #expect(!isDefinite(.invalidInput, "idempotency_key_reused"))
    }

    @Test func anErrorsBodyIsTheProtocols() {
        let error = RestError(FirnError(.overloaded, "x", "why"))
        #expect(error.json.text == #"{"error":{"message":"why","type":"SlowDownException","code":503}}"#)
        #expect(error.response().headers[.retryAfter] == "1")
        #expect(error.response(isHead: true).body.contentLength == 0)
    }

    @Test func anEndpointIsServedWithAndWithoutPrefix() {
        let table = RestEndpoint(.get, "/v1/{prefix}/namespaces/{namespace}/tables/{table}") { _ in
            JSONResponse.make(.null)
        }
        #expect(table.name == "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}")
        #expect(
            table.routes == [
                "/iceberg/v1/namespaces/{namespace}/tables/{table}",
                "/iceberg/v1/{prefix}/namespaces/{namespace}/tables/{table}",
            ])
        let config = RestEndpoint(.get, "/v1/config", isListed: false) { _ in JSONResponse.make(.null) }
        #expect(config.routes == ["/iceberg/v1/config"])
        #expect(RestConfig(endpoints: [table, config]).json["endpoints"] == [.string(table.name)])
        #expect(RestConfig(endpoints: []).json["idempotency-key-lifetime"] == "PT30M")
    }

    @Test func namespacesArePartedByTheUnitSeparator() throws {
        #expect(try RestCall.namespace("a") == ["a"])
        #expect(try RestCall.namespace("a\u{1f}b c") == ["a", "b c"])
        for text in ["", "\u{1f}", "a\u{1f}", "a.b", "a\0b", String(repeating: "x", count: 256)] {
            #expect(throws: FirnError.self, "\(text)") { try RestCall.namespace(text) }
        }
    }

    @Test func pagesFollowEachOther() throws {
        let names = ["b", "a", "d", "c"]
        func page(_ token: String?, _ size: String?) throws -> (items: [String], next: String?) {
            try RestPage(token: token, size: size).cut(names) { $0 }
        }
        #expect(try page(nil, "1") == (["a", "b", "c", "d"], nil))
        #expect(try page("", "3") == (["a", "b", "c"], "c"))
        #expect(try page("c", "3") == (["d"], nil))
        #expect(try page("", "4") == (["a", "b", "c", "d"], nil))
        #expect(try page("bb", nil) == (["c", "d"], nil))
        #expect(try page("z", nil) == ([], nil))
        for size in ["0", "-1", "x", "1.5"] { #expect(throws: FirnError.self) { try page("", size) } }
    }

    @Test func tagsDifferByFileAndForm() {
        let tag = RestTableAnswer.tag("file:///a", .all)
        #expect(tag != RestTableAnswer.tag("file:///b", .all))
        #expect(tag != RestTableAnswer.tag("file:///a", .refs))
        #expect(tag == RestTableAnswer.tag("file:///a", .all))
        for header in [tag, "W/" + tag, "\"x\", \(tag)", " \(tag) ,\"y\""] {
            #expect(RestTableAnswer.matches(tag, ifNoneMatch: header), "\(header)")
        }
        for header in [nil, "", "\"x\"", String(tag.dropLast())] {
            #expect(!RestTableAnswer.matches(tag, ifNoneMatch: header))
        }
        #expect(!RestTableAnswer.matches(nil, ifNoneMatch: tag))
    }

    @Test func compressionIsOnlyForThoseWhoAsk() {
        for header in ["gzip", "deflate, gzip", "GZIP;q=0.5", "gzip; q=1"] {
            #expect(RestTableAnswer.acceptsGzip(header), "\(header)")
        }
        for header in [nil, "", "identity", "gzip;q=0", "br, gzip; q=0.0", "xgzip"] {
            #expect(!RestTableAnswer.acceptsGzip(header))
        }
    }

    @Test func commitsAreReadStrictly() throws {
        let id = try TableIdentifier(parsing: "a.b")
        func change(_ text: String) throws -> TableTransaction {
            try RestCommits.change(try JSONValue(parsing: text, source: ""), of: id)
        }
        #expect(try !change("{}").creates)
        let creation = try change(#"{"requirements":[{"type":"assert-create"}],"updates":[],"identifier":null}"#)
        #expect(creation.creates && creation.updates.isEmpty)
        #expect(try change(#"{"identifier":{"namespace":["a"],"name":"b"}}"#).identifier == id)
        for text in [
            "[]", "1", #"{"identifier":{"namespace":["a"],"name":"c"}}"#, #"{"identifier":"a.b"}"#,
            #"{"updates":{}}"#, #"{"updates":"x"}"#, #"{"updates":[null]}"#, #"{"requirements":{}}"#,
            #"{"requirements":[{}]}"#,
        ] { #expect(throws: FirnError.self, "\(text)") { try change(text) } }
    }

    @Test func aTablesShapeIsReadStrictly() throws {
        let column = #"{"id":1,"name":"a","required":true,"type":"long"}"#
        func shape(_ fields: String, _ rest: String = "") throws -> RestTableShape {
            let text = #"{"schema":{"type":"struct","fields":[\#(fields)]}\#(rest)}"#
            return try RestTableShape(try JSONValue(parsing: text, source: ""))
        }
        let plain = try shape(column, #","properties":{"format-version":"3","uuid":"x","k":"v"},"partition-spec":null"#)
        #expect(plain.properties == ["format-version": "3", "k": "v"])
        #expect(plain.spec.fields.isEmpty && plain.sortOrder.isUnsorted && plain.location == nil)
        let other = #"{"id":1,"name":"b","required":true,"type":"long"}"#
        #expect(throws: FirnError.self) { try shape("\(column),\(other)") }
        for rest in [
            #","location":1"#, #","properties":[]"#, #","properties":{"k":1}"#, #","partition-spec":[]"#,
            #","partition-spec":{"fields":[{}]}"#, #","write-order":"x""#,
        ] { #expect(throws: FirnError.self, "\(rest)") { try shape(column, rest) } }
    }

    @Test func tokensAreGivenForTheGrantsOfStaticClients() {
        for form in [
            "grant_type=client_credentials&scope=catalog",
            "a=b&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange",
        ] { #expect(RestConfig.token(form: Array(form.utf8)).status == .ok) }
        for form in ["", "grant_type=password", "client_credentials"] {
            #expect(RestConfig.token(form: Array(form.utf8)).status == .badRequest)
        }
    }
}
