import Base
import Columnar
import SQLiteKit

/// How an Iceberg type appears in SQL.
///
/// | type                   | SQL value                                | compared                                   |
/// |------------------------|------------------------------------------|--------------------------------------------|
/// | boolean                | INTEGER 0 or 1                           |                                            |
/// | int, long              | INTEGER                                  |                                            |
/// | float, double          | REAL; NaN is NULL                        |                                            |
/// | decimal to 15 digits   | REAL; exact text again in results        | as numbers                                 |
/// | decimal above          | TEXT with all digits                     | as numbers (collation `decimal`)           |
/// | date, time, timestamps | TEXT, ISO 8601                           | as instants (collation `temporal`)         |
/// | string, uuid           | TEXT                                     | by bytes                                   |
/// | fixed, binary          | BLOB                                     | by bytes                                   |
/// | struct, list, map      | TEXT, JSON; see `Column.appendJSON`      | by bytes                                   |
enum SQLType {
    /// The affinity that makes SQLite compare the column as the table above says.
    static func affinity(_ type: DataType) -> String {
        switch type {
        case .boolean, .int, .long: "INTEGER"
        case .float, .double: "REAL"
        case .decimal(let precision, _): precision <= DecimalNumber.realPrecisionMax ? "REAL" : "TEXT"
        case .fixed, .binary: "BLOB"
        case .date, .time, .timestamp, .timestamptz, .timestampNs, .timestamptzNs, .string, .uuid, .structure, .list,
            .map, .variant, .unknown:
            "TEXT"
        }
    }

    static func collation(_ type: DataType) -> String? {
        switch type {
        case .decimal(let precision, _):
            precision <= DecimalNumber.realPrecisionMax ? nil : DecimalNumber.collation
        case .date, .time, .timestamp, .timestamptz, .timestampNs, .timestamptzNs: TemporalText.collation
        default: nil
        }
    }

    /// The value of a result column of a known type as people should see it: exact decimals, no empty fractions.
    static func finished(_ value: SQLValue, as type: DataType) -> SQLValue {
        switch (type, value) {
        case (.decimal(_, let scale), .real(let real)):
            return DecimalNumber.text(real: real, scale: scale).map(SQLValue.text) ?? value
        case (.timestamptz, .text(let text)):
            let utf8 = text.utf8
            guard utf8.count >= 27, text.hasSuffix(".000000Z") else { return value }
            return .text(String(text.dropLast(8)) + "Z")
        case (.timestampNs, .text(let text)):
            return text.hasSuffix(".000000000") ? .text(String(text.dropLast(10))) : value
        case (.timestamptzNs, .text(let text)):
            return text.hasSuffix(".000000000Z") ? .text(String(text.dropLast(11)) + "Z") : value
        default: return value
        }
    }

    static func addCollations(to database: Database) throws {
        try database.addCollation(TemporalText.collation, TemporalText.compare)
        try database.addCollation(DecimalNumber.collation, DecimalNumber.compare)
    }
}

/// The types of a statement's columns, each under a name that SQLite carries from a table's definition to a result.
final class TypeRegistry {
    private var types: [DataType] = []

    /// A declared type with the right affinity, such as `TEXT T3`.
    func declare(_ type: DataType, affinity: String? = nil) -> String {
        let index = types.firstIndex(of: type) ?? types.count
        if index == types.count { types.append(type) }
        return "\(affinity ?? SQLType.affinity(type)) T\(index)"
    }

    func type(declared: String?) -> DataType? {
        guard let declared, let space = declared.lastIndex(of: " ") else { return nil }
        let suffix = declared[declared.index(after: space)...]
        guard suffix.first == "T", let index = Int(suffix.dropFirst()), types.indices.contains(index) else {
            return nil
        }
        return types[index]
    }
}
