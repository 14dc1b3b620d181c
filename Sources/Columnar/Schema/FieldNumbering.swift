extension Schema {
    /// The same schema with ids from 1 on: all fields of a struct, then what lies beneath each of them, as Iceberg's
    /// own implementations number a new table. Identifier fields follow their fields.
    public func numbered() -> Schema {
        var numbering = FieldNumbering()
        let numbered = numbering.fields(fields)
        return Schema(
            schemaId: schemaId, fields: numbered,
            identifierFieldIds: identifierFieldIds.compactMap { numbering.newIds[$0] })
    }
}

private struct FieldNumbering {
    private var last = 0
    private(set) var newIds: [Int: Int] = [:]

    private mutating func next(_ old: Int) -> Int {
        last += 1
        newIds[old] = last
        return last
    }

    mutating func fields(_ fields: [Field]) -> [Field] {
        var result = fields
        for index in result.indices { result[index].id = next(fields[index].id) }
        for index in result.indices { result[index].type = type(fields[index].type) }
        return result
    }

    private mutating func type(_ type: DataType) -> DataType {
        switch type {
        case .structure(let old): return .structure(StructType(fields: fields(old.fields)))
        case .list(var list):
            list.elementId = next(list.elementId)
            list.element = self.type(list.element)
            return .list(list)
        case .map(var map):
            map.keyId = next(map.keyId)
            map.valueId = next(map.valueId)
            map.key = self.type(map.key)
            map.value = self.type(map.value)
            return .map(map)
        default: return type
        }
    }
}
