import Base
import Columnar

/// A primitive column of a file, for those who look at its chunks and bounds one by one.
public struct ParquetLeafColumn: Sendable {
    let leaf: SchemaLeaf
    /// The dotted name that people use, without the middle groups of lists and maps: `tags.element`. The columns of a
    /// variant stand beneath it: `payload.value`.
    public let path: String

    /// Index of its chunk in every row group.
    public var column: Int { leaf.column }
    /// The names from the root down, joined by dots, the `list` and `key_value` groups included.
    public var name: String { leaf.name }
    /// As stored in the file, or negative when the file has none.
    public var fieldId: Int { leaf.fieldId }
    public var element: ParquetFooter.SchemaElement { leaf.element }
    /// The type that its values have in Firn; nil when there is none.
    public var type: DataType? { leaf.dataType }
    public var definitionLevelMax: Int { leaf.definitionMax }
    public var repetitionLevelMax: Int { leaf.repetitionMax }

    /// The values of two bounds in PLAIN encoding. Either is nil when it is absent, does not fit the type or cannot be
    /// trusted, as text that was cut in the middle of a character.
    public func bounds(lower: [UInt8]?, upper: [UInt8]?) -> (lower: Value?, upper: Value?) {
        var statistics = ParquetFooter.Statistics()
        statistics.minValue = lower
        statistics.maxValue = upper
        return StatisticsReader.bounds(statistics, leaf, nil) ?? (nil, nil)
    }
}

extension ParquetFooter {
    /// The primitive columns in the order of the chunks. Throws `.corrupted` when the schema is not one whole tree.
    public func leafColumns(source: String) throws(FirnError) -> [ParquetLeafColumn] {
        try SchemaTree.build(schema, source: source).flatMap { $0.leafColumns(prefix: "", name: $0.name) }
    }
}

extension SchemaNode {
    /// The leaves at or beneath this node under the names of Iceberg's schema.
    fileprivate func leafColumns(prefix: String, name: String) -> [ParquetLeafColumn] {
        let path = prefix + name
        switch shape {
        case .leaf(let leaf): return [ParquetLeafColumn(leaf: leaf, path: path)]
        case .structure(let children): return children.flatMap { $0.leafColumns(prefix: path + ".", name: $0.name) }
        case .list(let element): return element.leafColumns(prefix: path + ".", name: "element")
        case .map(let key, let value):
            return key.leafColumns(prefix: path + ".", name: "key")
                + value.leafColumns(prefix: path + ".", name: "value")
        }
    }
}
