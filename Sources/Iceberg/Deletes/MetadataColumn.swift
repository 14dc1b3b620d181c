import Columnar

/// Columns that every data file has without storing them: where a row is and, in tables of format version 3, which row
/// it is.
///
/// Spec: https://iceberg.apache.org/spec/#reserved-field-ids
public enum MetadataColumn: CaseIterable, Sendable {
    /// `_file`: the location of the data file.
    case file
    /// `_pos`: the position of the row in its data file, from 0.
    case position
    /// `_row_id`: stays with a row through updates and rewrites; null in files without row ids.
    case rowId
    /// `_last_updated_sequence_number`: of the commit that last changed the row; null in files without row ids.
    case lastUpdatedSequenceNumber

    public var fieldId: Int {
        switch self {
        case .file: 2_147_483_646
        case .position: 2_147_483_645
        case .rowId: 2_147_483_540
        case .lastUpdatedSequenceNumber: 2_147_483_539
        }
    }

    public var name: String {
        switch self {
        case .file: "_file"
        case .position: "_pos"
        case .rowId: "_row_id"
        case .lastUpdatedSequenceNumber: "_last_updated_sequence_number"
        }
    }

    /// The column, to be put into a schema that `DataFileReader` is asked for.
    public var field: Field {
        let isOptional = self == .rowId || self == .lastUpdatedSequenceNumber
        return Field(id: fieldId, name: name, required: !isOptional, type: self == .file ? .string : .long)
    }

    /// The columns that a rewrite of rows must carry into the new files.
    public static let lineage: [MetadataColumn] = [.rowId, .lastUpdatedSequenceNumber]

    public init?(fieldId: Int) {
        guard let column = Self.allCases.first(where: { $0.fieldId == fieldId }) else { return nil }
        self = column
    }
}
