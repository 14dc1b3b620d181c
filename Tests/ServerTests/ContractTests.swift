import Base
import HTTPTypes
import Ingest
import Testing

@testable import Server

@Suite struct ContractTests {
    /// The embedded description and the contract file must not drift apart.
    @Test func openAPIDocumentIsTheContractFile() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let file = try PosixFileSystem().readAll("/" + root + "/Schemas/openapi.yaml")
        #expect(OpenAPIDocument.text == String(decoding: file, as: UTF8.self))
    }

    @Test func errorsHaveTheStatusThatTellsAClientWhatToDo() {
        func status(_ kind: FirnError.Kind, _ code: String = "x") -> Int {
            ErrorResponse.status(FirnError(kind, code, "")).code
        }
        #expect(status(.invalidInput) == 400)
        #expect(status(.notFound) == 404)
        #expect(status(.conflict) == 409)
        #expect(status(.fenced) == 409)
        #expect(status(.overloaded) == 429)
        #expect(status(.storageFull) == 507)
        #expect(status(.limitExceeded) == 413)
        #expect(status(.internal) == 500)
        #expect(status(.invalidInput, "all_records_rejected") == 422)
        #expect(status(.invalidInput, "unsupported_media_type") == 415)
        #expect(status(.overloaded, "shutting_down") == 503)
    }

    @Test func anOverloadedServerSaysWhenToComeBack() {
        let response = ErrorResponse.make(FirnError(.overloaded, "memory_limit", "full"))
        #expect(response.headers[.retryAfter] == "1")
        #expect(response.headers[.contentType] == "application/problem+json")
    }

    @Test func producerHeadersAreReadStrictly() throws {
        var headers = HTTPFields()
        #expect(try RecordRoutes.stamp(headers) == .none)
        headers[.firnSequence] = "1"
        #expect(throws: FirnError.self) { try RecordRoutes.stamp(headers) }
        headers[.firnProducer] = "p"
        #expect(try RecordRoutes.stamp(headers) == .sequence(producer: "p", epoch: 0, sequence: 1))
        headers[.firnEpoch] = "7"
        #expect(try RecordRoutes.stamp(headers) == .sequence(producer: "p", epoch: 7, sequence: 1))
        headers[.firnSequence] = "1.5"
        #expect(throws: FirnError.self) { try RecordRoutes.stamp(headers) }
        headers[.firnSequence] = "2"
        headers[.idempotencyKey] = "k"
        #expect(throws: FirnError.self) { try RecordRoutes.stamp(headers) }
    }

    @Test func contentTypesAndCodings() throws {
        #expect(try RecordRoutes.format(nil) == .ndjson)
        #expect(try RecordRoutes.format("application/json; charset=utf-8") == .json)
        #expect(throws: FirnError.self) { try RecordRoutes.format("text/xml") }
        #expect(try ContentCoding(header: "identity") == nil)
        #expect(try ContentCoding(header: "GZIP") == .gzip)
        #expect(throws: FirnError.self) { try ContentCoding(header: "gzip, zstd") }
    }
}
