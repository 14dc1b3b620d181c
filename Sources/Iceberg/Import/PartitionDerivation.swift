import Base
import Columnar

/// Finds the partition that all rows of an existing file lie in.
///
/// For each field of the default spec:
///
/// 1. `void` is null.
/// 2. The footer says that all values are null: null.
/// 3. It says that none is, and its bounds give the same transformed value under a transform that keeps order: that
///    value. Under `bucket` the bounds themselves must be one value.
/// 4. The footer says otherwise: an error, whatever the path says.
/// 5. It does not tell, and the field is an identity: the value behind `name=` in the path, as Hive lays tables out.
///    Readers then take the column from the partition where the file lacks it.
/// 6. Else nothing is known: an error.
struct PartitionDerivation: Sendable {
    private let spec: PartitionSpec
    private let schema: Schema

    init(_ metadata: TableMetadata) throws(FirnError) {
        spec = metadata.defaultSpec
        schema = metadata.currentSchema
        for field in spec.fields {
            guard case .unknown(let name) = field.transform else { continue }
            throw FirnError(
                .unsupported, "unknown_transform",
                "files cannot be added to a table partitioned by \"\(name)\", a transform that is not known here",
                context: ["partition": field.name])
        }
    }

    func partition(of location: String, _ metrics: FooterMetrics) throws(FirnError) -> [Value] {
        guard !spec.fields.isEmpty else { return [] }
        let components = Self.components(location)
        var tuple: [Value] = []
        for field in spec.fields {
            guard let column = schema.field(id: field.sourceId) else {
                tuple.append(.null)
                continue
            }
            do {
                tuple.append(try value(field, column, metrics.byField[field.sourceId], components))
            } catch { throw error.adding(["file": location, "partition": field.name]) }
        }
        return tuple
    }

    private func value(
        _ field: PartitionField, _ column: Field, _ metrics: FooterMetrics.Column?,
        _ components: [(name: String, value: String)]
    ) throws(FirnError) -> Value {
        if field.transform == .void { return .null }
        let what = field.transform.term(schema.path(id: column.id) ?? column.name)
        func mixed(_ reason: String) -> FirnError {
            FirnError(.invalidInput, "partition_mixed", "the file's rows lie in several partitions: \(what) \(reason)")
        }
        if let metrics {
            if metrics.nullCount == metrics.metrics.valueCount { return .null }
            if let lower = metrics.metrics.lowerBound, let upper = metrics.metrics.upperBound {
                let (low, high) = (field.transform.apply(lower), field.transform.apply(upper))
                guard low == high, field.transform.preservesOrder || lower == upper else {
                    throw mixed("goes from \(low.plainText) to \(high.plainText)")
                }
                guard metrics.nullCount ?? 0 == 0 else { throw mixed("is null in some rows") }
                // Bounds do not speak of NaN.
                let hasNaN = column.type == .float || column.type == .double ? metrics.metrics.nanCount != 0 : false
                if metrics.nullCount == 0, !hasNaN { return low }
            }
        }
        if field.transform == .identity, let value = try pathValue(field, column, components) { return value }
        throw FirnError(
            .invalidInput, "partition_unknown",
            "neither the file's statistics nor its path say in which partition of \(what) its rows lie")
    }

    private func pathValue(
        _ field: PartitionField, _ column: Field, _ components: [(name: String, value: String)]
    ) throws(FirnError) -> Value? {
        let names = [field.name, column.name]
        let found =
            components.last { names.contains($0.name) }
            ?? components.last { part in names.contains { $0.lowercased() == part.name.lowercased() } }
        guard let found else { return nil }
        if found.value == "__HIVE_DEFAULT_PARTITION__" { return .null }
        do {
            return try Value(parsing: found.value, as: column.type)
        } catch {
            throw FirnError(
                .invalidInput, "partition_unknown",
                "\"\(found.name)=\(found.value)\" in the path is no value of type \(column.type)", cause: error)
        }
    }

    /// The folders `name=value` of a path, decoded.
    static func components(_ location: String) -> [(name: String, value: String)] {
        location.split(separator: "/").dropLast().compactMap { part in
            guard let equals = part.firstIndex(of: "="), equals != part.startIndex else { return nil }
            return (decode(part[..<equals]), decode(part[part.index(after: equals)...]))
        }
    }

    /// Percent-decodes; what is no escape stands for itself.
    private static func decode(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(code)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
