import Base
import Catalog
import Columnar
import TestSupport
import Testing

@testable import Ingest

@Suite struct EventTimeTests {
    private static let columns = """
        id long, at timestamptz, local timestamp, day date, meta struct<inner struct<at timestamp>>, late boolean,
        name string, list list<timestamp>
        """
    private static let second: Int64 = 1_000_000

    private func schema() throws -> Schema { try ShortSchema.parse(Self.columns) }

    private func policy(_ properties: [String: String]) throws -> EventTimePolicy {
        try #require(EventTimePolicy(properties: properties, schema: try schema()))
    }

    private func batch(_ records: String) throws -> RecordBatch {
        let decoded = try RecordDecoder(schema: try schema()).decode(Array(records.utf8), format: .ndjson)
        #expect(decoded.rejections == [])
        return decoded.batch
    }

    // MARK: - Policy

    @Test func readsProperties() throws {
        #expect(EventTimePolicy(properties: [:], schema: try schema()) == nil)
        let plain = try policy(["firn.event-time.column": "at"])
        #expect(plain.columnId == 2 && plain.late == .land && plain.markColumnId == nil)
        #expect(plain.allowedLatenessMs == 0 && plain.idleMs == 60_000 && plain.maxAheadMs == 86_400_000)
        let full = try policy([
            "firn.event-time.column": "meta.inner.at", "firn.event-time.allowed-lateness-ms": "5000",
            "firn.event-time.late": "mark", "firn.event-time.mark-column": "late", "firn.event-time.idle-ms": "1",
            "firn.event-time.max-ahead-ms": "2",
        ])
        #expect(full.columnId == (try schema()).field(path: "meta.inner.at")?.id)
        #expect(full.markColumnId == 6 && full.allowedLatenessMs == 5000 && full.idleMs == 1 && full.maxAheadMs == 2)
        for policy in [plain, full] {
            let bytes = policy.json.serialize()
            #expect(try EventTimePolicy(json: JSONValue(parsing: bytes, source: "test")) == policy)
        }
    }

    @Test(arguments: [
        ["column": "nope"], ["column": "name"], ["column": "meta"], ["column": "list.element"], ["column": "list"],
        ["column": "at", "late": "drop"], ["column": "at", "late": "mark"],
        ["column": "at", "late": "mark", "mark-column": "name"], ["column": "at", "late": "mark", "mark-column": "x"],
        ["column": "at", "allowed-lateness-ms": "-1"], ["column": "at", "idle-ms": "1.5"],
        ["column": "at", "max-ahead-ms": "9223372036854775807"],
    ])
    func refusesProperties(_ short: [String: String]) throws {
        let properties = Dictionary(uniqueKeysWithValues: short.map { ("firn.event-time." + $0.key, $0.value) })
        let schema = try schema()
        let error = #expect(throws: FirnError.self) { try EventTimePolicy.check(properties, schema: schema) }
        #expect(error?.code == "bad_property")
        #expect(EventTimePolicy(properties: properties, schema: schema) == nil)
    }

    @Test(arguments: [
        "{}", #"{"column":1,"late":"drop","lateness-ms":0,"idle-ms":0,"max-ahead-ms":0}"#,
        #"{"column":1,"late":"mark","lateness-ms":0,"idle-ms":0,"max-ahead-ms":0}"#,
        #"{"column":1,"late":"land","lateness-ms":-1,"idle-ms":0,"max-ahead-ms":0}"#,
        #"{"column":1,"late":"land","lateness-ms":0,"idle-ms":0,"max-ahead-ms":0,"mark-column":2}"#,
    ])
    func refusesForeignLoggedPolicies(_ text: String) throws {
        let json = try JSONValue(parsing: text, source: "test")
        let error = #expect(throws: FirnError.self) { try EventTimePolicy(json: json) }
        #expect(error?.code == "bad_settings")
    }

    @Test func checksTheSchemaPolicy() throws {
        #expect(SchemaPolicy(properties: [:]) == .strict)
        #expect(SchemaPolicy(properties: ["firn.schema.policy": "additive"]) == .additive)
        #expect(SchemaPolicy(properties: ["firn.schema.policy": "nope"]) == .strict)
        try SchemaPolicy.check(["firn.schema.policy": "propose"])
        let error = #expect(throws: FirnError.self) { try SchemaPolicy.check(["firn.schema.policy": "nope"]) }
        #expect(error?.code == "bad_property")
    }

    // MARK: - Batches

    private static let records = """
        {"id":0,"at":"1970-01-01T00:00:09Z","meta":{"inner":{"at":"1970-01-01T00:00:30"}},"day":"1970-01-02"}
        {"id":1,"at":"1970-01-01T00:00:10Z","meta":{"inner":null}}
        {"id":2,"at":null,"meta":null,"day":"1969-12-31"}
        {"id":3,"at":"1970-01-01T01:00:20+01:00","meta":{"inner":{"at":"1970-01-01T00:00:05"}},"late":true}
        {"id":4,"at":"2200-01-01T00:00:00Z","meta":{"inner":{"at":null}}}
        """

    private func ids(_ batch: RecordBatch) -> [Value] { (0..<batch.rowCount).map { batch.columns[0].value(at: $0) } }

    @Test func landCountsLateRows() throws {
        let batch = try batch(Self.records)
        let result = try policy(["firn.event-time.column": "at"])
            .apply(batch, cutoff: 10 * Self.second, nowMs: 60_000)
        #expect(result.late == [0])
        #expect(result.kept.rowCount == 5)
        #expect(result.maxEventMicros == 20 * Self.second)
        #expect(result.implausible == 1)
        let none = try policy(["firn.event-time.column": "at"]).apply(batch, cutoff: nil, nowMs: 60_000)
        #expect(none.late == [])
    }

    @Test func markFillsTheColumn() throws {
        let mark = try policy([
            "firn.event-time.column": "at", "firn.event-time.late": "mark", "firn.event-time.mark-column": "late",
        ])
        let batch = try batch(Self.records)
        let result = mark.apply(batch, cutoff: 15 * Self.second, nowMs: 60_000)
        #expect(result.late == [0, 1])
        #expect(
            (0..<5).map { result.kept.columns[5].value(at: $0) }
                == [true, true, false, false, false].map {
                    .boolean($0)
                })
        #expect(ids(result.kept) == ids(batch))
        // What a client writes there does not count, also when nothing is late.
        #expect(mark.apply(batch, cutoff: nil, nowMs: 0).kept.columns[5].value(at: 3) == .boolean(false))
    }

    @Test func deadLettersLeaveTheBatch() throws {
        let policy = try policy(["firn.event-time.column": "meta.inner.at", "firn.event-time.late": "dead-letter"])
        let result = policy.apply(try batch(Self.records), cutoff: 30 * Self.second, nowMs: 60_000)
        #expect(result.late == [3])
        #expect(ids(result.kept) == [.long(0), .long(1), .long(2), .long(4)])
        #expect(result.maxEventMicros == 30 * Self.second)
        #expect(try policy.apply(batch(""), cutoff: 0, nowMs: 0).maxEventMicros == nil)
    }

    @Test func datesCountAsTheirMidnight() throws {
        let result = try policy(["firn.event-time.column": "day"]).apply(batch(Self.records), cutoff: 0, nowMs: 0)
        #expect(result.late == [2])
        #expect(result.maxEventMicros == 86_400 * Self.second)
    }

    @Test func batchesOfOtherSchemasPass() throws {
        let other = try RecordDecoder(schema: ShortSchema.parse("x long")).decode(
            Array("{\"x\":1}".utf8), format: .json)
        let result = try policy(["firn.event-time.column": "at"]).apply(other.batch, cutoff: 0, nowMs: 0)
        #expect(result.kept.rowCount == 1 && result.late == [] && result.maxEventMicros == nil)
    }

    // MARK: - Watermarks

    @Test func theSlowestActiveProducerHoldsTheWatermark() throws {
        let policy = try policy(["firn.event-time.column": "at", "firn.event-time.idle-ms": "100"])
        var marks = Watermarks()
        #expect(marks.advance(nowMs: 0, policy: policy) == nil)
        #expect(marks.cutoff(policy) == nil)
        marks.observe(producer: "", maxEventMicros: 50, nowMs: 1)
        #expect(marks.advance(nowMs: 1, policy: policy) == 50)
        marks.observe(producer: "a", maxEventMicros: 20, nowMs: 2)
        // A new producer that is behind does not take the watermark back.
        #expect(marks.advance(nowMs: 2, policy: policy) == 50)
        marks.observe(producer: "", maxEventMicros: 90, nowMs: 3)
        #expect(marks.advance(nowMs: 3, policy: policy) == 50)
        marks.observe(producer: "a", maxEventMicros: 70, nowMs: 4)
        #expect(marks.advance(nowMs: 4, policy: policy) == 70)
        marks.observe(producer: "", maxEventMicros: 95, nowMs: 100)
        // Silence: "a" no longer counts, until it is heard again.
        #expect(marks.advance(nowMs: 105, policy: policy) == 95)
        marks.observe(producer: "a", maxEventMicros: nil, nowMs: 106)
        marks.observe(producer: "", maxEventMicros: 200, nowMs: 106)
        #expect(marks.advance(nowMs: 106, policy: policy) == 95)
        // All silent: it stays.
        #expect(marks.advance(nowMs: 10_000, policy: policy) == 95)
        let restored = Watermarks(marks: marks.marks, table: marks.table)
        #expect(restored == marks)
        #expect(marks.marks.map(\.producer) == ["", "a"])
        #expect(marks.marks.map(\.eventMicros) == [200, 70])
    }

    @Test func latenessMovesTheCutoff() throws {
        let policy = try policy(["firn.event-time.column": "at", "firn.event-time.allowed-lateness-ms": "5"])
        var marks = Watermarks()
        marks.observe(producer: "a", maxEventMicros: 20_000, nowMs: 0)
        marks.advance(nowMs: 0, policy: policy)
        #expect(marks.cutoff(policy) == 15_000)
        let lowest = Watermarks(marks: [], table: Int64.min + 1)
        #expect(lowest.cutoff(policy) == Int64.min)
    }

    @Test func rememberedProducersAreBounded() throws {
        let rows = (0..<Watermarks.producersMax + 1).map {
            WatermarkMark(producer: "p\($0)", eventMicros: 1, seenMs: Int64($0))
        }
        let marks = Watermarks(marks: rows, table: 1)
        #expect(marks.marks.count == Watermarks.producersMax * 9 / 10)
        #expect(!marks.marks.contains { $0.producer == "p0" })
        #expect(marks.marks.contains { $0.producer == "p\(Watermarks.producersMax)" })
    }

    /// Whatever producers send and when: the watermark never falls, and follows from the marks alone once restored.
    @Test(arguments: 0..<50) func neverMovesBack(_ seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed))
        let policy = try policy(["firn.event-time.column": "at", "firn.event-time.idle-ms": "50"])
        var marks = Watermarks()
        var (last, now): (Int64?, Int64) = (nil, 0)
        for _ in 0..<200 {
            now += Int64(random.next(below: 30))
            marks.observe(
                producer: "p\(random.next(below: 3))",
                maxEventMicros: random.chance(1, in: 5) ? nil : Int64(random.next(below: 1000)) + now, nowMs: now)
            if random.chance(1, in: 10) { marks = Watermarks(marks: marks.marks, table: marks.table) }
            let table = marks.advance(nowMs: now, policy: policy)
            if let last { #expect(try #require(table) >= last) }
            last = table
        }
    }
}
