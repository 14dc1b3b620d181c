import Base
import Columnar

/// A primitive column of a file, for those who look at its chunks and bounds one by one.
public struct ParquetLeafColumn: Sendable {
    let leaf: SchemaLeaf

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
        try SchemaTree.build(schema, source: source).flatMap(\.leaves).map { ParquetLeafColumn(leaf: $0) }
    }
}
