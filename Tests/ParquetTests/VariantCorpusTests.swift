import Base
import Columnar
import Testing

@testable import Parquet

/// Variants of the public corpus, written by Java: bare ones beside their JSON, and shredded ones in Parquet files
/// beside what they are when put together.
@Suite struct VariantCorpusTests {
    /// Values whose JSON another program rounded or spelled in another way.
    private static let texts = [
        "primitive_decimal16": "12345678912345678.90", "primitive_decimal8": "12345678.90",
        "primitive_float": "1.234568e+09", "primitive_time": "\"12:33:54.123456\"",
        "primitive_timestamp": "\"2025-04-16T16:34:56.780000Z\"",
        "primitive_timestampntz": "\"2025-04-16T12:34:56.780000\"",
        "primitive_timestamp_nanos": "\"2024-11-07T12:33:54.123456789Z\"",
    ]

    @Test func bareVariantsReadAsTheirJSON() throws {
        guard let names = try PublicCorpus.names("variant"),
            let dictionary = try PublicCorpus.read("variant/data_dictionary.json")
        else { return }
        // The file ends in a comma too many.
        let text = String(decoding: dictionary, as: UTF8.self)
        let cut = text.lastIndex(of: ",").map { text[$0...].allSatisfy { ",}\n ".contains($0) } ? $0 : text.endIndex }
        let json = try JSONValue(parsing: String(text[..<(cut ?? text.endIndex)]) + "}", source: "dictionary")
        var compared = 0
        for name in names.filter({ $0.hasSuffix(".value") }).map({ String($0.dropLast(6)) }) {
            let metadata = try #require(try PublicCorpus.read("variant/\(name).metadata"))
            let value = try #require(try PublicCorpus.read("variant/\(name).value"))
            var out: [UInt8] = []
            try metadata.withUnsafeBufferPointer { metadata in
                try value.withUnsafeBufferPointer { value in
                    try VariantText.append(metadata: metadata, value: value, into: &out)
                }
            }
            if name == "primitive_float" {
                #expect(try JSONValue(parsing: out, source: name).doubleValue.map(Float.init) == 1_234_567_936)
            } else if let expected = Self.texts[name] {
                #expect(String(decoding: out, as: UTF8.self) == expected, "\(name)")
            } else if name == "long_string" {
                // The one value that the dictionary leaves out.
                #expect(try JSONValue(parsing: out, source: name).stringValue.map { $0.utf8.count > 63 } == true)
            } else {
                let expected = try #require(json[name], "\(name)")
                #expect(try Self.sorted(JSONValue(parsing: out, source: name)) == Self.sorted(expected), "\(name)")
            }
            // What is read is written back as the same value.
            let item = try VariantItem(metadata: metadata, value: value)
            let again = try item.encoded()
            #expect(try VariantItem(metadata: again.metadata, value: again.value) == item, "\(name)")
            compared += 1
        }
        #expect(compared >= 29)
    }

    private static func sorted(_ json: JSONValue) -> JSONValue {
        switch json {
        case .array(let items): .array(items.map(sorted))
        case .object(let members):
            .object(members.map { .init($0.key, sorted($0.value)) }.sorted { $0.key < $1.key })
        default: json
        }
    }

    /// Files that break the format and that a reader may read or refuse; these are refused.
    private static let refused: Set<Int64> = [43, 125]

    @Test func shreddedVariantsComeTogether() throws {
        guard let cases = try PublicCorpus.read("shredded_variant/cases.json") else { return }
        let list = try #require(try JSONValue(parsing: cases, source: "cases").arrayValue)
        var (read, failed) = (0, 0)
        for item in list {
            guard let number = item["case_number"]?.intValue, let file = item["parquet_file"]?.stringValue else {
                continue
            }
            let bytes = try #require(try PublicCorpus.read("shredded_variant/" + file))
            if item["error_message"] != nil || Self.refused.contains(number) {
                #expect(throws: FirnError.self, "\(file)") { try Self.variants(bytes) }
                failed += 1
                continue
            }
            let expected: [String?] =
                if let one = item["variant_file"]?.stringValue { [one] } else {
                    (item["variant_files"]?.arrayValue ?? []).map(\.stringValue)
                }
            let found = try Self.variants(bytes)
            #expect(found.count == expected.count, "\(file)")
            for (name, variant) in zip(expected, found) {
                guard let name else {
                    #expect(variant == nil, "\(file)")
                    continue
                }
                let golden = try #require(try PublicCorpus.read("shredded_variant/" + name))
                #expect(variant == (try Self.parse(golden)), "\(name)")
                read += 1
            }
        }
        #expect(read > 100 && failed > 5)
    }

    /// Metadata and value, one behind the other: the metadata tells its own length.
    private static func parse(_ bytes: [UInt8]) throws -> VariantItem {
        let size = Int(bytes[0] >> 6) + 1
        func word(_ at: Int) -> Int { (0..<size).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) } }
        let count = word(1)
        let end = 1 + (count + 2) * size + word(1 + (count + 1) * size)
        return try VariantItem(metadata: Array(bytes[..<end]), value: Array(bytes[end...]))
    }

    /// The rows of the column `var`; nil for a null.
    private static func variants(_ bytes: [UInt8]) throws -> [VariantItem?] {
        let reader = try ParquetFileReader(fileBytes: bytes.count, source: "case") { Array(bytes[$0]) }
        let field = try #require(reader.nodes.first { $0.name == "var" })
        let schema = Schema(fields: [Field(id: field.fieldId, name: "var", required: false, type: .variant)])
        var found: [VariantItem?] = []
        for group in 0..<reader.rowGroupCount {
            let column = try reader.readRowGroup(group, projection: schema).columns[0]
            for row in 0..<column.rowCount {
                found.append(
                    column.isNull(row)
                        ? nil
                        : try column.withVariant(row) { metadata, value throws(FirnError) in
                            try VariantItem(metadata: metadata, value: value)
                        })
            }
        }
        return found
    }
}
