import Base
import Columnar

/// One body with columns of its own on its way into the columns of a table.
///
/// 1. The plan is made, or the body refused, from the two schemas alone.
/// 2. Every batch of the body is converted column by column; faults are noted by record.
/// 3. The records with a fault become rejections, the others stay.
struct ProjectedRun {
    private let schema: Schema
    private let options: DecoderOptions
    private var rejections: RejectionList
    private var budget: Int
    /// Columns of the batches so far.
    private var parts: [[Column]] = []
    private var rowCount = 0
    /// Records read so far.
    private var records = 0

    private init(schema: Schema, options: DecoderOptions) {
        self.schema = schema
        self.options = options
        rejections = RejectionList(options)
        budget = options.batchBytesMax
    }

    static func decode(
        _ source: some RecordSource, schema: Schema, options: DecoderOptions
    ) throws(FirnError) -> DecodedBatch {
        var source = source
        let plan = try ProjectionPlan(source, schema: schema, options: options)
        let rowBytes = plan.columns.reduce(1) { $0 + $1.plan.rowBytes }
        var run = ProjectedRun(schema: schema, options: options)
        while let batch = try source.next(plan.wanted) {
            guard batch.rowCount <= run.budget / rowBytes else { throw .batchTooLarge(options.batchBytesMax) }
            try run.add(batch, plan)
        }
        return DecodedBatch(
            batch: try run.finish(), rejections: run.rejections.rejections, rejectedCount: run.rejections.count,
            rejected: run.rejections.rejected)
    }

    private mutating func add(_ batch: RecordBatch, _ plan: ProjectionPlan) throws(FirnError) {
        let faults = ProjectionFaults()
        let converter = ColumnConverter(faults: faults)
        let scope = ProjectionScope()
        var columns = plan.columns.map { member in
            converter.column(
                member.plan, member.source.map { batch.columns[$0] }, rows: batch.rowCount, scope)
        }
        var kept = batch.rowCount
        if !faults.isEmpty {
            try reject(faults, batch)
            let good = (0..<Int32(batch.rowCount)).filter { faults.byRecord[Int($0)] == nil }
            columns = columns.map { $0.taking(good) }
            kept = good.count
        }
        records += batch.rowCount
        budget -= columns.reduce(0) { $0 + $1.byteCount }
        guard budget >= 0 else { throw .batchTooLarge(options.batchBytesMax) }
        guard kept > 0 else { return }
        rowCount += kept
        parts.append(columns)
    }

    private mutating func reject(_ faults: ProjectionFaults, _ batch: RecordBatch) throws(FirnError) {
        for (row, found) in faults.byRecord.sorted(by: { $0.key < $1.key }) {
            let line = records + row + 1
            let fits = rejections.add(budget: &budget) {
                RecordJSON.record(batch, row: row)
            } because: {
                faults.rejection(found, line: line)
            }
            guard fits else { throw .batchTooLarge(options.batchBytesMax).adding(["line": String(line)]) }
        }
    }

    private mutating func finish() throws(FirnError) -> RecordBatch {
        var columns: [Column] = []
        for (index, field) in schema.fields.enumerated() {
            switch parts.count {
            case 0: columns.append(ColumnBuilder(field.type).finish())
            case 1: columns.append(parts[0][index])
            default: columns.append(Column.joining(parts.map { $0[index] }))
            }
        }
        return RecordBatch(schema: schema, columns: columns, rowCount: rowCount)
    }
}
