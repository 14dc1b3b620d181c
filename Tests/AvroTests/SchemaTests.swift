import Base
import Testing

@testable import Avro

@Suite struct SchemaTests {
    @Test func attributesSurvive() throws {
        let text =
            #"""
            {"type":"record","name":"r","fields":[{"name":"a","type":["null",{"type":"array","items":"long",\#
            "element-id":133}],"default":null,"field-id":132}]}
            """#
        let json = try JSONValue(parsing: text, source: "test")
        let schema = try AvroSchema(json: json, source: "test")
        #expect(schema.json == json)
        guard case .record(_, let fields) = schema.root.kind, case .union(let branches) = fields[0].type.kind else {
            Issue.record("not a record with a union")
            return
        }
        #expect(fields[0].fieldId == 132)
        #expect(branches[1].attribute("element-id") == 133)
    }

    @Test func namespacesQualifyNames() throws {
        let text =
            #"""
            {"type":"record","name":"r","namespace":"a.b","fields":[{"name":"x","type":{"type":"fixed",\#
            "name":"f","size":2}},{"name":"y","type":"f"},{"name":"z","type":"a.b.f"}]}
            """#
        let schema = try AvroSchema(parsing: Array(text.utf8), source: "test")
        #expect(Set(schema.names.keys) == ["a.b.r", "a.b.f"])
    }

    @Test(arguments: [
        #"{"type":"record","fields":[]}"#, #"{"type":"what"}"#, #""unknown""#, "[]", #"{"type":"array"}"#, "7", "{",
        #"{"type":"fixed","name":"f","size":-1}"#, #"{"type":"enum","name":"e","symbols":[]}"#,
        #"{"type":"record","name":"r","fields":[{"name":"a","type":{"type":"record","name":"r","fields":[]}}]}"#,
    ])
    func refuses(text: String) {
        #expect(throws: FirnError.self) { try AvroSchema(parsing: Array(text.utf8), source: "test") }
    }
}
