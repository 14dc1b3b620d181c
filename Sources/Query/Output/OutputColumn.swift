import Base

/// A column of rows on their way out.
public struct OutputColumn: Sendable, Hashable {
    public let name: String
    /// The Iceberg type, such as `decimal(10, 2)`; nil when only the values tell.
    public let typeName: String?
    /// Nil when only the values tell.
    public let isNumeric: Bool?

    public init(name: String, typeName: String? = nil) {
        self.name = name
        self.typeName = typeName
        isNumeric = typeName.map { Self.numbers.contains($0) || $0.hasPrefix("decimal(") }
    }

    public init(_ column: QueryColumn) {
        self.init(name: column.name, typeName: column.type?.description)
    }

    private static let numbers: Set<String> = ["int", "long", "float", "double"]

    // MARK: In a header

    /// A longer header might be refused on the way.
    static let headerBytesMax = 8 << 10

    /// `[{"name":"id","type":"long"},{"name":"count(*)"}]` in ASCII, for the HTTP header `Firn-Columns`; nil when it
    /// would be long. It tells a client what the rows do not: the columns of an empty result, and their types.
    public static func header(_ columns: [OutputColumn]) -> String? {
        guard columns.count <= headerBytesMax / 8 else { return nil }
        let json = JSONValue.array(
            columns.map { column in
                .object(
                    [.init("name", .string(column.name))]
                        + (column.typeName.map { [.init("type", .string($0))] } ?? []))
            })
        var out = ""
        for unit in json.text.utf16 {
            if unit < 0x7f {
                out.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
            } else {
                let digits = String(unit, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
            if out.utf8.count > headerBytesMax { return nil }
        }
        return out
    }

    /// Reads what `header` wrote; nil for anything else.
    public static func parse(header: String) -> [OutputColumn]? {
        guard let json = try? JSONValue(parsing: Array(header.utf8), source: "header"), let items = json.arrayValue
        else { return nil }
        var columns: [OutputColumn] = []
        for item in items {
            guard let name = item["name"]?.stringValue else { return nil }
            columns.append(OutputColumn(name: name, typeName: item["type"]?.stringValue))
        }
        return columns
    }
}
