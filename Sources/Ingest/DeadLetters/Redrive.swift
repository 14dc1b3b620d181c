// How dead letters go back, once.
//
// 1. Each file of dead letters is read; the payloads of selected letters are decoded against the table's current
//    schema. Those that fit are written to new data files of the table.
// 2. A file that has lost letters is read again, and the others are written to a new file of dead letters.
// 3. One catalog transaction adds the rows to the table and replaces those files of dead letters. It fails when one of
//    them is not live any more, so that two redrives cannot both move a letter.

import Base
import Catalog
import Columnar
import Iceberg

/// What a redrive or a discard did.
public struct RedriveReport: Sendable {
    /// Letters that left the dead letters.
    public let moved: Int
    /// Selected letters that still do not fit.
    public let stillRejected: Int
    /// The first reasons of those.
    public let reasons: [Rejection]
    /// The table's new snapshot; nil when nothing moved, and for a discard.
    public let snapshotId: Int64?

    public var json: JSONValue {
        .object([
            .init("moved", .integer(Int64(moved))), .init("still-rejected", .integer(Int64(stillRejected))),
            .init("reasons", .array(reasons.map(\.json))),
            .init("snapshot-id", snapshotId.map { .integer($0) } ?? .null),
        ])
    }
}

struct Redrive {
    private static let reasonsMax = 20

    let warehouse: Warehouse
    /// Nil discards what is selected.
    let main: Table?
    let letters: Table
    let selection: DeadLetterSelection

    func run() throws -> RedriveReport {
        guard let snapshot = letters.metadata.currentSnapshot else { return report(moved: 0, []) }
        let plan = try ScanPlanner.plan(
            metadata: letters.metadata, snapshot: snapshot, filter: .alwaysTrue, store: warehouse.store)
        let tag = Hex.encode(warehouse.environment.random.next(), width: 16)
        let rows = try main.map { try Output($0, warehouse: warehouse, tag: tag) }
        let kept = try Output(letters, warehouse: warehouse, tag: tag)
        do {
            var removed: [String] = []
            var refused: [Rejection] = []
            var moved = 0
            for task in plan.tasks {
                let leaving = try move(task, to: rows, &refused)
                guard !leaving.isEmpty else { continue }
                moved += leaving.count
                removed.append(task.dataFile.path)
                try keep(task, except: leaving, in: kept)
            }
            guard moved > 0 else {
                rows?.discard()
                kept.discard()
                return report(moved: 0, refused)
            }
            let parts =
                [
                    try warehouse.committer(for: letters.identifier).overwriting(
                        removed: removed, added: try kept.writer.finish(), basedOn: snapshot.snapshotId)
                ]
                + (try rows.map {
                    [try warehouse.committer(for: $0.table.identifier).appending(try $0.writer.finish(), ingest: nil)]
                } ?? [])
            let results = try warehouse.commit(jointly: parts)
            return report(moved: moved, refused, snapshotId: main == nil ? nil : results[1].snapshotId)
        } catch {
            if (error as? FirnError)?.kind != .outcomeUnknown {
                rows?.discard()
                kept.discard()
            }
            throw error
        }
    }

    private func report(moved: Int, _ refused: [Rejection], snapshotId: Int64? = nil) -> RedriveReport {
        RedriveReport(
            moved: moved, stillRejected: refused.count, reasons: Array(refused.prefix(Self.reasonsMax)),
            snapshotId: snapshotId)
    }

    /// Writes the letters of a file that fit; returns which letters leave it, counted from its first.
    private func move(_ task: FileScanTask, to output: Output?, _ refused: inout [Rejection]) throws -> Set<Int> {
        var leaving: Set<Int> = []
        var first = 0
        try forEachBatch(task) { batch in
            let rows = try DeadLetterRows(batch)
            defer { first += rows.count }
            let selected = (0..<rows.count).filter { selection.includes(rows[$0]) }
            guard let output else { return leaving.formUnion(selected.map { first + $0 }) }
            let payloads = selected.map { rows[$0].payload }
            let outcome = try Self.decode(payloads, for: output.table)
            for batch in outcome.batches { try output.writer.write(batch) }
            for (index, row) in selected.enumerated() {
                if let reason = outcome.refused[index] {
                    let letter = rows[row]
                    refused.append(
                        Rejection(
                            line: letter.line, column: reason.column, code: reason.code,
                            message: "position \(letter.position): \(reason.message)"))
                } else {
                    leaving.insert(first + row)
                }
            }
        }
        return leaving
    }

    /// Writes what stays of a file.
    private func keep(_ task: FileScanTask, except leaving: Set<Int>, in output: Output) throws {
        var first = 0
        try forEachBatch(task) { batch in
            let staying = (0..<batch.rowCount).filter { !leaving.contains(first + $0) }.map { Int32($0) }
            first += batch.rowCount
            guard !staying.isEmpty else { return }
            try output.writer.write(
                RecordBatch(
                    schema: batch.schema, columns: batch.columns.map { $0.taking(staying) }, rowCount: staying.count))
        }
    }

    private func forEachBatch(_ task: FileScanTask, _ body: (RecordBatch) throws -> Void) throws {
        let reader = try DataFileReader(task, schema: letters.metadata.currentSchema, store: warehouse.store)
        while let batch = try reader.next() { try body(batch) }
    }

    // MARK: Decoding

    private struct Outcome {
        var batches: [RecordBatch] = []
        /// By index of the payload.
        var refused: [Int: Rejection] = [:]
    }

    /// Payloads of one line each are decoded together; one that spans lines by itself.
    private static func decode(_ payloads: [[UInt8]], for table: Table) throws -> Outcome {
        let metadata = table.metadata
        let settings = DecodeSettings(properties: metadata.properties, schema: metadata.currentSchema)
        var outcome = Outcome()
        var body: [UInt8] = []
        var indexes: [Int] = []
        var options = DecoderOptions()
        options.rejectionsReportedMax = .max
        for (index, payload) in payloads.enumerated() {
            let isLine = !payload.contains(UInt8(ascii: "\n")) && payload.contains { $0 > UInt8(ascii: " ") }
            if isLine {
                body += payload + [UInt8(ascii: "\n")]
                indexes.append(index)
                continue
            }
            do {
                let decoded = try Ingest.decode(
                    payload, format: .json, schema: metadata.currentSchema, settings: settings, options: options)
                if decoded.batch.rowCount == 1, decoded.rejectedCount == 0 {
                    outcome.batches.append(decoded.batch)
                } else {
                    outcome.refused[index] = decoded.rejections.first ?? notOneRecord
                }
            } catch {
                outcome.refused[index] = Rejection(line: 1, column: nil, code: error.code, message: error.message)
            }
        }
        guard !body.isEmpty else { return outcome }
        let decoded = try Ingest.decode(
            body, format: .ndjson, schema: metadata.currentSchema, settings: settings, options: options)
        for rejection in decoded.rejections { outcome.refused[indexes[rejection.line - 1]] = rejection }
        if decoded.batch.rowCount > 0 { outcome.batches.append(decoded.batch) }
        return outcome
    }

    private static let notOneRecord = Rejection(
        line: 1, column: nil, code: RejectionCode.malformedJSON, message: "The payload is not one record.")
}

/// New files of one table, recorded in the ledger before they are written.
private final class Output {
    let table: Table
    let writer: DataFileWriter
    private let warehouse: Warehouse
    private let paths: PathLog

    init(_ table: Table, warehouse: Warehouse, tag: String) throws {
        self.table = table
        self.warehouse = warehouse
        let paths = PathLog()
        self.paths = paths
        writer = try DataFileWriter(metadata: table.metadata, store: warehouse.store) { partition, _ in
            let folder = partition.isEmpty ? table.metadata.dataFolder : table.metadata.dataFolder + "/" + partition
            let location = "\(folder)/redrive-\(tag)-\(paths.count).parquet"
            paths.append(location)
            try warehouse.ledger.record([location], table: table.metadata.tableUUID)
            return location
        }
    }

    func discard() {
        writer.abort()
        try? warehouse.ledger.abandon(paths.all)
    }
}
