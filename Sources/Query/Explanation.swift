import Base
import Columnar
import Iceberg
import Synchronization

/// What one scan of a table did, or would do.
final class ScanRecord: Sendable {
    /// What the rows were needed for.
    enum Use: String, Sendable {
        case rows
        /// Groups, computed on column batches.
        case groups
    }

    struct Figures {
        var manifests = 0
        var manifestsSkipped = 0
        var files = 0
        var filesSkipped = 0
        var filesAnswered = 0
        var filesToRead = 0
        var bytesToRead: Int64 = 0
        var rowGroupsRead = 0
        var rowsRead = 0
    }

    let table: String
    let snapshotId: Int64
    let use: Use
    let filter: String
    private let figures = Mutex(Figures())

    init(table: String, snapshotId: Int64, use: Use, filter: String) {
        self.table = table
        self.snapshotId = snapshotId
        self.use = use
        self.filter = filter
    }

    var current: Figures { figures.withLock { $0 } }
    func add(_ change: (inout Figures) -> Void) { figures.withLock { change(&$0) } }

    /// A file that has to be read.
    func add(_ task: FileScanTask) {
        add {
            $0.filesToRead += 1
            $0.bytesToRead += task.dataFile.fileBytes
        }
    }
}

/// `EXPLAIN SELECT …` tells what would be read, from the manifests alone; `EXPLAIN ANALYZE SELECT …` runs the statement
/// and tells what was read. The answer has a row for each scan of a table, in the order in which they began.
enum Explanation {
    enum Mode {
        case plan
        case analyze
    }

    /// The statement behind EXPLAIN; nil for another. EXPLAIN QUERY PLAN is SQLite's own.
    static func split(_ sql: String) throws(FirnError) -> (mode: Mode, sql: String)? {
        let tokens = try Tokenizer.tokens(of: sql)
        guard tokens.count > 1, tokens[0].isKeyword("EXPLAIN"), !tokens[1].isKeyword("QUERY") else { return nil }
        let isRun = tokens[1].isKeyword("ANALYZE")
        let start = tokens[isRun ? 1 : 0].range.upperBound
        return (isRun ? .analyze : .plan, String(decoding: Array(sql.utf8)[start...], as: UTF8.self))
    }

    static func relation(_ records: [ScanRecord], mode: Mode) -> MemoryRelation {
        let columns: [(String, DataType, (ScanRecord, ScanRecord.Figures) -> Value)] = [
            ("table", .string, { record, _ in .string(record.table) }),
            ("snapshot_id", .long, { record, _ in .long(record.snapshotId) }),
            ("for", .string, { record, _ in .string(record.use.rawValue) }),
            ("filter", .string, { record, _ in record.filter.isEmpty ? .null : .string(record.filter) }),
            ("manifests", .long, { .long(Int64($1.manifests)) }),
            ("manifests_skipped", .long, { .long(Int64($1.manifestsSkipped)) }),
            ("files", .long, { .long(Int64($1.files)) }),
            ("files_skipped", .long, { .long(Int64($1.filesSkipped)) }),
            ("files_from_metadata", .long, { .long(Int64($1.filesAnswered)) }),
            ("files_to_read", .long, { .long(Int64($1.filesToRead)) }),
            ("bytes_to_read", .long, { .long($1.bytesToRead) }),
            ("row_groups_read", .long, { mode == .plan ? .null : .long(Int64($1.rowGroupsRead)) }),
            ("rows_read", .long, { mode == .plan ? .null : .long(Int64($1.rowsRead)) }),
        ]
        let schema = Schema(
            fields: columns.enumerated().map {
                Field(id: $0.offset + 1, name: $0.element.0, required: false, type: $0.element.1)
            })
        let builders = columns.map { ColumnBuilder($0.1) }
        for record in records {
            let figures = record.current
            for (column, builder) in zip(columns, builders) { builder.append(column.2(record, figures)) }
        }
        return MemoryRelation(
            schema: schema,
            batches: [
                RecordBatch(schema: schema, columns: builders.map { $0.finish() }, rowCount: records.count)
            ])
    }
}

extension Expression {
    /// As SQL would write it; nothing for a filter that passes all.
    func text(_ schema: Schema) -> String {
        func name(_ id: Int) -> String { schema.path(id: id) ?? "#\(id)" }
        func literal(_ value: Value, _ id: Int) -> String {
            let type = schema.field(id: id)?.type ?? .string
            switch value {
            case .null, .boolean, .int, .long, .float, .double, .decimal: return value.text(as: type)
            default: return "'\(value.text(as: type))'"
            }
        }
        switch self {
        case .alwaysTrue: return ""
        case .alwaysFalse: return "false"
        case .and(let a, let b): return "\(a.text(schema)) AND \(b.text(schema))"
        case .or(let a, let b): return "(\(a.text(schema)) OR \(b.text(schema)))"
        case .not(let inner): return "NOT (\(inner.text(schema)))"
        case .isNull(let id): return "\(name(id)) IS NULL"
        case .notNull(let id): return "\(name(id)) IS NOT NULL"
        case .startsWith(let id, let prefix): return "\(name(id)) LIKE '\(prefix)%'"
        case .isIn(let id, let values):
            let shown = values.prefix(20).map { literal($0, id) } + (values.count > 20 ? ["…"] : [])
            return "\(name(id)) IN (\(shown.joined(separator: ", ")))"
        case .compare(let id, let comparison, let value):
            let sign =
                switch comparison {
                case .equal: "="
                case .notEqual: "<>"
                case .less: "<"
                case .lessOrEqual: "<="
                case .greater: ">"
                case .greaterOrEqual: ">="
                }
            return "\(name(id)) \(sign) \(literal(value, id))"
        }
    }
}
