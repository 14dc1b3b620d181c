import Base
import Columnar

/// One column of a partition tuple.
public struct PartitionField: Hashable, Sendable {
    /// The field id of the table column it derives from.
    public var sourceId: Int
    /// Its own id, 1000 or more, unique in the table for ever.
    public var fieldId: Int
    public var name: String
    public var transform: Transform

    public init(sourceId: Int, fieldId: Int = 0, name: String, transform: Transform) {
        self.sourceId = sourceId
        self.fieldId = fieldId
        self.name = name
        self.transform = transform
    }
}

/// How rows are divided over files. Spec: https://iceberg.apache.org/spec/#partition-specs
public struct PartitionSpec: Hashable, Sendable {
    public var specId: Int
    public var fields: [PartitionField]

    public init(specId: Int = 0, fields: [PartitionField] = []) {
        self.specId = specId
        self.fields = fields
    }

    public static let unpartitioned = PartitionSpec()

    public var isUnpartitioned: Bool { fields.allSatisfy { $0.transform == .void } }

    /// True when both divide rows alike, whatever the ids of spec and fields.
    public func isCompatible(with other: PartitionSpec) -> Bool {
        fields.count == other.fields.count
            && zip(fields, other.fields).allSatisfy {
                $0.sourceId == $1.sourceId && $0.name == $1.name && $0.transform == $1.transform
            }
    }

    /// The fields of the partition tuple, typed by their source columns, in spec order.
    ///
    /// `sourceType` finds the type of a column id; a column that no schema knows any more counts as string.
    public func partitionFields(sourceType: (Int) -> DataType?) -> [Field] {
        fields.map {
            Field(
                id: $0.fieldId, name: $0.name, required: false,
                type: $0.transform.resultType(of: sourceType($0.sourceId) ?? .string))
        }
    }
}
