import Base
import Columnar

extension SchemaPlanner {
    /// The change that lets a file with schema `inferred` into a table with schema `current`, nil for none.
    ///
    /// Columns are matched by name. One that the table lacks becomes optional; timestamps in nanoseconds become
    /// microseconds. A wider type widens the column where Iceberg allows it. A required column that the file lacks
    /// becomes optional unless it identifies rows; one that the file merely allows to be null stays required, since its
    /// records are refused one by one if they are null. What cannot be had, such as a name that clashes, is left out.
    public static func plan(inferred: Schema, current: Schema) -> SchemaChange? {
        var comparison = SchemaComparison()
        comparison.compare(inferred.fields, current.fields, .root)
        return possible(comparison.operations, current)
    }

    /// What a body with columns of its own needs: other columns, and then what single records need beyond them.
    ///
    /// The types of CSV are guesses from its text, where every integer is a long: a column only widens for them when
    /// a record was refused for its size.
    static func plan(
        columnsOf body: [UInt8], format: RecordFormat, schema: Schema, settings: DecodeSettings
    ) throws(FirnError) -> Plan? {
        var comparison = SchemaComparison()
        comparison.compare(try SchemaInference.infer(body, format: format).fields, schema.fields, .root)
        var operations = comparison.operations
        var optionalWidenings: [String: SchemaChange.Operation] = [:]
        if format == .csv {
            for case .widen(let path, let type) in operations {
                optionalWidenings[path.description] = .widen(path, to: type)
            }
            operations.removeAll { if case .widen = $0 { true } else { false } }
        }
        if settings.unknownColumns == .ignore {
            operations.removeAll { if case .addColumn = $0 { true } else { false } }
        }
        let change = possible(operations, schema) ?? SchemaChange()
        let wider = try change.apply(to: schema, lastColumnId: schema.highestFieldId).schema
        var options = DecoderOptions()
        options.rejectionsReportedMax = Int.max
        guard let decoded = try? decode(body, format: format, schema: wider, settings: settings, options: options)
        else { return change.isEmpty ? nil : Plan(change: change, records: 0, sample: []) }
        let paths = Dictionary(
            EvolutionNeeds(schema: wider, addsColumns: true).nodes.map { ($0.path.description, $0.path) },
            uniquingKeysWith: { first, _ in first })
        var (wanted, records) = (change.operations, 0)
        for rejection in decoded.rejections {
            guard let column = rejection.column, let path = paths[column] else { continue }
            if rejection.code == RejectionCode.missingRequired {
                wanted.append(.makeOptional(path))
            } else if rejection.code == RejectionCode.outOfRange, let widening = optionalWidenings[column] {
                wanted.append(widening)
            } else {
                continue
            }
            records += 1
        }
        var seen: Set<SchemaChange.Operation> = []
        return possible(wanted.filter { seen.insert($0).inserted }, schema).map {
            Plan(change: $0, records: records, sample: [])
        }
    }

    /// The operations that can be had, one after the other; nil when none can.
    private static func possible(_ operations: [SchemaChange.Operation], _ current: Schema) -> SchemaChange? {
        if operations.isEmpty { return nil }
        let whole = SchemaChange(operations)
        if (try? whole.apply(to: current, lastColumnId: current.highestFieldId)) != nil { return whole }
        var schema = current
        var kept: [SchemaChange.Operation] = []
        for operation in operations {
            let change = SchemaChange([operation])
            guard let next = try? change.apply(to: schema, lastColumnId: schema.highestFieldId).schema else { continue }
            schema = next
            kept.append(operation)
        }
        return kept.isEmpty ? nil : SchemaChange(kept)
    }
}

private struct SchemaComparison {
    private(set) var operations: [SchemaChange.Operation] = []

    mutating func compare(_ wanted: [Field], _ known: [Field], _ path: ColumnPath) {
        for field in wanted {
            if let own = known.first(where: { $0.name.utf8.elementsEqual(field.name.utf8) }) {
                compare(field.type, own.type, path.appending(own.name))
            } else {
                var new = field
                new.type = field.type.inMicroseconds
                operations.append(.addColumn(parent: path, field: new))
            }
        }
        for own in known where own.required {
            guard !wanted.contains(where: { $0.name.utf8.elementsEqual(own.name.utf8) }) else { continue }
            operations.append(.makeOptional(path.appending(own.name)))
        }
    }

    private mutating func compare(_ wanted: DataType, _ known: DataType, _ path: ColumnPath) {
        switch (wanted, known) {
        case (.structure(let wanted), .structure(let known)): compare(wanted.fields, known.fields, path)
        case (.list(let wanted), .list(let known)):
            compare(wanted.element, known.element, path.appending("element"))
        case (.map(let wanted), .map(let known)): compare(wanted.value, known.value, path.appending("value"))
        default:
            if known != wanted, known.widens(to: wanted) { operations.append(.widen(path, to: wanted)) }
        }
    }
}

extension DataType {
    /// The same type with every timestamp in microseconds.
    fileprivate var inMicroseconds: DataType {
        switch self {
        case .structure(var type):
            for index in type.fields.indices { type.fields[index].type = type.fields[index].type.inMicroseconds }
            return .structure(type)
        case .list(var type):
            type.element = type.element.inMicroseconds
            return .list(type)
        case .map(var type):
            type.key = type.key.inMicroseconds
            type.value = type.value.inMicroseconds
            return .map(type)
        default: return microseconds
        }
    }
}
