import Base
import Columnar

/// A member of a struct that no column holds.
struct MemberKey: Hashable {
    let node: Int
    let name: [UInt8]
}

/// What one record needs beyond a schema.
struct RecordNeeds {
    /// New members in order of appearance, each with all that was seen of it, this record included.
    private(set) var members: [(key: MemberKey, type: InferredType)] = []
    private var places: [MemberKey: Int] = [:]
    var wider: [Int: DataType] = [:]
    var optional: Set<Int> = []

    var isEmpty: Bool { members.isEmpty && wider.isEmpty && optional.isEmpty }

    subscript(_ key: MemberKey) -> InferredType? {
        get { places[key].map { members[$0].type } }
        set {
            guard let newValue else { return }
            if let place = places[key] {
                members[place].type = newValue
            } else {
                places[key] = members.count
                members.append((key, newValue))
            }
        }
    }
}

/// What the records seen so far need beyond a schema.
final class EvolutionNeeds {
    /// One field at any depth; node 0 is the record itself.
    struct Node {
        let path: ColumnPath
        let type: DataType
        let required: Bool
        /// A record may leave it out: it is optional, or has a default.
        let mayBeAbsent: Bool
        /// Not so for what identifies rows, nor in keys of maps.
        let mayBeOptional: Bool
        /// False in keys of maps, which cannot change at all.
        let mayChange: Bool
        /// Fields of a struct; element of a list; key and value of a map.
        fileprivate(set) var children: [Int] = []
        /// Children of a struct by name, compared byte by byte.
        fileprivate(set) var named: [[UInt8]: Int] = [:]
        /// What names of new columns must not clash with.
        fileprivate(set) var taken: Set<String> = []
    }

    /// False when keys that name no column are ignored.
    let addsColumns: Bool
    private(set) var nodes: [Node] = []
    private var added: [MemberKey: InferredType] = [:]
    private var order: [MemberKey] = []
    private var wider: [Int: DataType] = [:]
    private var optional: Set<Int> = []
    private var columnCount: Int

    init(schema: Schema, addsColumns: Bool) {
        self.addsColumns = addsColumns
        columnCount = schema.allFields.count
        let identifying = Set(schema.identifierFieldIds.flatMap { schema.chain(to: $0) ?? [] }.map(\.id))
        let root = Field(id: 0, name: "", required: true, type: .structure(schema.structType))
        _ = add(root, .root, identifying, isKey: false)
    }

    private func add(_ field: Field, _ path: ColumnPath, _ identifying: Set<Int>, isKey: Bool) -> Int {
        let index = nodes.count
        nodes.append(
            Node(
                path: path, type: field.type, required: field.required,
                mayBeAbsent: !field.required || field.writeDefault != nil,
                mayBeOptional: index > 0 && !isKey && !identifying.contains(field.id), mayChange: !isKey))
        switch field.type {
        case .structure(let type):
            for child in type.fields {
                let number = add(child, path.appending(child.name), identifying, isKey: isKey)
                nodes[index].children.append(number)
                nodes[index].named[Array(child.name.utf8)] = number
                nodes[index].taken.formUnion(AvroNames.clashKeys(child.name))
            }
        case .list(let type):
            nodes[index].children = [add(type.elementField, path.appending("element"), identifying, isKey: isKey)]
        case .map(let type):
            let key = add(type.keyField, path.appending("key"), identifying, isKey: true)
            nodes[index].children = [key, add(type.valueField, path.appending("value"), identifying, isKey: isKey)]
        default: break
        }
        return index
    }

    /// All that was seen so far of a member that no column holds.
    func seen(_ key: MemberKey) -> InferredType { added[key] ?? .nothing }

    /// The type that the records before want a field to have, nil for its own.
    func wanted(_ node: Int) -> DataType? { wider[node] }

    /// Takes in what a record needs, or nothing of it. False when it needs nothing or cannot have it.
    func accept(_ record: RecordNeeds) -> Bool {
        guard !record.isEmpty, let grown = columnsAfter(record) else { return false }
        columnCount = grown
        for (key, type) in record.members {
            if added.updateValue(type, forKey: key) == nil {
                order.append(key)
                nodes[key.node].taken.formUnion(AvroNames.clashKeys(String(decoding: key.name, as: UTF8.self)))
            }
        }
        wider.merge(record.wider) { $1 }
        optional.formUnion(record.optional)
        return true
    }

    /// Columns of the schema once it has what the record needs; nil when it cannot.
    private func columnsAfter(_ record: RecordNeeds) -> Int? {
        var count = columnCount
        var fresh: [Int: Set<String>] = [:]
        for (key, type) in record.members {
            let before = added[key]
            if before == nil {
                let name = String(decoding: key.name, as: UTF8.self)
                guard nodes[key.node].mayChange, ColumnNames.isValid(name) else { return nil }
                for clash in AvroNames.clashKeys(name) {
                    guard !nodes[key.node].taken.contains(clash),
                        fresh[key.node, default: []].insert(clash).inserted
                    else { return nil }
                }
            }
            // Names inside the new column are checked when there are more of them than before.
            let (old, new) = (before?.columnCount ?? 0, type.columnCount)
            guard new == old || type.hasValidNames else { return nil }
            count += new - old
        }
        return count <= Limits.columnsMax ? count : nil
    }

    /// Columns to widen and to make optional in the schema's order, then the new ones in order of first appearance.
    var change: SchemaChange {
        var operations: [SchemaChange.Operation] = []
        for (index, node) in nodes.enumerated() {
            if let type = wider[index] { operations.append(.widen(node.path, to: type)) }
            if optional.contains(index) { operations.append(.makeOptional(node.path)) }
        }
        for key in order {
            let field = Field(
                id: 0, name: String(decoding: key.name, as: UTF8.self), required: false, type: seen(key).type)
            operations.append(.addColumn(parent: nodes[key.node].path, field: field))
        }
        return SchemaChange(operations)
    }
}

extension InferredType {
    /// Fields that a column of this type adds to a schema, itself included.
    var columnCount: Int {
        switch self {
        case .structure(let members) where members.order.isEmpty: 3
        case .structure(let members): members.order.reduce(1) { $0 + members[$1].columnCount }
        case .list(let element): 1 + element.columnCount
        default: 1
        }
    }

    /// Whether all nested names may be names of columns beside each other.
    var hasValidNames: Bool {
        switch self {
        case .list(let element): return element.hasValidNames
        case .structure(let members):
            var taken: Set<String> = []
            return members.order.allSatisfy { bytes in
                let name = String(decoding: bytes, as: UTF8.self)
                return ColumnNames.isValid(name) && members[bytes].hasValidNames
                    && AvroNames.clashKeys(name).allSatisfy { taken.insert($0).inserted }
            }
        default: return true
        }
    }
}
