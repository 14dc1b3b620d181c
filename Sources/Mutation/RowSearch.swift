import Base
import Catalog
import Columnar
import Iceberg
import Query
import Storage

/// Finds rows of one snapshot.
protocol RowSearch {
    /// True when rows of other files, or of other tables, decide on a row: then no file can be left out that was
    /// searched in an earlier state.
    var looksBeyondTheRow: Bool { get }

    /// Reads the data files that may hold the rows and that `wants` asks for, and reports rows by data file and
    /// position, deleted ones left out. `wants` is called for every such file.
    func find(wants: @escaping (FileScanTask) -> Bool, found: (_ file: String, _ position: Int64) throws -> Void) throws
}

/// The rows found so far, over several snapshots of a table that changes meanwhile.
struct FoundRows {
    /// A data file together with the deletes that applied when it was read: if both are the same, so are its rows.
    private struct Mark: Hashable {
        let first: UInt64
        let second: UInt64

        init(_ task: FileScanTask) {
            var text = Array(task.dataFile.path.utf8)
            for delete in task.deletes {
                text.append(0)
                text.append(contentsOf: delete.dataFile.path.utf8)
                text.append(0)
                text.append(contentsOf: "\(delete.dataFile.contentOffset ?? 0)".utf8)
            }
            first = XXHash64.hash(text)
            second = XXHash64.hash(text, seed: 1)
        }
    }

    private var searched: Set<Mark> = []
    private var rows: [String: (mark: Mark, positions: RowPositions)] = [:]
    /// The files with rows, as the last snapshot has them.
    private(set) var targets: [DeleteFileWriter.Target] = []
    private(set) var filesSearched = 0

    var rowCount: Int64 { targets.reduce(0) { $0 + Int64($1.positions.count) } }

    /// Brings what is known up to the state that `search` looks at: reads only files that are new in it.
    mutating func update(_ search: any RowSearch, progress: (Int) -> Void) throws {
        if search.looksBeyondTheRow {
            searched = []
            rows = [:]
        }
        let walk = Walk(known: searched)
        var fresh: [String: RowPositions] = [:]
        try search.find(wants: { walk.visit($0, Mark($0)) }) { file, position in
            fresh[file, default: RowPositions()].insert(position)
        }
        filesSearched += walk.fresh
        progress(filesSearched)
        searched = Set(walk.tasks.map(\.mark))
        var all: [String: (mark: Mark, positions: RowPositions)] = [:]
        targets = []
        for (task, mark) in walk.tasks {
            let path = task.dataFile.path
            let known = rows[path].flatMap { $0.mark == mark ? $0.positions : nil }
            guard let positions = known ?? fresh[path], !positions.isEmpty else { continue }
            all[path] = (mark, positions)
            targets.append((task, positions))
        }
        rows = all
    }

    /// The files that a search came by.
    private final class Walk {
        private let known: Set<Mark>
        private var seen: Set<Mark> = []
        private(set) var tasks: [(task: FileScanTask, mark: Mark)] = []
        private(set) var fresh = 0

        init(known: Set<Mark>) { self.known = known }

        /// True when the file is to be read. A statement that scans the table twice asks twice.
        func visit(_ task: FileScanTask, _ mark: Mark) -> Bool {
            let isKnown = known.contains(mark)
            if seen.insert(mark).inserted {
                tasks.append((task, mark))
                if !isKnown { fresh += 1 }
            }
            return !isKnown
        }
    }
}

/// Rows that a SQL condition selects.
struct ConditionSearch: RowSearch {
    let warehouse: Warehouse
    let table: Table
    let snapshot: Snapshot
    let condition: String

    var looksBeyondTheRow: Bool { RowLocator.hasSubquery(condition) }

    func find(
        wants: @escaping (FileScanTask) -> Bool, found: (_ file: String, _ position: Int64) throws -> Void
    ) throws {
        try RowLocator(warehouse: warehouse, table: table, snapshot: snapshot).locate(
            condition, wants: wants, found: found)
    }
}

/// Rows by their keys: a primary-key lookup.
///
/// 1. Partitions, bounds and, for few keys, the Bloom filters and pages of the files leave out what cannot match.
/// 2. Of the rest only the key's columns are decoded, and looked up in the table of keys.
struct KeySearch {
    let warehouse: Warehouse
    let keys: KeyTable

    static func identifierFields(of table: Table) throws(FirnError) -> [Field] {
        let schema = table.metadata.currentSchema
        guard !schema.identifierFieldIds.isEmpty else {
            throw FirnError(
                .invalidInput, "no_identifier",
                "the table has no identifier columns that could tell which row is meant; set them with "
                    + "\"firn schema identifier\"", context: ["table": table.identifier.description])
        }
        var fields: [Field] = []
        for id in schema.identifierFieldIds {
            guard let field = schema.field(id: id) else {
                throw FirnError(
                    .corrupted, "bad_metadata", "the schema has no column for identifier field \(id)",
                    context: ["table": table.identifier.description])
            }
            fields.append(field)
        }
        return fields
    }

    /// The search on one state of the table. Throws `.conflict` (`identifier_changed`) when the table identifies rows
    /// by other columns by now, or by other types.
    func on(_ table: Table, _ snapshot: Snapshot) throws -> any RowSearch {
        let fields = try Self.identifierFields(of: table)
        guard fields.map(\.id) == keys.fields.map(\.id) else { throw Self.changed(table) }
        try Self.check(fields, table) { field in keys.fields.first { $0.id == field.id }?.type }
        return Bound(search: self, table: table, snapshot: snapshot)
    }

    /// Equal keys of different types would not be found to be equal.
    static func check(
        _ fields: [Field], _ table: Table, _ type: (Field) -> DataType?
    ) throws(FirnError) {
        for field in fields where type(field) != field.type { throw changed(table) }
    }

    private static func changed(_ table: Table) -> FirnError {
        FirnError(
            .conflict, "identifier_changed", "the table's identifier columns have changed meanwhile",
            context: ["table": table.identifier.description])
    }

    private struct Bound: RowSearch {
        let search: KeySearch
        let table: Table
        let snapshot: Snapshot
        let looksBeyondTheRow = false

        func find(
            wants: @escaping (FileScanTask) -> Bool, found: (_ file: String, _ position: Int64) throws -> Void
        ) throws {
            let store = search.warehouse.store
            let metadata = table.metadata
            let keys = search.keys
            let filter = keys.pruning()
            let plan = try ScanPlanner.plan(metadata: metadata, snapshot: snapshot, filter: filter, store: store)
            let loader = DeleteLoader(store: store, nameMapping: metadata.nameMapping)
            let schema = KeySearch.projection(of: metadata.currentSchema, keys.fields)
            for task in plan.tasks where wants(task) {
                let reader = try DataFileReader(
                    task, schema: schema, filter: filter, nameMapping: metadata.nameMapping, loader: loader,
                    store: store)
                while let batch = try reader.next() {
                    guard case .int64(let positions) = batch.columns[batch.columns.count - 1].storage else {
                        preconditionFailure("positions are longs")
                    }
                    for row in keys.matches(batch) { try found(task.dataFile.path, positions[Int(row)]) }
                }
            }
        }
    }

    /// The top-level columns that hold the key, and the position.
    private static func projection(of schema: Schema, _ key: [Field]) -> Schema {
        let tops = Set(key.compactMap { schema.chain(to: $0.id)?.first?.id })
        return Schema(
            schemaId: schema.schemaId,
            fields: schema.fields.filter { tops.contains($0.id) } + [MetadataColumn.position.field])
    }
}
