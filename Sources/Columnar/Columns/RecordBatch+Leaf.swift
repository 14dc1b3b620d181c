import Base

extension RecordBatch {
    /// The column of a field id, through structs; a null struct's leaf is null. Nil for an id that the batch lacks.
    public func leaf(_ id: Int) -> Column? {
        guard let chain = schema.chain(to: id),
            let index = schema.fields.firstIndex(where: { $0.id == chain[0].id })
        else { return nil }
        var column = columns[index]
        for (level, field) in chain.enumerated() where level > 0 {
            guard case .structure(let children) = column.storage, case .structure(let type) = chain[level - 1].type,
                let place = type.fields.firstIndex(where: { $0.id == field.id })
            else { return nil }
            column = children[place].masked(by: column)
        }
        return column
    }
}

extension Column {
    /// This column, null as well where `parent` is.
    public func masked(by parent: Column) -> Column {
        guard let outer = parent.validity else { return self }
        let bits = Buffer<UInt8>(capacity: rowCount)
        var nulls = 0
        for row in 0..<rowCount {
            let valid = outer[row] != 0 && !isNull(row)
            bits.append(valid ? 1 : 0)
            if !valid { nulls += 1 }
        }
        return Column(type: type, rowCount: rowCount, validity: bits, nullCount: nulls, storage: storage)
    }
}
