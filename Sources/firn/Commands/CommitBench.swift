import ArgumentParser
import Base
import Catalog
import Columnar
import Iceberg
import Storage

extension Bench {
    /// What a small append costs on tables of growing size.
    ///
    /// The tables are metadata only: their data files are described as a stream would have left them but never written,
    /// so that a million of them fit on any disk. Manifests, lists, metadata files, ledger and catalog are real.
    struct CommitBench: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "commit",
            abstract: "Milliseconds and bytes of a small commit, by the size of the table.",
            discussion: """
                Builds one table a size, gives it that many data files and snapshots, and appends one file at a time. \
                The cost of writing the data file itself is not part of it.
                """)
        @Option(help: "Data files of the tables, separated by commas.") var files = "10,1000,100000,1000000"
        @Option(help: "Snapshots that every table retains.") var snapshots = 10_000
        @Option(help: "Commits to measure on each table.") var commits = 200
        @OptionGroup var output: OutputOptions

        private var sizes: [Int] { files.split(separator: ",").compactMap { Int($0.filter { $0 != " " }) } }

        func validate() throws {
            guard !sizes.isEmpty, sizes.allSatisfy({ (0...10_000_000).contains($0) }), commits > 0, snapshots >= 0
            else { throw ValidationError("--files wants numbers such as 10,1000") }
        }

        func run() throws {
            let directory = try TemporaryDirectory.make("firn-bench")
            defer { TemporaryDirectory.remove(directory) }
            let warehouse = try Warehouse(directory: directory, environment: .live, create: true)
            try warehouse.createNamespace(["bench"], properties: [:], ifNotExists: true)
            var printer = RowPrinter(
                columns: [
                    "files", "snapshots", "median ms", "p95 ms", "max ms", "of it catalog ms", "KB written",
                    "metadata file KB",
                ], format: output.format)
            // An empty table first, with no history: what all others are compared with.
            for (index, size) in ([0] + sizes).enumerated() {
                let table = SizedTable(warehouse: warehouse, name: "t\(index)")
                let figures = try table.measure(files: size, snapshots: index == 0 ? 0 : snapshots, commits: commits)
                try printer.print([
                    .integer(Int64(size)), .integer(index == 0 ? 0 : Int64(snapshots)),
                    .text(Human.oneDecimal(figures.quantile(0.5))), .text(Human.oneDecimal(figures.quantile(0.95))),
                    .text(Human.oneDecimal(figures.quantile(1))), .text(Human.oneDecimal(figures.catalogMs)),
                    .text(Human.oneDecimal(figures.kilobytes)), .text(Human.oneDecimal(figures.metadataKilobytes)),
                ])
            }
            try printer.finish()
        }
    }
}

/// What a number of commits took.
private struct CommitFigures {
    var times: [Double] = []
    var catalogTimes: [Double] = []
    var bytes = 0
    var metadataBytes = 0

    func quantile(_ share: Double) -> Double {
        let sorted = times.sorted()
        return sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
    }
    var catalogMs: Double { catalogTimes.sorted()[catalogTimes.count / 2] }
    /// Of one commit, on average.
    var kilobytes: Double { Double(bytes) / Double(times.count) / 1000 }
    var metadataKilobytes: Double { Double(metadataBytes) / 1000 }
}

private struct SizedTable {
    let warehouse: Warehouse
    let name: String

    private static let filesPerCommit = 20_000

    func measure(files: Int, snapshots: Int, commits: Int) throws -> CommitFigures {
        let identifier = try TableIdentifier(namespace: ["bench"], name: name)
        let schema = "id long, ts timestamptz, device string, level int, price double, city string"
        let definition = try TableDefinition(
            identifier: identifier, schema: schema, partition: nil, sort: nil, identifierColumns: [],
            // The history is part of what is measured.
            properties: ["history.expire.max-snapshot-age-ms": String(Int64.max / 4)])
        _ = try warehouse.createTable(definition, ifNotExists: false)
        let committer = try warehouse.committer(for: identifier)
        var number = 0
        func newFile(_ location: String) -> DataFile {
            number += 1
            return Self.file(number, location)
        }
        while number < files {
            let count = min(Self.filesPerCommit, files - number)
            _ = try committer.commit { base, context in
                try SnapshotProducer.append(
                    base: base.metadata, baseLocation: base.metadataLocation,
                    files: (0..<count).map { _ in newFile(base.metadata.location) }, context: context,
                    store: warehouse.store)
            }
        }
        try addHistory(committer, snapshots)
        var figures = CommitFigures()
        let clock = warehouse.environment.clock
        for _ in 0..<commits {
            var written: [Int] = []
            let began = clock.monotonicNanos()
            let result = try committer.commit { base, context in
                let commit = try SnapshotProducer.append(
                    base: base.metadata, baseLocation: base.metadataLocation,
                    files: [newFile(base.metadata.location)], context: context, store: warehouse.store)
                written = commit.objects.map(\.bytes.count)
                return commit
            }
            figures.times.append(Double(clock.monotonicNanos() - began) / 1e6)
            figures.catalogTimes.append(Double(result.times.catalogNanos) / 1e6)
            figures.bytes += written.reduce(0, +)
            figures.metadataBytes = written.last ?? 0
        }
        return figures
    }

    /// A file as a stream's flush describes it.
    private static func file(_ number: Int, _ location: String) -> DataFile {
        let low = Int64(number) * 1000
        let digits = String(number)
        let padded = String(repeating: "0", count: max(0, 8 - digits.count)) + digits
        func long(_ value: Int64) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
        let micros = 1_767_225_600_000_000 + low * 1000
        let counts = Dictionary(uniqueKeysWithValues: (1...6).map { ($0, Int64(1000)) })
        return DataFile(
            path: "\(location)/data/\(padded)-\(low)-\(low + 999)-1.parquet", recordCount: 1000,
            fileBytes: 96_000 + low % 4096, columnSizes: counts.mapValues { $0 * 12 + low % 64 }, valueCounts: counts,
            nullValueCounts: counts.mapValues { _ in 0 }, nanValueCounts: [5: 0],
            lowerBounds: [1: long(low), 2: long(micros), 3: Array("device-\(number % 997)".utf8)],
            upperBounds: [1: long(low + 999), 2: long(micros + 999_000), 3: Array("device-\(number % 997)~".utf8)],
            splitOffsets: [4])
    }

    /// Snapshots as many commits of one file would have left them, each with a list of its own.
    private func addHistory(_ committer: TableCommitter, _ count: Int) throws {
        guard count > 0 else { return }
        _ = try committer.commit { base, context in
            var metadata = base.metadata
            guard let head = metadata.currentSnapshot else { return nil }
            let list = try warehouse.store.get(head.manifestList)
            var parent = head
            var lists: [(location: String, bytes: [UInt8])] = []
            for _ in 0..<count {
                var next = parent
                next.snapshotId = warehouse.environment.snapshotId()
                next.parentSnapshotId = parent.snapshotId
                next.sequenceNumber += 1
                next.timestampMs += 1
                next.manifestList =
                    "\(metadata.metadataFolder)/snap-\(next.snapshotId)-1-\(warehouse.environment.uuid()).avro"
                lists.append((next.manifestList, list))
                try metadata.addSnapshot(next)
                metadata.currentSnapshotId = next.snapshotId
                metadata.refs["main"]?.snapshotId = next.snapshotId
                metadata.snapshotLog.append(
                    SnapshotLogEntry(timestampMs: next.timestampMs, snapshotId: next.snapshotId))
                parent = next
            }
            try warehouse.store.putAll(lists)
            return try MetadataCommit.prepare(
                metadata, base: nil, baseLocation: base.metadataLocation, context: context)
        }
    }
}
