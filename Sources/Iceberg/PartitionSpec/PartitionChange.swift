import Base
import Columnar

/// A change of how a table's rows are divided from now on: an ordered list of operations on the default spec.
///
/// Files keep the spec they were written with, and with it their place. What is already so is skipped.
///
/// Spec: https://iceberg.apache.org/spec/#partition-evolution
public struct PartitionChange: Sendable, Hashable {
    public enum Operation: Sendable, Hashable {
        /// One more field, at the end.
        case add(PartitionTerm)
        /// Takes away the field of this name, or else the one with the term that the text stands for.
        case drop(String)
        /// Exactly these fields, in this order; none leaves the table unpartitioned.
        case set([PartitionTerm])
        case rename(String, to: String)
    }

    public var operations: [Operation]

    public init(_ operations: [Operation]) { self.operations = operations }

    /// Reads `{"set": "day(ts), country"}`, or any of `{"add": "bucket(16, id)", "drop": "ts_day", "rename":
    /// {"old": "new"}}`, which apply in the order rename, drop, add. Throws `.invalidInput` (`bad_partition`).
    public init(json: JSONValue) throws(FirnError) {
        guard let members = json.objectValue, !members.isEmpty,
            members.allSatisfy({ ["set", "add", "drop", "rename"].contains($0.key) }),
            json["set"] == nil || members.count == 1
        else { throw Self.bad("\"partition\" takes either \"set\", or \"add\", \"drop\" and \"rename\"") }
        var operations: [Operation] = []
        for pair in json["rename"]?.objectValue ?? [] {
            operations.append(.rename(pair.key, to: try Self.text(pair.value)))
        }
        if let json = json["drop"] { operations += try Self.drops(try Self.text(json)) }
        if let json = json["add"] { operations += try ShortSchema.parsePartition(Self.text(json)).map(Operation.add) }
        if let json = json["set"] { operations.append(.set(try ShortSchema.parsePartition(Self.text(json)))) }
        guard !operations.isEmpty else { throw Self.bad("the partition change is empty") }
        self.init(operations)
    }

    /// One drop a term of `day(ts), id_bucket_16`.
    public static func drops(_ text: String) throws(FirnError) -> [Operation] {
        var terms: [String] = []
        var (depth, start) = (0, text.startIndex)
        for index in text.indices {
            switch text[index] {
            case "(": depth += 1
            case ")": depth -= 1
            case "," where depth == 0:
                terms.append(String(text[start..<index]))
                start = text.index(after: index)
            default: break
            }
        }
        terms.append(String(text[start...]))
        let trimmed = terms.map { term in
            String(term.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        guard !trimmed.contains("") else { throw bad("\"\(text)\" names no partition field") }
        return trimmed.map(Operation.drop)
    }

    private static func text(_ json: JSONValue) throws(FirnError) -> String {
        guard let text = json.stringValue else { throw bad("\(json.text.prefix(200)) must be text") }
        return text
    }

    static func bad(_ message: String, _ context: [String: String] = [:]) -> FirnError {
        FirnError(.invalidInput, "bad_partition", message, context: context)
    }
}

extension TableMetadata {
    /// The metadata with the change made: a spec that divides rows so, found or added, is the default.
    ///
    /// A field that an earlier spec had keeps its id, and without another name its name; new fields are named as other
    /// engines name them (`id_bucket_16`, `ts_day`).
    ///
    /// Throws `.invalidInput` (`bad_partition`, `bad_partition_spec`, `unknown_column`), `.notFound`
    /// (`unknown_partition_field`).
    public func partitioned(by change: PartitionChange) throws(FirnError) -> TableMetadata {
        var fields = defaultSpec.fields
        for operation in change.operations {
            switch operation {
            case .add(let term): try add(term, to: &fields)
            case .drop(let text): fields.remove(at: try place(of: text, in: fields))
            case .rename(let name, let new):
                guard let index = fields.firstIndex(where: { $0.name == name }) else {
                    guard fields.contains(where: { $0.name == new }) else { throw Self.unknownField(name, fields) }
                    continue
                }
                fields[index].name = new
            case .set(let terms):
                let old = fields
                fields = []
                for term in terms {
                    let wanted = try bound(term)
                    // A field that stays keeps its name.
                    let kept = old.first { $0.sourceId == wanted.sourceId && $0.transform == wanted.transform }
                    guard let kept, term.name == nil || term.name == kept.name else {
                        try add(term, to: &fields)
                        continue
                    }
                    fields.append(kept)
                }
            }
        }
        guard fields != defaultSpec.fields else { return self }
        var metadata = self
        try metadata.setDefaultSpec(metadata.addSpec(PartitionSpec(fields: fields)))
        return metadata
    }

    private func add(_ term: PartitionTerm, to fields: inout [PartitionField]) throws(FirnError) {
        let field = try bound(term)
        let same = fields.first { $0.sourceId == field.sourceId && $0.transform == field.transform }
        if let same {
            guard term.name == nil || term.name == same.name else {
                throw PartitionChange.bad(
                    "the table is partitioned by this term as \"\(same.name)\" already", ["partition": field.name])
            }
            return
        }
        fields.append(field)
    }

    /// A field for a term; it has the id and the name of an equal one of any earlier spec.
    private func bound(_ term: PartitionTerm) throws(FirnError) -> PartitionField {
        var field = try PartitionField(term, schema: currentSchema)
        let equal = partitionSpecs.reversed().lazy.flatMap(\.fields).first {
            $0.sourceId == field.sourceId && $0.transform == field.transform
        }
        if let equal {
            field.fieldId = equal.fieldId
            if term.name == nil { field.name = equal.name }
        }
        return field
    }

    private func place(of text: String, in fields: [PartitionField]) throws(FirnError) -> Int {
        if let index = fields.firstIndex(where: { $0.name == text }) { return index }
        let term = try? ShortSchema.parsePartition(text)
        if let term, term.count == 1, let wanted = try? PartitionField(term[0], schema: currentSchema),
            let index = fields.firstIndex(where: {
                $0.sourceId == wanted.sourceId && $0.transform == wanted.transform
            })
        {
            return index
        }
        throw Self.unknownField(text, fields)
    }

    private static func unknownField(_ text: String, _ fields: [PartitionField]) -> FirnError {
        let names = fields.map(\.name).joined(separator: ", ")
        return FirnError(
            .notFound, "unknown_partition_field",
            "the table is not partitioned by \"\(text)\"; its partition fields are \(names.isEmpty ? "none" : names)",
            context: ["partition": text])
    }
}

extension PartitionField {
    /// Binds a term to a schema and names it as other engines name a field that joins a spec.
    ///
    /// Throws `.invalidInput` (`unknown_column`, `bad_partition`).
    public init(_ term: PartitionTerm, schema: Schema) throws(FirnError) {
        let source = try schema.source(term.column)
        let transform = Transform(parsing: term.argument.map { "\(term.transform)[\($0)]" } ?? term.transform)
        guard transform.accepts(source.type) else {
            throw PartitionChange.bad(
                "\(transform) cannot be applied to column \"\(term.column)\" of type \(source.type)",
                ["column": term.column])
        }
        let base = term.column.split(separator: ".").joined(separator: "_")
        let name =
            switch transform {
            case .identity: base
            case .bucket(let count): "\(base)_bucket_\(count)"
            case .truncate(let width): "\(base)_trunc_\(width)"
            case .void: base + "_null"
            default: base + "_" + transform.description
            }
        self.init(sourceId: source.id, name: term.name ?? name, transform: transform)
    }
}

extension Schema {
    /// The column that a partition or sort term derives from. Throws `.invalidInput` (`unknown_column`).
    func source(_ path: String) throws(FirnError) -> Field {
        guard let field = field(path: path) else {
            let known = fields.map(\.name).joined(separator: ", ")
            throw FirnError(.invalidInput, "unknown_column", "there is no column \"\(path)\"; the columns are \(known)")
        }
        return field
    }
}
