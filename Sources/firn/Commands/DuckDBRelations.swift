import Base
import Catalog
import Columnar
import Iceberg
import Parquet
import Query
import Storage

/// Makes the tables of a statement relations of DuckDB: views over `read_parquet`.
///
/// 1. A table at a snapshot is its planned files, pruned by what can be seen of the statement's condition.
/// 2. Files that state field ids are read by DuckDB itself, their columns by these ids (`schema`), a missing one as its
///    default. Members of structs are found by name there: files in which names mean something else, and other files
///    that only our own reader understands, are written anew into the query's folder.
/// 3. Where rows are deleted, our own readers say which, and the rest is an anti-join by file and position.
/// 4. Columns that a file leaves to its partition are joined by file.
/// 5. Metadata tables and changes are results of our own engine, put into a file.
struct DuckDBRelations {
    let warehouse: Warehouse
    let statement: ForeignStatement
    let folder: DuckDBFolder
    private(set) var filesTotal = 0
    private(set) var filesSkipped = 0
    private(set) var filesRewritten = 0
    private var loaded: [String: TableMetadata] = [:]

    init(_ warehouse: Warehouse, _ statement: ForeignStatement, _ folder: DuckDBFolder) {
        self.warehouse = warehouse
        self.statement = statement
        self.folder = folder
    }

    /// Statements that create all relations. Throws as planning and reading the tables does.
    mutating func script() throws -> String {
        // Finds out what does not exist, with what may have been meant.
        _ = try WarehouseSource(warehouse).relations(statement.references, statistics: QueryStatistics())
        var script = ""
        for (index, reference) in statement.references.enumerated() {
            let isState = reference.metadata == nil && reference.changes == nil
            let rows = try isState ? rows(of: reference, index) : result(of: reference, index)
            script += "CREATE TEMP VIEW \(ForeignStatement.relationName(index)) AS \(rows);\n"
        }
        return script
    }

    private func result(of reference: TableReference, _ index: Int) throws -> String {
        let result = try QueryEngine(warehouse: warehouse).execute("SELECT * FROM \(reference.sql)")
        let batches = try ResultBatches(result)
        let path = try folder.write("result-\(index).parquet", batches.schema) { writer in
            while let batch = try batches.next() { try writer.write(batch) }
        }
        return "SELECT * FROM read_parquet(\(Self.literal(path)))"
    }

    // MARK: A table at a snapshot

    private mutating func rows(of reference: TableReference, _ index: Int) throws -> String {
        let identifier = try TableIdentifier(namespace: reference.namespace, name: reference.name)
        let metadata = try loaded[reference.tableName] ?? warehouse.loadTable(identifier).metadata
        loaded[reference.tableName] = metadata
        let (snapshot, schema) = try metadata.state(reference.version, table: reference.tableName)
        var files = DuckDBFiles(
            schema: schema, nameMapping: metadata.nameMapping, store: warehouse.store, folder: folder, index: index)
        if let snapshot {
            let plan = try ScanPlanner.plan(
                metadata: metadata, snapshot: snapshot, filter: statement.condition(schema), store: warehouse.store)
            filesTotal += plan.filesTotal
            filesSkipped += plan.filesSkipped
            for task in plan.tasks { try files.add(task) }
        }
        filesRewritten += files.rewritten
        return try files.finish()
    }

    static func literal(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
    }
}

/// The files of one relation, by how they are read.
struct DuckDBFiles {
    /// Files that are read alike.
    private struct Group: Hashable {
        /// Ids of columns that come from the partition, ascending.
        let constants: [Int]
        let hasDeletes: Bool
    }

    private static let deletesSchema = Schema(fields: [
        Field(id: 1, name: "file", required: true, type: .string),
        Field(id: 2, name: "pos", required: true, type: .long),
    ])
    private static let positionSchema = Schema(fields: [Iceberg.MetadataColumn.position.field])

    private let schema: Schema
    private let nameMapping: NameMapping?
    private let store: any ObjectStore
    private let folder: DuckDBFolder
    private let index: Int
    private let loader: DeleteLoader
    private var groups: [Group: [String]] = [:]
    private var deleted: [(path: String, positions: RowPositions)] = []
    private var constants: [(path: String, values: [Int: Value])] = []
    private(set) var rewritten = 0

    init(
        schema: Schema, nameMapping: NameMapping?, store: any ObjectStore, folder: DuckDBFolder, index: Int
    ) {
        self.schema = schema
        self.nameMapping = nameMapping
        self.store = store
        self.folder = folder
        self.index = index
        loader = DeleteLoader(store: store, nameMapping: nameMapping)
    }

    mutating func add(_ task: FileScanTask) throws {
        let outline = try FileOutline(task, schema: schema, nameMapping: nameMapping, store: store)
        let path = try ObjectLocation.path(task.dataFile.path)
        guard isReadable(outline, path) else { return try rewrite(task) }
        let positions = task.deletes.isEmpty ? nil : try deletedPositions(task, outline)
        if let positions, !positions.isEmpty { deleted.append((path, positions)) }
        if !outline.constants.isEmpty { constants.append((path, outline.constants)) }
        let group = Group(constants: outline.constants.keys.sorted(), hasDeletes: positions?.isEmpty == false)
        groups[group, default: []].append(path)
    }

    /// True when DuckDB reads the file as we would.
    private func isReadable(_ outline: FileOutline, _ path: String) -> Bool {
        // It takes these for patterns.
        let isPattern = path.utf8.contains { "*?[]{}".utf8.contains($0) }
        let stored = schema.fields.filter { outline.constants[$0.id] == nil && $0.type != .unknown }
        return outline.isDirect && !isPattern && !stored.isEmpty
            && stored.allSatisfy { field in
                guard let value = field.initialDefault, outline.missing.contains(field.id) else { return true }
                return DuckDBTypes.text(value, as: field.type) != nil
            }
    }

    private mutating func rewrite(_ task: FileScanTask) throws {
        let reader = try DataFileReader(
            task, schema: schema, nameMapping: nameMapping, loader: loader, store: store)
        let path = try folder.write("rows-\(index)-\(rewritten).parquet", schema) { writer in
            while let batch = try reader.next() { try writer.write(batch) }
        }
        rewritten += 1
        groups[Group(constants: [], hasDeletes: false), default: []].append(path)
    }

    /// Equality deletes become positions by reading what they compare.
    private func deletedPositions(_ task: FileScanTask, _ outline: FileOutline) throws -> RowPositions? {
        guard task.deletes.contains(where: { $0.dataFile.content == .equalityDeletes }) else {
            return try loader.positions(for: task)
        }
        let reader = try DataFileReader(
            task, schema: Self.positionSchema, nameMapping: nameMapping, loader: loader, store: store)
        var positions = RowPositions()
        var next: Int64 = 0
        while let batch = try reader.next() {
            guard case .int64(let left) = batch.columns[0].storage else { preconditionFailure("positions are longs") }
            for row in 0..<batch.rowCount {
                for position in next..<left[row] { positions.insert(position) }
                next = left[row] + 1
            }
        }
        for position in next..<max(next, outline.rowCount) { positions.insert(position) }
        return positions
    }

    // MARK: SQL

    /// The query that gives the relation's rows; writes the files it joins with.
    func finish() throws -> String {
        let deletesPath = deleted.isEmpty ? nil : try writeDeletes()
        let constantsPath = constants.isEmpty ? nil : try writeConstants()
        let parts = groups.sorted { $0.value[0] < $1.value[0] }.map { group, paths in
            let list = paths.map(DuckDBRelations.literal).joined(separator: ", ")
            var text = "SELECT \(columns(group)) FROM read_parquet([\(list)]"
            text += ", schema = MAP {\(mapping(group))}"
            let isPlain = group.constants.isEmpty && !group.hasDeletes
            text += isPlain ? ") AS d" : ", filename = 'firn_file', file_row_number = true) AS d"
            if !group.constants.isEmpty, let constantsPath {
                text += " JOIN read_parquet(\(DuckDBRelations.literal(constantsPath))) AS k ON k.file = d.firn_file"
            }
            if group.hasDeletes, let deletesPath {
                text += " WHERE NOT EXISTS (SELECT 1 FROM read_parquet(\(DuckDBRelations.literal(deletesPath))) AS x "
                text += "WHERE x.file = d.firn_file AND x.pos = d.file_row_number)"
            }
            return text
        }
        guard parts.isEmpty else { return parts.joined(separator: " UNION ALL ") }
        let empty = schema.fields.map {
            "CAST(NULL AS \(DuckDBTypes.name($0.type))) AS \(ForeignStatement.quoted($0.name))"
        }
        return "SELECT \(empty.joined(separator: ", ")) WHERE false"
    }

    /// Columns have names of their own below the view, so that none meets one of `read_parquet`.
    private func columns(_ group: Group) -> String {
        schema.fields.map { field in
            let name = ForeignStatement.quoted(field.name)
            let type = DuckDBTypes.name(field.type)
            if group.constants.contains(field.id) { return "CAST(k.c\(field.id) AS \(type)) AS \(name)" }
            return field.type == .unknown ? "CAST(NULL AS \(type)) AS \(name)" : "d.c\(field.id) AS \(name)"
        }.joined(separator: ", ")
    }

    private func mapping(_ group: Group) -> String {
        schema.fields.filter { !group.constants.contains($0.id) && $0.type != .unknown }.map { field in
            let value = field.initialDefault.flatMap { DuckDBTypes.text($0, as: field.type) }
            let type = DuckDBRelations.literal(DuckDBTypes.name(field.type))
            return "\(field.id): {name: 'c\(field.id)', type: \(type), default_value: "
                + (value.map(DuckDBRelations.literal) ?? "NULL") + "}"
        }.joined(separator: ", ")
    }

    private func writeDeletes() throws -> String {
        try folder.write("deletes-\(index).parquet", Self.deletesSchema) { writer in
            var builder = BatchBuilder(Self.deletesSchema)
            for (path, positions) in deleted {
                for position in positions {
                    builder.columns[0].append(.string(path))
                    builder.columns[1].append(.long(position))
                    guard builder.rowCount == 1 << 14 else { continue }
                    try writer.write(builder.finish())
                    builder = BatchBuilder(Self.deletesSchema)
                }
            }
            try writer.write(builder.finish())
        }
    }

    private func writeConstants() throws -> String {
        let ids = Set(constants.flatMap(\.values.keys))
        let fields = schema.fields.filter { ids.contains($0.id) }
        let file = Field(id: (ids.max() ?? 0) + 1, name: "file", required: true, type: .string)
        let schema = Schema(
            fields: [file] + fields.map { Field(id: $0.id, name: "c\($0.id)", required: false, type: $0.type) })
        return try folder.write("constants-\(index).parquet", schema) { writer in
            let builder = BatchBuilder(schema)
            for (path, values) in constants {
                builder.columns[0].append(.string(path))
                for (column, field) in zip(builder.columns.dropFirst(), fields) {
                    column.append(values[field.id] ?? .null)
                }
            }
            try writer.write(builder.finish())
        }
    }
}
