import Base
import Columnar

/// How one column of the table, at any depth, comes from a column of the body.
final class ColumnPlan: Sendable {
    enum Step: Sendable {
        /// The body has nothing: all null.
        case nulls
        /// The body has nothing: the column's default.
        case constant(Value)
        /// The values as they are.
        case same
        case convert(ColumnConversion)
        case structure([Member])
        case list(ColumnPlan)
        case map(key: ColumnPlan, value: ColumnPlan)
    }

    struct Member: Sendable {
        /// Index of the field in the body's struct; nil when it has none.
        let source: Int?
        let plan: ColumnPlan
    }

    let path: String
    let type: DataType
    let required: Bool
    let step: Step

    init(path: String, type: DataType, required: Bool, step: Step) {
        self.path = path
        self.type = type
        self.required = required
        self.step = step
    }

    /// Bytes that a row takes at least, null or not.
    var rowBytes: Int {
        if case .constant(let value) = step { return value.singleValueJSON(as: type).serialize().count + 17 }
        switch type {
        case .boolean, .unknown: return 2
        case .int, .date, .float, .string, .binary, .list, .map: return 5
        case .decimal, .uuid: return 17
        case .fixed(let width): return width + 1
        case .variant: return 16
        case .structure(let type):
            if case .structure(let members) = step { return members.reduce(1) { $0 + $1.plan.rowBytes } }
            return type.fields.reduce(1) { $0 + ColumnPlan.nulls($1, path).rowBytes }
        default: return 9
        }
    }

    /// A column that the body lacks.
    static func missing(_ field: Field, _ path: String) -> ColumnPlan {
        guard let value = field.writeDefault else { return nulls(field, path) }
        return ColumnPlan(
            path: path, type: field.type, required: field.required, step: .constant(field.filled(value)))
    }

    static func nulls(_ field: Field, _ path: String) -> ColumnPlan {
        ColumnPlan(path: path, type: field.type, required: field.required, step: .nulls)
    }
}

/// Matches the columns of a body with those of a table.
///
/// 1. Fields match by name, at every level. A field whose name the table does not know may match by its id, as after
///    a renaming, but only where no field with a matching name has another id than the table's: ids of other origin
///    must not lead values astray.
/// 2. Every pair gets the conversion between its types; a pair without one refuses the body.
/// 3. What the table lacks is refused or left out by the table's setting. What the body lacks is null, and refused
///    where it is required.
struct ProjectionPlan {
    let columns: [ColumnPlan.Member]
    /// Top-level fields of the body that are read.
    let wanted: [Int]

    init(_ source: some RecordSource, schema: Schema, options: DecoderOptions) throws(FirnError) {
        let planner = Planner(
            nullFieldIds: source.nullFieldIds, instantsAreTimestamps: source.instantsAreTimestamps, options: options)
        let members = try planner.members(source.schema.fields, schema.fields, prefix: "")
        let wanted = members.compactMap(\.source).sorted()
        self.wanted = wanted
        columns = members.map { member in
            ColumnPlan.Member(source: member.source.flatMap { wanted.firstIndex(of: $0) }, plan: member.plan)
        }
    }
}

private struct Planner {
    let nullFieldIds: Set<Int>
    let instantsAreTimestamps: Bool
    let options: DecoderOptions

    /// A member for every target field.
    func members(
        _ sources: [Field], _ targets: [Field], prefix: String
    ) throws(FirnError) -> [ColumnPlan.Member] {
        let matches = try match(sources, targets, prefix: prefix)
        var members: [ColumnPlan.Member] = []
        for (index, target) in targets.enumerated() {
            let path = prefix.isEmpty ? target.name : prefix + "." + target.name
            let source = matches[index].map { sources[$0] }
            guard let source else {
                guard !target.required || target.writeDefault != nil else { throw .missingSourceColumn(path) }
                members.append(.init(source: nil, plan: .missing(target, path)))
                continue
            }
            guard !nullFieldIds.contains(source.id) else {
                guard !target.required else { throw .missingSourceColumn(path) }
                members.append(.init(source: nil, plan: .nulls(target, path)))
                continue
            }
            members.append(.init(source: matches[index], plan: try plan(source, target, path)))
        }
        return members
    }

    /// The index of the source field of every target field.
    private func match(_ sources: [Field], _ targets: [Field], prefix: String) throws(FirnError) -> [Int?] {
        var byName: [[UInt8]: Int] = [:]
        for (index, source) in sources.enumerated() {
            guard byName.updateValue(index, forKey: Array(source.name.utf8)) == nil else {
                let path = prefix.isEmpty ? source.name : prefix + "." + source.name
                throw FirnError(
                    .invalidInput, RejectionCode.duplicateKey, "The body has two columns '\(path)'.",
                    context: ["column": path])
            }
        }
        var matches = targets.map { byName.removeValue(forKey: Array($0.name.utf8)) }
        let agree = zip(targets, matches).allSatisfy { target, match in
            match.map { sources[$0].id <= 0 || sources[$0].id == target.id } ?? true
        }
        var rest = byName.values.sorted()
        if agree {
            for (index, target) in targets.enumerated() where matches[index] == nil {
                guard let place = rest.firstIndex(where: { sources[$0].id == target.id && target.id > 0 }) else {
                    continue
                }
                matches[index] = rest.remove(at: place)
            }
        }
        if options.unknownColumns == .reject, let unknown = rest.first {
            throw .unknownSourceColumn(prefix.isEmpty ? sources[unknown].name : prefix + "." + sources[unknown].name)
        }
        return matches
    }

    private func plan(_ source: Field, _ target: Field, _ path: String) throws(FirnError) -> ColumnPlan {
        let step: ColumnPlan.Step
        switch (source.type, target.type) {
        case (.variant, .variant): step = .same
        case (.structure(let from), .structure(let to)):
            step = .structure(try members(from.fields, to.fields, prefix: path))
        case (.list(let from), .list(let to)):
            step = .list(try item(from.elementField, to.elementField, path))
        case (.map(let from), .map(let to)):
            step = .map(
                key: try item(from.keyField, to.keyField, path),
                value: try item(from.valueField, to.valueField, path))
        case (let from, let to):
            if from == .timestamptz, to == .timestamp, instantsAreTimestamps {
                step = .convert(.timestamp)
            } else if from == to, to.isPrimitive, !ColumnConversion.checks(to) {
                step = .same
            } else {
                let unit = to.takesEpoch ? options.epochUnits[target.id] : nil
                guard let conversion = ColumnConversion(from, to, epoch: unit) else {
                    throw mismatch(from, to, path)
                }
                step = .convert(conversion)
            }
        }
        return ColumnPlan(path: path, type: target.type, required: target.required, step: step)
    }

    private func item(_ source: Field, _ target: Field, _ path: String) throws(FirnError) -> ColumnPlan {
        let path = path + "." + target.name
        if nullFieldIds.contains(source.id) { return .nulls(target, path) }
        return try plan(source, target, path)
    }

    private func mismatch(_ from: DataType, _ to: DataType, _ path: String) -> FirnError {
        var message = "'\(path)' is \(TypeName.text(to)) in the table and \(TypeName.text(from)) in the body"
        switch (from.microseconds, to) {
        case (.timestamp, .timestamptz): message += "; give the body's values a time zone"
        case (.timestamptz, .timestamp): message += "; take the time zone off the body's values"
        default: message += ", and the one does not convert into the other"
        }
        return FirnError(.invalidInput, RejectionCode.wrongType, message + ".", context: ["column": path])
    }
}

extension Field {
    /// A default with those of the fields of its structs.
    fileprivate func filled(_ value: Value) -> Value {
        guard case .structure(let type) = type, case .structure(let values) = value else { return value }
        return .structure(
            type.fields.enumerated().map { index, field in
                let own = index < values.count ? values[index] : field.writeDefault ?? .null
                return field.filled(own)
            })
    }
}
