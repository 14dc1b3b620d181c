import Base
import Iceberg

/// What the format allows, or nearly, and some reader stumbles over.
enum PeerChecks {
    /// Fields of a manifest list's rows that PyIceberg and DuckDB insist on.
    private static let listFieldIds: Set<Int> = [500, 501, 502, 503, 504, 505, 506, 512, 513, 514, 515, 516, 517]

    static func list(_ shape: ManifestShape, _ path: String, formatVersion: Int) -> [Finding] {
        var findings = common(shape, path)
        let missing = listFieldIds.subtracting(shape.fieldIds).sorted()
        if formatVersion > 1, !missing.isEmpty, !shape.lacksFieldIds {
            findings.append(
                Finding(
                    .listFieldsMissing, path,
                    found: "no fields of ids \(missing.map(String.init).joined(separator: ", "))",
                    expected: "all fields of a manifest_file"))
        }
        if formatVersion > 1, !shape.keys.contains("format-version") {
            findings.append(
                Finding(.avroKeyValuesMissing, path, found: "no key format-version", expected: "the key"))
        }
        return findings
    }

    static func manifest(_ shape: ManifestShape, _ path: String) -> [Finding] {
        let missing = ["schema", "partition-spec"].filter { !shape.keys.contains($0) }
        return common(shape, path)
            + missing.map { Finding(.avroKeyValuesMissing, path, found: "no key \($0)", expected: "the key") }
    }

    private static func common(_ shape: ManifestShape, _ path: String) -> [Finding] {
        var findings: [Finding] = []
        func add(_ code: FindingCode, _ found: String, _ expected: String) {
            findings.append(Finding(code, path, found: found, expected: expected))
        }
        if shape.codec == nil { add(.avroCodecMissing, "no key avro.codec", "deflate or null") }
        if shape.codec == "zstandard" { add(.avroCodecZstandard, "codec zstandard", "deflate or null") }
        if shape.lacksFieldIds { add(.avroFieldIdsMissing, "fields without field-id", "field-id on every field") }
        if shape.lacksElementIds { add(.avroElementIdsMissing, "an array without element-id", "element-id") }
        if shape.lacksMapType {
            add(.avroMapTypeMissing, "a map without logicalType", "\"logicalType\": \"map\"")
        }
        if shape.hasNullLast { add(.avroUnionOrder, "a union with null last", "null first") }
        return findings
    }

    /// Names that all readers find a version in: `00012-<uuid>`, `v12`, `v12-<uuid>`, and `.metadata.json` after it.
    static func metadataName(_ location: String) -> [Finding] {
        let name = location.split(separator: "/").last.map(String.init) ?? location
        let suffix = ".metadata.json"
        var stem = name.hasSuffix(suffix) ? name.dropLast(suffix.count)[...] : ""
        if stem.hasSuffix(".gz") { stem = stem.dropLast(3) }
        if stem.hasPrefix("v") { stem = stem.dropFirst() }
        let digits = stem.prefix { $0.isASCII && $0.isNumber }
        let rest = stem.dropFirst(digits.count)
        let isPlain = name.hasPrefix("v") && rest.isEmpty
        let hasUUID = rest.hasPrefix("-") && UUID(rest.dropFirst()) != nil
        guard digits.isEmpty || !(isPlain || hasUUID) else { return [] }
        return [
            Finding(
                .metadataNameUnknown, location, found: name, expected: "00001-<uuid>.metadata.json or v1.metadata.json")
        ]
    }
}
