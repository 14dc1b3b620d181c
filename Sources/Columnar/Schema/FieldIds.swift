/// Gives a schema fresh ids: all fields of one struct first, then what is nested in them, in order.
///
/// Java and PyIceberg number the same way, so a table created here has the ids a client expects.
public struct FieldIds {
    public private(set) var last: Int
    /// New ids by old ones.
    public private(set) var renumbered: [Int: Int] = [:]

    /// Ids start at `last` + 1.
    public init(after last: Int) { self.last = last }

    private mutating func next(_ old: Int) -> Int {
        last += 1
        renumbered[old] = last
        return last
    }

    public mutating func assign(_ fields: [Field]) -> [Field] {
        var output = fields
        for index in output.indices { output[index].id = next(output[index].id) }
        for index in output.indices { output[index].type = assign(output[index].type) }
        return output
    }

    private mutating func assign(_ type: DataType) -> DataType {
        switch type {
        case .structure(let type): return .structure(StructType(fields: assign(type.fields)))
        case .list(var type):
            type.elementId = next(type.elementId)
            type.element = assign(type.element)
            return .list(type)
        case .map(var type):
            type.keyId = next(type.keyId)
            type.valueId = next(type.valueId)
            type.key = assign(type.key)
            type.value = assign(type.value)
            return .map(type)
        default: return type
        }
    }
}

extension Schema {
    /// The same schema with the ids a new table gives its columns, from 1. Identifier fields follow theirs where the
    /// old ids were unique.
    public func numbered() -> Schema {
        var ids = FieldIds(after: 0)
        let fresh = ids.assign(fields)
        return Schema(
            schemaId: schemaId, fields: fresh, identifierFieldIds: identifierFieldIds.compactMap { ids.renumbered[$0] })
    }
}
