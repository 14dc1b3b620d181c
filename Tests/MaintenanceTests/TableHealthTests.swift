import Base
import Catalog
import Columnar
import Iceberg
import Testing

@testable import Maintenance

@Suite struct TableHealthTests {
    private func files(
        _ count: Int, bytes: Int64 = 10, in partition: Int = 0, deleted: Int64 = 0
    ) -> [CompactionCandidate] {
        (0..<count).map { index in
            CompactionCandidate(
                path: "p\(partition)-\(bytes)-\(index)", specId: 0, partition: [.int(Int32(partition))],
                fileBytes: bytes, recordCount: 100, sequenceNumber: 1, deletedRecords: deleted,
                hasDeletes: deleted > 0)
        }
    }

    private func health(
        _ files: [CompactionCandidate], _ options: CompactionOptions = CompactionOptions(targetBytes: 10_000),
        history: CompactionHistory = CompactionHistory()
    ) -> TableHealth {
        let state = CompactionState(files, options: options, commits: CommitFacts(flushBytes: 10))
        return TableHealth(state, options: options, nowMs: 0, history: history)
    }

    /// Target 10,000 and files of 10: 10 files beyond the full ones, merged from 7 on.
    @Test func oneWordWithItsReason() {
        #expect(health([]).text == "empty: no data files")
        #expect(health(files(7)).word == .healthy)
        let soon = health(files(8))
        #expect(soon.text == "compacting soon: 8 files, 80 B to merge in 1 partition")
        #expect(soon.backlogFiles == 8 && soon.backlogBytes == 80 && soon.partitionsOverBound == 0)
        let backlog = health(files(12) + files(3, in: 1), CompactionOptions(isEnabled: false, targetBytes: 10_000))
        #expect(
            backlog.text == "backlog: 1 partition above the bound, the fullest with 12 files of 11"
                + "; compaction is off (firn.compaction.enabled)")
        #expect(backlog.filesMax == 12 && backlog.filesMedian == 12 && backlog.partitionsOverBound == 1)
        let dirty = health(files(1, bytes: 20_000, deleted: 40))
        #expect(dirty.text == "deletes: 1 file to rewrite without 40 or more deleted rows")
        let thin = health((0..<100).flatMap { files(1, in: $0) })
        #expect(thin.word == .fragmented && thin.partitions == 100 && thin.smallFileRatio == 1)
        #expect(health((0..<100).flatMap { files(1, bytes: 9000, in: $0) }).word == .healthy)
        var history = CompactionHistory()
        (history.failuresInARow, history.lastError) = (2, "disk full")
        #expect(health(files(1), history: history).text == "failing: the last 2 compactions failed: disk full")
    }

    @Test func historyComesFromJobs() {
        func job(_ state: JobRow.State, _ detail: String, at ms: Int64, kind: String = "compact") -> JobRow {
            JobRow(
                id: "\(ms)", table: "t.e", kind: kind, state: state, createdMs: ms, finishedMs: ms, detail: detail,
                error: state == .failed ? "bad luck" : nil)
        }
        let first = #"{"report":{"bytes-before":100,"bytes-after":90,"table-bytes-before":200}}"#
        let second = #"{"report":{"bytes-before":300,"bytes-after":270,"table-bytes-before":500}}"#
        let jobs = [
            job(.failed, "{}", at: 9), job(.done, second, at: 7), job(.done, "{}", at: 6, kind: "expire"),
            job(.failed, "{}", at: 5), job(.done, first, at: 3), job(.cancelled, "nonsense", at: 1),
        ]
        let history = CompactionHistory(jobs: jobs, tableBytes: 600)
        #expect(history.lastRunMs == 7 && history.failures == 2 && history.failuresInARow == 1)
        #expect(history.lastError == "bad luck" && history.bytesWritten == 360)
        // 200 at first, 40 lost to better compression, 600 now.
        #expect(history.bytesArrived == 440 && history.amplification == 360.0 / 440)
        #expect(CompactionHistory(jobs: [], tableBytes: 5).amplification == nil)
    }

    @Test func aForecastAddsUp() throws {
        let options = CompactionOptions(targetBytes: 10_000)
        let all = files(12) + files(3, in: 1) + files(1, bytes: 20_000, in: 2, deleted: 50)
        let state = CompactionState(all, options: options, commits: CommitFacts(flushBytes: 10))
        let plans = try CompactionPolicy.plans(
            state, options: options, nowMs: 0, request: CompactionRequest(isForced: true))
        let forecast = CompactionForecast(plans, of: state, options: options)
        #expect(forecast.filesRead == 16 && forecast.filesWritten == 3 && forecast.entriesSaved == 13)
        #expect(forecast.bytesRead == 20_150 && forecast.bytesWritten == 10_150 && forecast.rowsDropped == 50)
        #expect(forecast.places.map(\.filesBefore) == [12, 3, 1] && forecast.places.map(\.filesAfter) == [1, 1, 1])
        #expect(forecast.json["table-files-after"] == .integer(3))
        let text = forecast.text(plansMax: 1)
        #expect(text.contains("and 2 more") && text.contains("(16 -> 3), 50 deleted rows dropped"))
        #expect(CompactionForecast([], of: state, options: options).text() == "nothing to do\n")
    }
}

/// Layouts, triggers and requests.
@Suite struct CompactionRequestTests {
    private let schema = Schema(fields: [
        Field(id: 1, name: "id", required: true, type: .long), Field(id: 2, name: "day", required: false, type: .date),
        Field(
            id: 3, name: "tags", required: false,
            type: .list(ListType(elementId: 4, element: .string, elementRequired: false))),
    ])
    private let order = SortOrder(orderId: 7, fields: [SortField(sourceId: 1)])

    private var layout: TableLayout {
        TableLayout(
            specId: 1, sortOrder: order, schema: schema,
            specs: [
                PartitionSpec(specId: 0, fields: []),
                PartitionSpec(
                    specId: 1,
                    fields: [PartitionField(sourceId: 2, fieldId: 1000, name: "day", transform: .identity)]),
            ])
    }

    private func file(
        _ name: String, _ bytes: Int64, day: Int32? = nil, order: Int? = nil, sequence: Int64 = 1, shared: Int64 = 0,
        deleteFiles: Int = 0
    ) -> CompactionCandidate {
        CompactionCandidate(
            path: name, specId: day == nil ? 0 : 1, partition: day.map { [.date($0)] } ?? [], fileBytes: bytes,
            recordCount: 100, sequenceNumber: sequence, hasDeletes: deleteFiles > 0, deleteFiles: deleteFiles,
            sharedDeletedRecords: shared, sortOrderId: order)
    }

    private func plans(
        _ files: [CompactionCandidate], _ options: CompactionOptions, request: CompactionRequest = .init(),
        timesMs: [Int64] = [], nowMs: Int64 = 0
    ) throws -> [CompactionPlan] {
        let state = CompactionState(
            files, options: options, commits: CommitFacts(flushBytes: 10, timesMs: timesMs), layout: layout)
        return try CompactionPolicy.plans(state, options: options, nowMs: nowMs, request: request)
    }

    private func names(_ plans: [CompactionPlan]) -> [[String]] { plans.map { $0.files.map(\.path) } }

    @Test func onlyLargeMergesAreLaidOut() throws {
        let options = CompactionOptions(targetBytes: 1000, inputFilesMin: 2)
        let small = try plans((0..<8).map { file("s\($0)", 20) }, options)
        #expect(small.map(\.reason) == [.tier] && small[0].strategy == .binPack && small[0].outputSpecId == 0)
        let large = try plans((0..<8).map { file("l\($0)", 120) }, options)
        #expect(large[0].reason == .full && large[0].strategy == .sort(order) && large[0].outputSpecId == 1)
        let curve = CompactionOptions(targetBytes: 1000, inputFilesMin: 2, layout: .zOrder(["day", "id"]))
        #expect(try plans((0..<8).map { file("z\($0)", 120) }, curve)[0].strategy == .zOrder(fieldIds: [2, 1]))
        // A property that names what is not there counts as absent.
        let wrong = CompactionOptions(targetBytes: 1000, inputFilesMin: 2, layout: .zOrder(["nosuch"]))
        #expect(try plans((0..<8).map { file("w\($0)", 120) }, wrong)[0].strategy == .sort(order))
    }

    @Test func anOrderIsForFilesOfAnySize() throws {
        let options = CompactionOptions(targetBytes: 1000)
        let all = [file("big", 5000), file("sorted", 900, order: 7), file("small", 10, order: 7), file("x", 800)]
        let sorted = try plans(all, options, request: CompactionRequest(isForced: true, layout: .sort))
        #expect(names(sorted) == [["big", "small", "x"]] && sorted[0].expectedOutputFiles == 6)
        let curve = try plans(all, options, request: CompactionRequest(isForced: true, layout: .zOrder(["id"])))
        #expect(names(curve) == [["big", "small", "sorted", "x"]])
        let evolved = try plans(all, options, request: CompactionRequest(isForced: true, evolves: true))
        #expect(evolved.map(\.reason) == [.evolution, .evolution, .evolution, .evolution])
        let done = [file("a", 900, day: 1, order: 7), file("b", 950, day: 1, order: 7)]
        #expect(try plans(done, options, request: CompactionRequest(isForced: true, evolves: true)).isEmpty)
        #expect(try plans(done, options, request: CompactionRequest(isForced: true, layout: .sort)).isEmpty)
    }

    @Test func requestsForWhatIsNotThereAreRefused() {
        func code(_ request: CompactionRequest, _ files: [CompactionCandidate]? = nil) -> String? {
            let files = files ?? [file("a", 10, day: 1)]
            do {
                _ = try plans(files, CompactionOptions(), request: request)
                return nil
            } catch { return (error as? FirnError)?.code }
        }
        for columns in [["nosuch"], ["tags"], ["tags.element"], ["id", "id"], []] {
            #expect(code(CompactionRequest(isForced: true, layout: .zOrder(columns))) == "bad_zorder_column")
        }
        #expect(code(CompactionRequest(isForced: true, partition: "day=2020-01-01")) == "partition_not_found")
        #expect(code(CompactionRequest(isForced: true, partition: "day=1970-01-02")) == nil)
        #expect(throws: FirnError.self) { try TableLayout(schema: schema).strategy(.sort) }
    }

    @Test func requestsMayNameAPartition() throws {
        let all = (0..<3).flatMap { day in (0..<2).map { file("\(day)-\($0)", 10, day: Int32(day)) } }
        let request = CompactionRequest(isForced: true, partition: "day=1970-01-02")
        #expect(names(try plans(all, CompactionOptions(), request: request)) == [["1-0", "1-1"]])
    }

    /// Three files of 10 bytes are far within the bound; each trigger alone makes them due.
    @Test func triggersMakeMergesEarlier() throws {
        let three = (0..<3).map { file("f\($0)", 10, sequence: Int64($0) + 1) }
        let times: [Int64] = [1000, 2000, 3000]
        func count(_ change: (inout CompactionOptions) -> Void, nowMs: Int64 = 3500) throws -> Int {
            var options = CompactionOptions(targetBytes: 100_000)
            change(&options)
            return try plans(three, options, timesMs: times, nowMs: nowMs).reduce(0) { $0 + $1.files.count }
        }
        #expect(try count { _ in } == 0)
        #expect(try count { $0.inputFilesMin = 3 } == 3 && count { $0.inputFilesMin = 4 } == 0)
        #expect(try count { $0.inputBytesMin = 30 } == 3 && count { $0.inputBytesMin = 31 } == 0)
        #expect(try count { $0.ageMsMax = 2500 } == 3 && count { $0.ageMsMax = 2501 } == 0)
        #expect(try count({ _ in }, nowMs: 3000 + 3_600_000) == 3)
        #expect(try count({ $0.coldAfterMs = nil }, nowMs: 9_000_000) == 0)
        let state = CompactionState(
            three, options: CompactionOptions(), commits: CommitFacts(flushBytes: 10, timesMs: times))
        #expect(CompactionPolicy.nextLookMs(state, options: CompactionOptions(), nowMs: 3500) == 3_603_000)
        #expect(CompactionPolicy.nextLookMs(state, options: CompactionOptions(), nowMs: 3_603_000) == nil)
    }

    /// A crumb for a large cold file is not worth it; a tenth of it is.
    @Test func coldPartitionsAreFinishedOnce() throws {
        func cold(_ sizes: [Int64]) throws -> [[Int64]] {
            let files = sizes.enumerated().map { file("f\($0.offset)", $0.element) }
            return try plans(files, CompactionOptions(targetBytes: 10_000), timesMs: [0], nowMs: 3_600_000)
                .map { $0.files.map(\.fileBytes).sorted() }
        }
        #expect(try cold([8000, 20]) == [] && cold([8000]) == [])
        #expect(try cold([8000, 1000]) == [[1000, 8000]])
        #expect(try cold([20, 30, 200]) == [[20, 30, 200]])
    }

    @Test func sharedAndManyDeletesMakeFilesDirty() throws {
        let options = CompactionOptions(targetBytes: 1000)
        // 60 of the 200 rows of the place may be deleted; 59 are too few.
        #expect(names(try plans([file("a", 900, shared: 60, deleteFiles: 1), file("b", 2000)], options)) == [["a"]])
        #expect(try plans([file("a", 900, shared: 59, deleteFiles: 1), file("b", 2000)], options).isEmpty)
        #expect(names(try plans([file("a", 900, deleteFiles: 10), file("b", 2000)], options)) == [["a"]])
        #expect(try plans([file("a", 900, deleteFiles: 9), file("b", 2000)], options).isEmpty)
    }
}
