extension DataType {
    /// The same type with every id 0.
    public var withoutIds: DataType {
        switch self {
        case .structure(let type):
            .structure(
                StructType(
                    fields: type.fields.map {
                        Field(
                            id: 0, name: $0.name, required: $0.required, type: $0.type.withoutIds, doc: $0.doc,
                            initialDefault: $0.initialDefault, writeDefault: $0.writeDefault)
                    }))
        case .list(let type):
            .list(ListType(elementId: 0, element: type.element.withoutIds, elementRequired: type.elementRequired))
        case .map(let type):
            .map(
                MapType(
                    keyId: 0, key: type.key.withoutIds, valueId: 0, value: type.value.withoutIds,
                    valueRequired: type.valueRequired))
        default: self
        }
    }

    /// True when every value of this primitive is one of `type` too, and Iceberg lets a column change so, also when
    /// both are the same.
    ///
    /// Spec: https://iceberg.apache.org/spec/#schema-evolution (valid type promotions of versions 1 and 2)
    public func widens(to type: DataType) -> Bool {
        switch (self, type) {
        case (.int, .long), (.float, .double): true
        case (.decimal(let precision, let scale), .decimal(let wider, let same)): scale == same && precision <= wider
        default: isPrimitive && self == type
        }
    }

    /// True when Iceberg lets a column of this type become one of `type`: `widens(to:)` and, in tables of version 3,
    /// date to timestamp or timestamp_ns, and unknown to any type that is not nested.
    ///
    /// Spec: https://iceberg.apache.org/spec/#schema-evolution (valid type promotions)
    public func promotes(to type: DataType) -> Bool {
        switch (self, type) {
        case (.date, .timestamp), (.date, .timestampNs): true
        case (.unknown, .structure), (.unknown, .list), (.unknown, .map): false
        case (.unknown, _): true
        default: widens(to: type)
        }
    }
}
