import Base
import Columnar
import Iceberg

/// A relation that can aggregate its own rows.
protocol AggregatingRelation: Relation {
    /// The results of a request: the keys' columns, then those of the calls, with a row for each group in the order of
    /// the keys. Throws `AggregatesTooLarge`.
    func aggregate(_ request: AggregateRequest, guardian: QueryGuard) throws -> [Column]
}

extension MemoryRelation: AggregatingRelation {
    func aggregate(_ request: AggregateRequest, guardian: QueryGuard) throws -> [Column] {
        let aggregation = Aggregation(request)
        let scan = scan(projection: batches.isEmpty ? Schema(fields: []) : schema, filter: request.filter)
        while let numbered = try scan.next() {
            try guardian.check()
            let rows = try numbered.selected(by: request.filter)
            try aggregation.add(rows.map { numbered.batch.taking($0) } ?? numbered.batch)
        }
        return try aggregation.finish()
    }
}

/// The groups of another relation, computed when they are first read.
final class AggregatedRelation: Relation {
    let schema: Schema
    let expressionTypes: [Int: DataType?]
    let estimatedRows: Int
    private let source: any AggregatingRelation
    private let request: AggregateRequest
    private let guardian: QueryGuard
    private var computed: MemoryRelation?

    /// Ids of calls, beyond those that tables may use.
    /// See https://iceberg.apache.org/spec/#reserved-field-ids
    private static let firstCallId = Int(Int32.max) - 100_000

    init(_ source: any AggregatingRelation, _ request: AggregateRequest, guardian: QueryGuard) {
        self.source = source
        self.request = request
        self.guardian = guardian
        var fields = request.keys
        var types: [Int: DataType?] = [:]
        for (index, call) in request.calls.enumerated() {
            let id = Self.firstCallId + index
            types[id] = .some(call.shownType)
            fields.append(
                Field(
                    id: id, name: AggregateRewriter.columnName(index), required: false, type: call.shownType ?? .double)
            )
        }
        schema = Schema(fields: fields)
        expressionTypes = types
        estimatedRows = request.keys.isEmpty ? 1 : max(1, source.estimatedRows / 100)
    }

    func scan(projection: Schema, filter: Expression) throws -> any RowScan {
        let relation = try computed ?? compute()
        computed = relation
        return relation.scan(projection: projection, filter: filter)
    }

    private func compute() throws -> MemoryRelation {
        let columns = try source.aggregate(request, guardian: guardian)
        return MemoryRelation(
            schema: schema,
            batches: [RecordBatch(schema: schema, columns: columns, rowCount: columns[0].rowCount)])
    }
}
