import Base
import Columnar

/// The form of a file in the REST catalog's scan plans: values as JSON single values, bounds in their binary form as
/// hexadecimal digits, maps as lists of keys and of values.
///
/// Spec: https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml (ContentFile)
extension DataFile {
    func json(partitionTypes: [DataType], showsStatistics: (Int) -> Bool) -> JSONValue {
        var members: [JSONValue.Member] = []
        func add(_ key: String, _ value: JSONValue?) {
            if let value { members.append(JSONValue.Member(key, value)) }
        }
        func add(_ key: String, _ value: Int64?) { add(key, value.map { .integer($0) }) }
        func add(_ key: String, _ counts: [Int: Int64]) {
            add(key, Self.map(counts, showsStatistics) { .integer($0) })
        }
        func add(_ key: String, _ bounds: [Int: [UInt8]]) {
            add(key, Self.map(bounds, showsStatistics) { .string(Hex.encode($0)) })
        }
        add("spec-id", Int64(specId))
        add(
            "partition",
            .array(
                zip(partition, partitionTypes).map { value, type in
                    (value.fitting(type) ?? .null).singleValueJSON(as: type)
                }))
        add("content", .string(content.protocolName))
        add("file-path", .string(path))
        add("file-format", .string(format.lowercased()))
        add("file-size-in-bytes", fileBytes)
        add("record-count", recordCount)
        if content == .data {
            add("column-sizes", columnSizes)
            add("value-counts", valueCounts)
            add("null-value-counts", nullValueCounts)
            add("nan-value-counts", nanValueCounts)
            add("lower-bounds", lowerBounds)
            add("upper-bounds", upperBounds)
        }
        add("key-metadata", keyMetadata.map { .string(Hex.encode($0)) })
        add("split-offsets", splitOffsets.map { .array($0.map { .integer($0) }) })
        add("equality-ids", equalityIds.map { .array($0.map { .integer(Int64($0)) }) })
        add("sort-order-id", sortOrderId.map(Int64.init))
        add("first-row-id", firstRowId)
        add("referenced-data-file", referencedDataFile.map { .string($0) })
        add("content-offset", contentOffset)
        add("content-size-in-bytes", contentBytes)
        return .object(members)
    }

    /// Nil when nothing is known of what is to be shown.
    private static func map<T>(
        _ values: [Int: T], _ isShown: (Int) -> Bool, _ json: (T) -> JSONValue
    ) -> JSONValue? {
        let shown = values.filter { isShown($0.key) }.sorted { $0.key < $1.key }
        guard !shown.isEmpty else { return nil }
        return [
            "keys": .array(shown.map { .integer(Int64($0.key)) }), "values": .array(shown.map { json($0.value) }),
        ]
    }
}

extension DataFile.Content {
    fileprivate var protocolName: String {
        switch self {
        case .data: "data"
        case .positionDeletes: "position-deletes"
        case .equalityDeletes: "equality-deletes"
        }
    }
}
