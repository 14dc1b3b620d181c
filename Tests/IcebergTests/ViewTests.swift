import Base
import Columnar
import Testing

@testable import Iceberg

@Suite struct ViewTests {
    static func schema(_ columns: String..., id: Int = 0) throws -> ViewSchema {
        let fields = columns.enumerated().map { index, name -> JSONValue in
            ["id": .integer(Int64(index + 1)), "name": .string(name), "required": false, "type": "string"]
        }
        return try ViewSchema(
            json: ["type": "struct", "schema-id": .integer(Int64(id)), "fields": .array(fields)], source: "test")
    }

    static func version(_ sql: String, dialects: [String] = ["spark"], schemaId: Int = -1) -> ViewVersion {
        ViewVersion(
            versionId: 7, schemaId: schemaId, timestampMs: 500,
            representations: dialects.map { ViewRepresentation(sql: sql, dialect: $0) }, defaultNamespace: ["a", "b"])
    }

    private func view(_ sql: String = "SELECT 1", dialects: [String] = ["spark"]) throws -> ViewMetadata {
        try ViewMetadata.create(
            schema: Self.schema("x"), version: Self.version(sql, dialects: dialects), location: "file:///w/a/v/",
            properties: [:], uuid: UUID(high: 1, low: 2), nowMs: 1000)
    }

    private func replacing(_ sql: String, in view: ViewMetadata, nowMs: Int64 = 2000) throws -> ViewMetadata {
        try view.applying(
            [.addViewVersion(Self.version(sql, schemaId: 0)), .setCurrentViewVersion(ViewUpdate.lastAdded)],
            nowMs: nowMs)
    }

    @Test func aNewViewHasOneVersion() throws {
        let view = try view()
        #expect(view.location == "file:///w/a/v")
        #expect(view.currentVersion.versionId == 1)
        #expect(view.currentVersion.schemaId == 0)
        #expect(view.versionLog == [ViewLogEntry(timestampMs: 500, versionId: 1)])
        #expect(try ViewMetadata.parse(try view.serialize(), source: "test") == view)
    }

    /// The text that the view specification shows, less its whitespace.
    private static let example = """
        {"view-uuid": "fa6506c3-7681-40c8-86dc-e36561f83385", "format-version": 1,
         "location": "s3://bucket/warehouse/default.db/event_agg", "current-version-id": 2,
         "properties": {"comment": "Daily event counts"},
         "versions": [
          {"version-id": 1, "timestamp-ms": 1573518431292, "schema-id": 1, "default-catalog": "prod",
           "default-namespace": ["default"], "summary": {"engine-name": "Spark", "engineVersion": "3.3.2"},
           "representations": [{"type": "sql", "sql": "SELECT 1", "dialect": "spark"}]},
          {"version-id": 2, "timestamp-ms": 1573518981593, "schema-id": 1, "default-catalog": "prod",
           "default-namespace": ["default"], "summary": {},
           "representations": [{"type": "sql", "sql": "SELECT 2", "dialect": "spark", "future": [1]},
                               {"type": "plan", "text": "…"}],
           "storage-table": {"namespace": ["default"], "name": "stored"}}],
         "schemas": [{"schema-id": 1, "type": "struct",
           "fields": [{"id": 1, "name": "event_count", "required": false, "type": "int", "doc": "Count"},
                      {"id": 2, "name": "place", "required": false, "type": "some_future_type"}]}],
         "version-log": [{"timestamp-ms": 1573518431292, "version-id": 1},
                         {"timestamp-ms": 1573518981593, "version-id": 2}]}
        """

    @Test func whatOthersWroteIsKept() throws {
        let view = try ViewMetadata.parse(Array(Self.example.utf8), source: "test")
        #expect(view.currentVersion.dialects == ["spark"])
        #expect(view.schemas[0].schema == nil)
        let written = try JSONValue(parsing: try view.serialize(), source: "test")
        let read = try JSONValue(parsing: Self.example, source: "test")
        #expect(written["schemas"] == read["schemas"])
        let (last, original) = (written["versions"]?.arrayValue?.last, read["versions"]?.arrayValue?.last)
        #expect(last?["storage-table"] == original?["storage-table"])
        #expect(last?["representations"] == original?["representations"])
        #expect(try ViewMetadata(json: written, source: "test") == view)
    }

    @Test func damageIsFound() throws {
        let good = try JSONValue(parsing: Self.example, source: "test")
        func without(_ key: String) -> JSONValue { .object(good.objectValue!.filter { $0.key != key }) }
        func with(_ key: String, _ value: JSONValue) -> JSONValue {
            .object(good.objectValue!.filter { $0.key != key } + [JSONValue.Member(key, value)])
        }
        for key in ["view-uuid", "format-version", "location", "current-version-id", "versions", "schemas"] {
            #expect(throws: FirnError.self, "\(key)") { try ViewMetadata(json: without(key), source: "test") }
        }
        let versions = good["versions"]!.arrayValue!
        let bad: [JSONValue] = [
            with("view-uuid", "x"), with("location", ""), with("current-version-id", 3), with("schemas", []),
            with("versions", .array(versions + versions)), with("versions", [1]),
            with("version-log", [["version-id": 1]]),
            [],
        ]
        for json in bad {
            #expect {
                _ = try ViewMetadata(json: json, source: "test")
            } throws: {
                ($0 as? FirnError)?.code == "bad_view_metadata"
            }
        }
        #expect {
            _ = try ViewMetadata(json: with("format-version", 2), source: "test")
        } throws: {
            ($0 as? FirnError)?.code == "view_format_version"
        }
    }

    @Test func aReplacementGetsTheNextIds() throws {
        let second = try view().applying(
            [
                .addSchema(try Self.schema("x", "y", id: 99)), .addViewVersion(Self.version("SELECT 2")),
                .setCurrentViewVersion(ViewUpdate.lastAdded),
            ], nowMs: 2000)
        #expect(second.currentVersionId == 2)
        #expect(second.currentVersion.schemaId == 1)
        #expect(second.schemas.map(\.schemaId) == [0, 1])
        #expect(second.schemas[1].json["schema-id"] == 1)
        // A version that is new became current when it was made.
        #expect(second.versionLog.map(\.timestampMs) == [500, 500])
        let back = try second.applying([.setCurrentViewVersion(1)], nowMs: 3000)
        #expect(back.versionLog.last == ViewLogEntry(timestampMs: 3000, versionId: 1))
    }

    @Test func whatIsThereAlreadyKeepsItsId() throws {
        let first = try view()
        let same = try first.applying(
            [
                .addSchema(try Self.schema("x", id: 5)), .addViewVersion(Self.version("SELECT 1")),
                .setCurrentViewVersion(ViewUpdate.lastAdded),
            ], nowMs: 2000)
        #expect(same == first)
    }

    @Test func onlySoManyVersionsAreKept() throws {
        var view = try view().applying([.setProperties(["version.history.num-entries": "3"])], nowMs: 1)
        for number in 2...6 { view = try replacing("SELECT \(number)", in: view) }
        #expect(view.versions.map(\.versionId) == [4, 5, 6])
        #expect(view.versionLog.map(\.versionId) == [4, 5, 6])
        // The current version stays however old it is; what came before a forgotten version is no history any more.
        view = try view.applying([.setCurrentViewVersion(4)], nowMs: 3000)
        for number in 7...8 {
            view = try view.applying([.addViewVersion(Self.version("SELECT \(number)", schemaId: 0))], nowMs: 1)
        }
        #expect(view.versions.map(\.versionId) == [4, 7, 8])
        #expect(view.versionLog.map(\.versionId) == [4])
        for limit in ["0", "-1", "1001", "many"] {
            #expect(
                code { _ = try view.applying([.setProperties(["version.history.num-entries": limit])], nowMs: 1) }
                    == "bad_property")
        }
    }

    @Test func theLogIsBounded() throws {
        var view = try replacing("SELECT 2", in: view())
        for turn in 0..<1100 { view = try view.applying([.setCurrentViewVersion(turn % 2 + 1)], nowMs: Int64(turn)) }
        #expect(view.versionLog.count == 1000)
        #expect(view.versionLog.last?.timestampMs == 1099)
    }

    @Test func aDialectIsNotLostByAccident() throws {
        let both = try view(dialects: ["spark", "Trino"])
        let one = ViewUpdate.addViewVersion(Self.version("SELECT 2", dialects: ["SPARK"], schemaId: 0))
        let updates = [one, .setCurrentViewVersion(ViewUpdate.lastAdded)]
        #expect(code { _ = try both.applying(updates, nowMs: 1) } == "dialect_dropped")
        let allowed = ViewUpdate.setProperties(["replace.drop-dialect.allowed": "true"])
        #expect(try both.applying([allowed] + updates, nowMs: 1).currentVersion.dialects == ["spark"])
    }

    @Test func senselessUpdatesAreRefused() throws {
        let view = try view()
        let refused: [(ViewUpdate, String)] = [
            (.assignUUID(UUID(high: 9, low: 9)), "uuid_change"), (.upgradeFormatVersion(2), "view_format_version"),
            (.setLocation(""), "bad_location"), (.setLocation("/"), "bad_location"),
            (.setCurrentViewVersion(5), "unknown_version"), (.setCurrentViewVersion(-1), "nothing_added"),
            (.addViewVersion(Self.version("SELECT 1")), "nothing_added"),
            (.addViewVersion(Self.version("SELECT 1", schemaId: 4)), "unknown_schema"),
            (.addViewVersion(Self.version("", schemaId: 0)), "bad_view_version"),
            (.addViewVersion(Self.version("SELECT 1", dialects: [], schemaId: 0)), "bad_view_version"),
            (.addViewVersion(Self.version("SELECT 1", dialects: ["a", "A"], schemaId: 0)), "bad_view_version"),
        ]
        for (update, expected) in refused {
            #expect(code { _ = try view.applying([update], nowMs: 1) } == expected, "\(update)")
        }
        let fine: [ViewUpdate] = [
            .assignUUID(view.viewUUID), .upgradeFormatVersion(1), .setProperties(["a": "1", "b": "2"]),
            .removeProperties(["b", "c"]), .setLocation("file:///w/other/"),
        ]
        let changed = try view.applying(fine, nowMs: 1)
        #expect(changed.properties == ["a": "1"])
        #expect(changed.location == "file:///w/other")
        #expect(changed.metadataFolder == "file:///w/other/metadata")
    }

    @Test func tooMuchIsRefused() throws {
        let sql = String(repeating: "x", count: ViewMetadata.bytesMax)
        #expect(code { _ = try view(sql).serialize() } == "view_too_large")
    }

    @Test func updatesAndRequirementsAreReadStrictly() throws {
        let version = Self.version("SELECT 1").json
        let good: [(JSONValue, ViewUpdate)] = [
            (
                ["action": "assign-uuid", "uuid": "00000000-0000-0001-0000-000000000002"],
                .assignUUID(UUID(high: 1, low: 2))
            ),
            (["action": "upgrade-format-version", "format-version": 1], .upgradeFormatVersion(1)),
            (["action": "set-location", "location": "x"], .setLocation("x")),
            (["action": "set-properties", "updates": ["a": "b"]], .setProperties(["a": "b"])),
            (["action": "remove-properties", "removals": ["a"]], .removeProperties(["a"])),
            (["action": "add-view-version", "view-version": version], .addViewVersion(Self.version("SELECT 1"))),
            (["action": "set-current-view-version", "view-version-id": -1], .setCurrentViewVersion(-1)),
            (["action": "add-schema", "schema": try Self.schema("x").json], .addSchema(try Self.schema("x"))),
        ]
        for (json, update) in good { #expect(try ViewUpdate(json: json) == update) }
        let bad: [(JSONValue, String)] = [
            (["action": "set-current-schema", "schema-id": 1], "unknown_update"), ([:], "bad_update"),
            (["action": "assign-uuid", "uuid": "x"], "bad_update"),
            (["action": "set-properties", "updates": ["a": 1]], "bad_update"),
            (["action": "add-view-version", "view-version": ["version-id": 1]], "bad_view_version"),
            (["action": "add-schema", "schema": ["type": "list"]], "bad_schema"),
        ]
        for (json, expected) in bad { #expect(code { _ = try ViewUpdate(json: json) } == expected, "\(json.text)") }
        #expect(code { _ = try ViewUpdate.list(json: [:]) } == "bad_update")
        #expect(
            code { _ = try ViewRequirement(json: ["type": "assert-table-uuid", "uuid": "x"]) } == "unknown_requirement")
        #expect(code { _ = try ViewRequirement(json: ["type": "assert-view-uuid", "uuid": "x"]) } == "bad_requirement")
        #expect(code { _ = try ViewRequirement.list(json: [:]) } == "bad_requirement")
        #expect(try ViewRequirement.list(json: nil).isEmpty)
        let requirement = ViewRequirement.assertViewUUID(UUID(high: 1, low: 2))
        try requirement.check(try view())
        #expect(
            code { _ = try ViewRequirement.assertViewUUID(UUID(high: 1, low: 3)).check(try view()) }
                == "requirement_failed")
    }
}
