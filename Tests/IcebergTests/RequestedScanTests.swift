import Base
import Columnar
import Storage
import Synchronization
import Testing

@testable import Iceberg

@Suite struct RequestedScanTests {
    private static let byName = PartitionSpec(
        fields: [PartitionField(sourceId: 4, name: "name", transform: .identity)])

    private func request(_ text: String) throws -> ScanRequest {
        try ScanRequest(json: try JSONValue(parsing: text, source: "test"))
    }

    private func scan(_ table: TestTable, _ text: String, _ bounds: RequestedScan.Bounds? = nil) throws -> RequestedScan
    {
        try RequestedScan(try request(text), of: table.metadata, bounds: bounds ?? RequestedScan.Bounds())
    }

    private func names(_ page: ScanPage) -> [String] {
        page.tasks.map { String($0.dataFile.path.lastPathComponent.dropLast(8)) }
    }

    /// Every page of a plan, in the order in which a client would ask, and how many there were.
    private func all(
        _ table: TestTable, _ text: String, _ bounds: RequestedScan.Bounds
    ) throws -> (names: [String], pages: Int) {
        let first = try scan(table, text, bounds).plan(store: table.store)
        #expect(first.tasks.count <= bounds.tasksMax && first.planTasks.count <= bounds.planTasksMax + 1)
        var found = names(first)
        var open = first.planTasks
        var pages = 1
        while !open.isEmpty {
            let page = try RequestedScan.page(
                of: open.removeFirst(), metadata: table.metadata, bounds: bounds, store: table.store)
            #expect(page.tasks.count <= bounds.tasksMax)
            found += names(page)
            open += page.planTasks
            pages += 1
        }
        return (found, pages)
    }

    /// `commits` manifests of `files` each; file `c-f` has the name `n<c>` and ids around 100·c.
    private func table(commits: Int, files: Int, spec: PartitionSpec = byName) throws -> TestTable {
        let table = try TestTable(spec: spec)
        for commit in 0..<commits {
            try table.append(
                (0..<files).map { file in
                    table.file(
                        "\(commit)-\(file)", partition: spec.fields.isEmpty ? [] : [.string("n\(commit)")],
                        bounds: [1: (.long(Int64(commit * 100)), .long(Int64(commit * 100 + 9)))])
                })
        }
        return table
    }

    @Test func everyFileIsInOnePage() throws {
        let table = try table(commits: 7, files: 5)
        let expected = (0..<7).flatMap { commit in (0..<5).map { "\(commit)-\($0)" } }.sorted()
        for (tasks, plans) in [(1, 1), (1, 64), (3, 2), (5, 3), (10, 1), (12, 64), (1000, 64)] {
            var bounds = RequestedScan.Bounds()
            (bounds.tasksMax, bounds.planTasksMax) = (tasks, plans)
            let (names, pages) = try all(table, "{}", bounds)
            #expect(names.sorted() == expected, "\(tasks) tasks, \(plans) plan tasks")
            #expect(pages >= (35 + tasks - 1) / tasks)
        }
    }

    /// A request reads the manifests of its page, and the list.
    @Test func aPageReadsItsOwnManifests() throws {
        let table = try table(commits: 6, files: 4)
        var bounds = RequestedScan.Bounds()
        bounds.tasksMax = 4
        let store = ReadLog(table.store)
        let first = try scan(table, "{}", bounds).plan(store: store)
        #expect(first.tasks.count == 4 && first.planTasks.count == 5)
        #expect(store.reads.withLock { $0.filter { $0.hasSuffix("-m0.avro") } }.count == 1)
    }

    @Test func partitionsAndBoundsPrune() throws {
        let table = try table(commits: 4, files: 2)
        let filter = #"{"filter":{"type":"eq","term":"name","value":"n2"}}"#
        let page = try scan(table, filter).plan(store: table.store)
        #expect(names(page).sorted() == ["2-0", "2-1"])
        #expect(page.planTasks.isEmpty)
        let byBounds = try scan(table, #"{"filter":{"type":"lt","term":"id","value":100}}"#).plan(store: table.store)
        #expect(names(byBounds).sorted() == ["0-0", "0-1"])
        let none = try scan(table, #"{"filter":false}"#).plan(store: table.store)
        #expect(none.members.map(\.key) == ["file-scan-tasks"])
        #expect(none.members[0].value == [])
    }

    /// What bounds cannot say: the partition's own value, and that no value is NaN.
    @Test func whatIsLeftPrunesToo() throws {
        let table = try table(commits: 3, files: 1)
        let filter = #"{"filter":{"type":"not-starts-with","term":"name","value":"n1"}}"#
        #expect(names(try scan(table, filter).plan(store: table.store)).sorted() == ["0-0", "2-0"])
        let numbers = try TestTable()
        var (none, some) = (numbers.file("none"), numbers.file("some"))
        (none.nanValueCounts, some.nanValueCounts) = ([3: 0], [3: 2])
        try numbers.append([none, some, numbers.file("unknown")])
        let isNaN = #"{"filter":{"type":"is-nan","term":"price"}}"#
        #expect(names(try scan(numbers, isNaN).plan(store: numbers.store)).sorted() == ["some", "unknown"])
    }

    @Test func residualsKnowThePartition() throws {
        let table = try table(commits: 2, files: 1)
        let filter = """
            {"filter":{"type":"or","left":{"type":"eq","term":"name","value":"n0"},
                       "right":{"type":"lt","term":"id","value":105}}}
            """
        let page = try scan(table, filter).plan(store: table.store)
        let tasks = page.members.first { $0.key == "file-scan-tasks" }!.value.arrayValue!
        let residuals = Dictionary(
            uniqueKeysWithValues: zip(names(page), tasks.map { $0["residual-filter"]! }))
        #expect(residuals == ["0-0": true, "1-0": ["type": "lt", "term": "id", "value": 105]])
    }

    @Test func filesInTheProtocolsForm() throws {
        let table = try TestTable(spec: TestTable.byDay)
        var file = table.file(
            "a", partition: [.date(17486)], bounds: [1: (.long(1), .long(2)), 3: (.double(0), .double(1))])
        file.sortOrderId = 0
        try table.append([file])
        var deletes = DataFile(
            content: .positionDeletes, path: "file:///w/t/data/a-deletes.parquet", partition: [.date(17486)],
            recordCount: 1, fileBytes: 10)
        deletes.referencedDataFile = file.path
        try table.addDeletes(deletes)
        let members = try scan(table, #"{"stats-fields":["id","nothing"]}"#).plan(store: table.store).members
        #expect(members.map(\.key) == ["delete-files", "file-scan-tasks"])
        #expect(
            JSONValue.object(members).text == """
                {"delete-files":[{"spec-id":0,"partition":["2017-11-16"],"content":"position-deletes",\
                "file-path":"file:///w/t/data/a-deletes.parquet","file-format":"parquet","file-size-in-bytes":10,\
                "record-count":1,"referenced-data-file":"file:///w/t/data/a.parquet"}],\
                "file-scan-tasks":[{"data-file":{"spec-id":0,"partition":["2017-11-16"],"content":"data",\
                "file-path":"file:///w/t/data/a.parquet","file-format":"parquet","file-size-in-bytes":1000,\
                "record-count":10,"value-counts":{"keys":[1],"values":[10]},\
                "null-value-counts":{"keys":[1],"values":[0]},\
                "lower-bounds":{"keys":[1],"values":["0100000000000000"]},\
                "upper-bounds":{"keys":[1],"values":["0200000000000000"]},"split-offsets":[4],"sort-order-id":0},\
                "delete-file-references":[0],"residual-filter":true}]}
                """)
        let plain = try scan(table, "{}").plan(store: table.store).members
        #expect(plain[1].value.arrayValue?[0]["data-file"]?["lower-bounds"] == nil)
    }

    @Test func snapshotsAndAppends() throws {
        let table = try table(commits: 3, files: 1)
        let ids = table.snapshots.map(\.snapshotId)
        #expect(names(try scan(table, "{\"snapshot-id\":\(ids[0])}").plan(store: table.store)) == ["0-0"])
        let range = "{\"start-snapshot-id\":\(ids[0]),\"end-snapshot-id\":\(ids[2])}"
        #expect(names(try scan(table, range).plan(store: table.store)) == ["1-0", "2-0"])
        #expect(names(try scan(table, "{\"end-snapshot-id\":\(ids[1])}").plan(store: table.store)) == ["0-0", "1-0"])
        var bounds = RequestedScan.Bounds()
        bounds.tasksMax = 1
        #expect(try all(table, range, bounds) == (["1-0", "2-0"], 2))
        let backwards = "{\"start-snapshot-id\":\(ids[2]),\"end-snapshot-id\":\(ids[0])}"
        #expect(code { _ = try scan(table, backwards).plan(store: table.store) } == "not_an_ancestor")
        for text in [
            "{\"snapshot-id\":5}", "{\"end-snapshot-id\":5}", "{\"start-snapshot-id\":5,\"end-snapshot-id\":\(ids[0])}",
        ] {
            #expect(code { _ = try scan(table, text) } == "unknown_snapshot")
        }
        let empty = try TestTable()
        #expect(try scan(empty, "{}").plan(store: empty.store).tasks.isEmpty)
    }

    @Test func fewerFilesDoForFewRows() throws {
        let table = try table(commits: 5, files: 2)
        #expect(try scan(table, #"{"min-rows-requested":15}"#).plan(store: table.store).tasks.count == 2)
        #expect(try scan(table, #"{"min-rows-requested":1000}"#).plan(store: table.store).tasks.count == 10)
        #expect(try scan(table, #"{"min-rows-requested":0}"#).plan(store: table.store).tasks.count == 10)
        // Rows that the filter may drop do not count.
        let filtered = #"{"min-rows-requested":5,"filter":{"type":"gt","term":"id","value":-1}}"#
        #expect(try scan(table, filtered).plan(store: table.store).tasks.count == 10)
        var bounds = RequestedScan.Bounds()
        bounds.tasksMax = 2
        let page = try scan(table, #"{"min-rows-requested":5}"#, bounds).plan(store: table.store)
        #expect(page.tasks.count == 1 && page.planTasks.isEmpty)
    }

    /// Large filters come back with every task and plan task, so there are fewer of these.
    @Test func answersStayBoundedWhateverTheFilter() throws {
        let table = try table(commits: 6, files: 10)
        func filter(_ count: Int) -> String {
            let values = (0..<count).map { "\"value-\($0)\"" }.joined(separator: ",")
            return "{\"filter\":{\"type\":\"not-in\",\"term\":\"name\",\"values\":[\(values)]}}"
        }
        let page = try scan(table, filter(20_000)).plan(store: table.store)
        // Not all sixty at once: three manifests now, three later.
        #expect(page.tasks.count == 30 && page.planTasks.count == 1)
        #expect(JSONValue.object(page.members).serialize().count < 16 << 20)
        #expect(code { _ = try request(filter(90_000)) } == "filter_too_large")
    }

    @Test func planTasksAreChecked() throws {
        let table = try table(commits: 4, files: 1)
        var bounds = RequestedScan.Bounds()
        bounds.tasksMax = 1
        let filter = #"{"filter":{"type":"not-null","term":"id"},"stats-fields":["id"],"use-snapshot-schema":true}"#
        let task = try scan(table, filter, bounds).plan(store: table.store).planTasks[0]
        func page(_ text: String, of metadata: TableMetadata? = nil) -> String {
            code { _ = try RequestedScan.page(of: text, metadata: metadata ?? table.metadata, store: table.store) }
        }
        #expect(page(task) == "")
        #expect(page(String(task.dropLast())) == "plan_task_not_found")
        #expect(page(task.replacing("\"offset\":0", with: "\"offset\":1")) == "plan_task_not_found")
        for text in ["", "x", String(repeating: "0", count: 5000)] { #expect(page(text) == "plan_task_not_found") }
        let parsed = try PlanTask(task, table: table.metadata.tableUUID)
        #expect(parsed.text == task)
        var other = parsed
        other.table = UUID(high: 7, low: 7)
        #expect(page(other.text) == "plan_task_not_found")
        other = parsed
        other.manifests = 0..<5
        #expect(page(other.text) == "plan_task_not_found")
        other = parsed
        other.offset = Int.max
        #expect(try RequestedScan.page(of: other.text, metadata: table.metadata, store: table.store).tasks.isEmpty)
        // A snapshot that has expired meanwhile.
        #expect(page(task, of: try TestTable().metadata) == "plan_task_not_found")
    }

    @Test func planIdsTellWhatWasPlanned() throws {
        let table = try table(commits: 1, files: 1)
        let id = try scan(table, "{}").planId
        #expect(id != (try scan(table, #"{"filter":false}"#).planId))
        #expect(RequestedScan.isPlanId(id, of: table.metadata))
        for text in ["", "1-0123456789abcdef", id + "0", id.replacing("-", with: ""), "0-0123456789abcdef"] {
            #expect(!RequestedScan.isPlanId(text, of: table.metadata), "\(text)")
        }
    }

    @Test(
        arguments: [
            "[]", #"{"snapshot-id":"x"}"#, #"{"snapshot-id":1,"end-snapshot-id":2}"#, #"{"start-snapshot-id":1}"#,
            #"{"select":"a"}"#, #"{"select":[1]}"#, #"{"stats-fields":{}}"#, #"{"case-sensitive":1}"#,
            #"{"use-snapshot-schema":"yes"}"#, #"{"min-rows-requested":"many"}"#,
        ])
    func requestsAreReadStrictly(text: String) {
        #expect(code { _ = try request(text) } == "bad_scan_request")
    }
}

/// Notes which objects are read.
private final class ReadLog: ObjectStore {
    private let inner: any ObjectStore
    let reads = Mutex<[String]>([])

    init(_ inner: any ObjectStore) { self.inner = inner }

    func get(_ location: String) throws -> [UInt8] {
        reads.withLock { $0.append(location) }
        return try inner.get(location)
    }
    func put(_ location: String, _ bytes: [UInt8]) throws { try inner.put(location, bytes) }
    func putStream(_ location: String) throws -> any ObjectSink { try inner.putStream(location) }
    func read(_ location: String, range: Range<Int>) throws -> [UInt8] { try inner.read(location, range: range) }
    func size(_ location: String) throws -> Int? { try inner.size(location) }
    func delete(_ location: String) throws { try inner.delete(location) }
    func list(_ prefix: String) throws -> [String] { try inner.list(prefix) }
}
