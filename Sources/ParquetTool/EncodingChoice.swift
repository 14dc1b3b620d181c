import Base
import Columnar
import Parquet

/// Finds the columns that `--encoding` means.
enum EncodingChoice {
    typealias Encoding = ParquetWriteOptions.Encoding

    private static let names: [(name: String, encoding: Encoding)] = [
        ("plain", .plain), ("dictionary", .dictionary), ("delta_binary_packed", .deltaBinaryPacked),
        ("delta_length_byte_array", .deltaLengthByteArray), ("delta_byte_array", .deltaByteArray),
        ("byte_stream_split", .byteStreamSplit), ("rle", .rle),
    ]

    /// Encodings by leaf field id.
    static func resolve(
        _ choices: [String], _ schema: Schema, _ version: ParquetWriteOptions.PageVersion
    ) throws(FirnError) -> [Int: Encoding] {
        var found: [Int: Encoding] = [:]
        for choice in choices {
            guard choice.contains("=") else {
                let encoding = try encoding(choice)
                for (_, field) in schema.allFields
                where found[field.id] == nil && fits(encoding, field.type, version) {
                    found[field.id] = encoding
                }
                continue
            }
            let (column, name) = try WriteSettings.split(choice, "--encoding COLUMN=ENCODING")
            found[try WriteSettings.field(column, in: schema).id] = try encoding(name)
        }
        return found
    }

    private static func encoding(_ name: String) throws(FirnError) -> Encoding {
        if let known = names.first(where: { $0.name == name.lowercased() }) { return known.encoding }
        throw WriteSettings.invalid(
            "unknown encoding \"\(name)\"; known: \(names.map(\.name).joined(separator: ", "))")
    }

    /// BYTE_STREAM_SPLIT is for float and double alone here, since not every reader takes it for other types.
    private static func fits(
        _ encoding: Encoding, _ type: DataType, _ version: ParquetWriteOptions.PageVersion
    ) -> Bool {
        switch (encoding, type) {
        case (_, .structure), (_, .list), (_, .map): false
        case (.plain, _): true
        case (.dictionary, .boolean): false
        case (.dictionary, _): true
        case (.rle, .boolean): version == .v2
        case (.byteStreamSplit, .float), (.byteStreamSplit, .double): true
        case (.deltaLengthByteArray, .string), (.deltaLengthByteArray, .binary): true
        case (.deltaByteArray, .string), (.deltaByteArray, .binary), (.deltaByteArray, .fixed),
            (.deltaByteArray, .uuid):
            true
        case (.deltaByteArray, .decimal(let precision, _)): precision > 18
        case (.deltaBinaryPacked, .decimal(let precision, _)): precision <= 18
        case (.deltaBinaryPacked, .int), (.deltaBinaryPacked, .long), (.deltaBinaryPacked, .date),
            (.deltaBinaryPacked, .time), (.deltaBinaryPacked, .timestamp), (.deltaBinaryPacked, .timestamptz),
            (.deltaBinaryPacked, .timestampNs), (.deltaBinaryPacked, .timestamptzNs):
            true
        default: false
        }
    }
}
