import Base
import Columnar
import Iceberg

/// The first rows of a table in the order of one column: `ORDER BY column LIMIT n`.
struct TopRequest {
    let field: Field
    let isDescending: Bool
    /// Where SQLite puts rows without a value.
    let nullsFirst: Bool
    /// At least one.
    let count: Int
    let filter: Expression
}

/// Finds SELECTs that want the first rows of one table in the order of a column, so that the scan can leave out rows
/// which are behind all of these. SQLite still sorts, and decides among equals, as if nothing was left out.
///
/// 1. The shape: one table with a filter that is known (`FilterProbe`), no groups and no windows, an order that begins
///    with a column, a literal LIMIT.
/// 2. The relation finds the value that the last wanted row has (`TopValues`), reading that one column.
/// 3. That bound joins the filter of the scan. Later columns of the order only tell equals apart, which all pass.
enum TopRows {
    private static let countMax = 100_000

    /// - Parameter filter: what a WHERE clause over a relation's table with an alias means; nil when no filter does.
    static func find(
        in sql: String, tables: [RelationTable],
        filter: (_ clause: String, _ relation: Int, _ alias: String) -> Expression?
    ) -> [(relation: Int, request: TopRequest)] {
        guard let tokens = try? Tokenizer.tokens(of: sql) else { return [] }
        let text = SourceText(sql, tokens)
        let uses = Dictionary(grouping: tokens.compactMap { StatementRewriter.relationNumber($0.text) }) { $0 }
        return SelectCore.find(in: tokens).prefix(SelectCore.countMax).compactMap { core in
            guard tables.indices.contains(core.relation), tables[core.relation].relation is any RankingRelation,
                // The bound is the relation's; another use of it wants other rows.
                uses[core.relation]?.count == 1,
                let order = order(core, tokens, tables[core.relation]), let count = count(core, tokens)
            else { return nil }
            var passing = Expression.alwaysTrue
            if let clause = core.filter {
                guard let found = filter(text[clause], core.relation, core.alias) else { return nil }
                passing = found
            }
            return (
                core.relation,
                TopRequest(
                    field: order.field, isDescending: order.isDescending, nullsFirst: order.nullsFirst, count: count,
                    filter: passing)
            )
        }
    }

    /// The first term of the order, when it is a column of a SELECT that neither groups nor looks at other rows.
    private static func order(
        _ core: SelectCore, _ tokens: [Token], _ table: RelationTable
    ) -> (field: Field, isDescending: Bool, nullsFirst: Bool)? {
        guard let term = core.ordering.first, core.groupClause == nil, core.havingClause == nil, !core.isDistinct else {
            return nil
        }
        let shape = AggregateShape(core, tokens, table)
        guard !shape.mayAggregate else { return nil }
        var words = tokens[term]
        var nullsFirst: Bool?
        if words.count > 2, words[words.endIndex - 2].isKeyword("NULLS") {
            nullsFirst = words.last!.isKeyword("FIRST")
            words = words.dropLast(2)
        }
        let isDescending = words.last?.isKeyword("DESC") ?? false
        if isDescending || words.last?.isKeyword("ASC") == true { words = words.dropLast() }
        guard let field = shape.orderingColumn(words.startIndex..<words.endIndex), field.type.isRankable else {
            return nil
        }
        return (field, isDescending, nullsFirst ?? !isDescending)
    }

    /// `n`, `n OFFSET m` or `m, n`, all together.
    private static func count(_ core: SelectCore, _ tokens: [Token]) -> Int? {
        guard let limit = core.limit else { return nil }
        let parts = Array(tokens[limit])
        guard parts.count == 1 || parts.count == 3, let first = Int(parts[0].text), first >= 0 else { return nil }
        var count = first
        if parts.count == 3 {
            guard parts[1].isKeyword("OFFSET") || parts[1].isSymbol(","), let second = Int(parts[2].text), second >= 0
            else { return nil }
            count = first.addingReportingOverflow(second).partialValue
        }
        return (1...countMax).contains(count) ? count : nil
    }
}

extension DataType {
    /// Whether values can be compared with a bound as SQLite orders them.
    fileprivate var isRankable: Bool {
        switch self {
        case .int, .long, .float, .double, .decimal, .date, .time, .timestamp, .timestamptz, .timestampNs,
            .timestamptzNs, .string:
            true
        default: false
        }
    }
}

/// A relation that can tell where the first rows end.
protocol RankingRelation: Relation {
    /// A predicate that all wanted rows pass, and few others; nil when nothing is known.
    func bound(of request: TopRequest, guardian: QueryGuard) throws -> Expression?
}

/// Keeps the best values of a column, a batch at a time.
struct TopValues {
    private let request: TopRequest
    private var values: [Value] = []
    private var nulls = 0
    /// The last of the wanted values so far, once there are enough.
    private(set) var last: Value?

    init(_ request: TopRequest) { self.request = request }

    /// Whether `a` comes before `b`.
    private static func precedes(_ a: Value, _ b: Value, isDescending: Bool) -> Bool {
        let order = ValueOrder.compare(a, b)
        return isDescending ? order == .greater : order == .less
    }

    /// Whether rows whose values are all within `statistics` may be among the wanted ones.
    func mayTake(_ statistics: FieldStatistics?) -> Bool {
        guard let last, let statistics else { return true }
        if request.nullsFirst, statistics.mayHaveNull || statistics.mayHaveNaN { return true }
        guard let best = request.isDescending ? statistics.upper : statistics.lower else {
            return !statistics.noneComparable && !statistics.allNull
        }
        return !Self.precedes(last, best, isDescending: request.isDescending)
    }

    /// Adds rows that pass the request's filter. The batch has the request's column.
    mutating func add(_ batch: RecordBatch) throws {
        guard let column = batch.leaf(request.field.id) else { return }
        // NaN counts as null, and no comparison finds it.
        let isReal = request.field.type == .float || request.field.type == .double
        var rows = Array(0..<Int32(batch.rowCount))
        if let last, !(isReal && request.nullsFirst) {
            // Equals of the last one change nothing.
            let better = Expression.compare(
                fieldId: request.field.id, request.isDescending ? .greater : .less, last)
            rows = try ExpressionEvaluator(better).select(batch)
            nulls += column.nullCount
        } else {
            nulls += (0..<batch.rowCount).count { column.isNull($0) || ValueOrder.isNaN(column.value(at: $0)) }
        }
        for row in rows {
            let value = column.value(at: Int(row))
            if value != .null, !ValueOrder.isNaN(value) { values.append(value) }
        }
        cut()
    }

    private mutating func cut() {
        let wanted = request.count
        guard values.count >= (last == nil ? wanted : 2 * wanted + 1024) else { return }
        values.sort { [isDescending = request.isDescending] in Self.precedes($0, $1, isDescending: isDescending) }
        values.removeLast(values.count - wanted)
        last = values.last
    }

    /// What rows must pass to matter still, where that can be told before the end.
    var preliminaryBound: Expression {
        guard let last, !request.nullsFirst else { return .alwaysTrue }
        return Self.compare(request, last) ?? .alwaysTrue
    }

    private static func compare(_ request: TopRequest, _ last: Value) -> Expression? {
        // On whether -0.0 is below 0.0 readers of bounds differ.
        if case .float(0) = last { return nil }
        if case .double(0) = last { return nil }
        return .compare(
            fieldId: request.field.id, request.isDescending ? .greaterOrEqual : .lessOrEqual, last)
    }

    /// What all wanted rows pass; nil when there are too few rows to leave any out.
    mutating func bound() -> Expression? {
        let id = request.field.id
        let isReal = request.field.type == .float || request.field.type == .double
        values.sort { [isDescending = request.isDescending] in Self.precedes($0, $1, isDescending: isDescending) }
        if request.nullsFirst {
            // NaN cannot be told from other values by a predicate.
            guard !isReal || nulls == 0 else { return nil }
            if nulls >= request.count { return .isNull(fieldId: id) }
        }
        let wanted = request.count - (request.nullsFirst ? nulls : 0)
        guard values.count >= wanted, wanted > 0 else { return nil }
        guard let bound = Self.compare(request, values[wanted - 1]) else { return nil }
        return request.nullsFirst && nulls > 0 ? .or(bound, .isNull(fieldId: id)) : bound
    }
}

extension MemoryRelation: RankingRelation {
    func bound(of request: TopRequest, guardian: QueryGuard) throws -> Expression? {
        var top = TopValues(request)
        let scan = scan(projection: schema, filter: request.filter)
        while let numbered = try scan.next() {
            try guardian.check()
            let rows = try numbered.selected(by: request.filter)
            try top.add(rows.map { numbered.batch.taking($0) } ?? numbered.batch)
        }
        return top.bound()
    }
}

extension IcebergRelation: RankingRelation {
    /// Below this, one scan is cheaper than two.
    private static let rowsMin = 50_000

    /// Files with the best bounds come first, so that most of the others need not be read.
    func bound(of request: TopRequest, guardian: QueryGuard) throws -> Expression? {
        guard estimatedRows >= Self.rowsMin, !plansOnly else { return nil }
        let (id, type) = (request.field.id, request.field.type)
        let files = try plan(request.filter, statisticsOf: [id]).tasks.map { task in
            (task: task, statistics: task.dataFile.statistics(id, type))
        }
        func best(_ statistics: FieldStatistics?) -> Value? {
            request.isDescending ? statistics?.upper : statistics?.lower
        }
        let order = files.sorted { a, b in
            guard let x = best(a.statistics) else { return best(b.statistics) != nil }
            guard let y = best(b.statistics) else { return false }
            return ValueOrder.compare(x, y) == (request.isDescending ? .greater : .less)
        }
        var top = TopValues(request)
        let projection = rowSchema.pruned(to: request.filter.fieldIds.union([id]))
        for (task, statistics) in order where top.mayTake(statistics) {
            let filter = Expression.all([request.filter, top.preliminaryBound].filter { $0 != .alwaysTrue })
            let reader = try open(task, projection: projection, filter: filter)
            while let batch = try reader.next() {
                try guardian.check()
                try top.add(batch)
            }
        }
        return top.bound()
    }
}
