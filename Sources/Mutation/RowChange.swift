// How rows of a table are deleted or replaced.
//
// 1. Find: the data files that may hold the rows are read, and the rows noted by file and position (`RowSearch`).
// 2. Write: the new rows as data files. For the old ones, by the table's `write.delete.mode` and its like:
//    - a data file that loses every row goes as a whole;
//    - merge-on-read (the default): position delete files, in format version 3 deletion vectors;
//    - copy-on-write: the rows that stay are written into new data files and the old ones go.
// 3. Commit all of it as one snapshot, valid only if nobody has added rows, or changed the files, since the search.
// 4. Somebody has: search again, but only what is new since, and go to 2 with the new rows as they are.
//
// No equality delete is ever written.

import Base
import Catalog
import Columnar
import Iceberg
import Storage

/// What a change did.
public struct RowChangeReport: Sendable, Hashable {
    /// Nil when nothing had to be changed.
    public var snapshotId: Int64?
    public var rowsDeleted: Int64 = 0
    public var rowsAdded: Int64 = 0
    /// Data files that lost rows and stay, with a delete file or vector for them.
    public var filesMarked = 0
    /// Data files that went as a whole.
    public var filesRemoved = 0
    /// Data files read to find the rows.
    public var filesSearched = 0
    public var filesAdded = 0
    /// Commits tried; more than one when others changed the table meanwhile.
    public var attempts = 0

    public init() {}

    public var json: JSONValue {
        .object([
            .init("snapshot-id", snapshotId.map { .integer($0) } ?? .null),
            .init("rows-deleted", .integer(rowsDeleted)), .init("rows-added", .integer(rowsAdded)),
            .init("files-marked", .integer(Int64(filesMarked))),
            .init("files-removed", .integer(Int64(filesRemoved))),
            .init("files-searched", .integer(Int64(filesSearched))),
            .init("files-added", .integer(Int64(filesAdded))), .init("attempts", .integer(Int64(attempts))),
        ])
    }
}

/// Deletes rows, or replaces them by others, in one commit.
///
/// Blocking; one thread at a time. Throws what reading and committing throw, and `.conflict` (`table_too_busy`) when
/// others changed the table again and again before the change could be committed, `table_replaced` when its name means
/// another one by now, `identifier_changed`; the table is unchanged then.
public struct RowChange {
    /// Attempts before giving up; each after the first only searches what others have added since the one before.
    private static let attemptsMax = 50

    private let warehouse: Warehouse
    /// Its columns are those of the rows, and its identity must stay.
    private let table: Table
    private let progress: (_ filesSearched: Int) -> Void

    private var identifier: TableIdentifier { table.identifier }

    /// - Parameter table: as it was when the rows or the condition were made for it.
    public init(
        warehouse: Warehouse, table: Table, progress: @escaping (_ filesSearched: Int) -> Void = { _ in }
    ) {
        self.warehouse = warehouse
        self.table = table
        self.progress = progress
    }

    /// Deletes the rows that a SQL condition selects. Throws `.invalidInput` (`bad_condition`, `sql_error`) too.
    public func delete(where condition: String) throws -> RowChangeReport {
        try run(.delete, rows: []) { table, snapshot in
            ConditionSearch(warehouse: warehouse, table: table, snapshot: snapshot, condition: condition)
        }
    }

    /// Deletes the rows whose identifier columns have the values of one of these rows; other columns are not looked
    /// at. Throws `.invalidInput` (`no_identifier`) for a table without identifier fields.
    public func delete(keys: [RecordBatch]) throws -> RowChangeReport {
        let (search, _) = try prepare(keys)
        return try run(.delete, rows: []) { try search.on($0, $1) }
    }

    /// Puts rows into the table, each in place of the row with the same identifier columns, if there is one. Of rows
    /// with equal keys the last one counts. Throws as `delete(keys:)`.
    ///
    /// - Parameter rows: with the columns of the schema that the table had.
    public func upsert(_ rows: [RecordBatch]) throws -> RowChangeReport {
        let (search, latest) = try prepare(rows)
        return try run(.merge, rows: latest) { try search.on($0, $1) }
    }

    /// The keys of rows, and the rows without those that a later one replaces.
    private func prepare(_ rows: [RecordBatch]) throws -> (KeySearch, [RecordBatch]) {
        let fields = try KeySearch.identifierFields(of: table)
        for batch in rows {
            try KeySearch.check(fields, table) { batch.schema.chain(to: $0.id)?.last?.type }
        }
        var keys = KeyTable(fields: fields)
        for batch in rows { keys.add(batch) }
        guard !keys.superseded.isEmpty else { return (KeySearch(warehouse: warehouse, keys: keys), rows) }
        var first = 0
        let latest = rows.map { batch in
            defer { first += batch.rowCount }
            let left = (0..<batch.rowCount).filter { !keys.superseded.contains(first + $0) }
            return left.count == batch.rowCount ? batch : batch.taking(left.map { Int32($0) })
        }
        return (KeySearch(warehouse: warehouse, keys: keys), latest)
    }

    // MARK: Attempts

    private func run(
        _ operation: TableProperties.RowLevelOperation, rows: [RecordBatch],
        search: (Table, Snapshot) throws -> any RowSearch
    ) throws -> RowChangeReport {
        var found = FoundRows()
        var report = RowChangeReport()
        let files = ChangeFiles(warehouse: warehouse)
        do {
            var added: [DataFile]?
            while true {
                report.attempts += 1
                let committer = try warehouse.committer(for: identifier)
                let table = try committer.table()
                guard table.metadata.tableUUID == self.table.metadata.tableUUID else {
                    throw FirnError(
                        .conflict, "table_replaced", "\(identifier) is another table than before",
                        context: ["table": identifier.description])
                }
                let change: ChangeFiles.Replacement
                do {
                    if let snapshot = table.metadata.currentSnapshot {
                        try found.update(search(table, snapshot)) { progress($0) }
                        report.filesSearched = found.filesSearched
                    }
                    // The new rows are written once; a schema change since then does not concern files.
                    if added == nil { added = try files.write(rows, table: table) }
                    change = try files.replacement(of: found, in: table, operation: operation)
                } catch let error as FirnError where error.kind == .notFound {
                    // Its snapshot was expired, and its files collected, while they were read.
                    let now = try warehouse.committer(for: identifier).table().metadata.currentSnapshotId
                    guard now != table.metadata.currentSnapshotId else { throw error }
                    files.abandonReplacement()
                    try goOn(after: error, report, rows)
                    continue
                }
                var delta = change.delta
                delta.addedData += added ?? []
                guard !(delta.addedData.isEmpty && delta.addedDeletes.isEmpty && delta.removedData.isEmpty) else {
                    return report
                }
                delta.validation = CommitValidation(
                    startSnapshotId: table.metadata.currentSnapshotId,
                    // An upsert that did not see its key come in would leave it twice.
                    isolation: operation == .delete
                        ? table.metadata.tableProperties.isolation(of: .delete) : .serializable,
                    // A row may be deleted twice, but not written anew after somebody else deleted it.
                    rewritesRows: operation != .delete || !delta.addedData.isEmpty)
                do {
                    let result = try committer.rowDelta(delta)
                    report.snapshotId = result.snapshotId
                    report.rowsDeleted = found.rowCount
                    report.rowsAdded = (added ?? []).reduce(0) { $0 + $1.recordCount }
                    report.filesMarked = change.filesMarked
                    report.filesRemoved = delta.removedData.count
                    report.filesAdded = delta.addedData.count
                    return report
                } catch let error as FirnError where error.kind == .conflict && Self.canGoOn(error) {
                    files.abandonReplacement()
                    try goOn(after: error, report, rows)
                }
            }
        } catch {
            // While the outcome is unknown the files may be live.
            if (error as? FirnError)?.kind != .outcomeUnknown { files.abandonAll() }
            throw error
        }
    }

    private func goOn(after error: FirnError, _ report: RowChangeReport, _ rows: [RecordBatch]) throws(FirnError) {
        guard report.attempts >= Self.attemptsMax else { return }
        throw FirnError(
            .conflict, "table_too_busy",
            "others changed the table before each of \(report.attempts) attempts; try again"
                + (rows.isEmpty ? ", or lower the isolation with write.delete.isolation-level=snapshot" : ""),
            context: ["table": identifier.description], cause: error)
    }

    /// True when a new look at the table tells how to go on.
    private static func canGoOn(_ error: FirnError) -> Bool {
        error.code != "table_replaced" && error.code != "expiry_disabled"
    }
}
