import Base
import Columnar

/// Turns the raw bounds of a column chunk into values.
enum StatisticsReader {
    /// Either bound is nil when it is absent or cannot be trusted.
    static func bounds(
        _ statistics: ParquetFooter.Statistics, _ leaf: SchemaLeaf, _ wanted: DataType?
    ) -> (lower: Value?, upper: Value?)? {
        guard let stored = leaf.dataType, leaf.isSigned, leaf.hasKnownOrder else { return nil }
        let type = wanted ?? stored
        guard type.isPrimitive, ValueConversion.isReadable(leaf, as: type) else { return nil }
        var lower = value(statistics.minValue, leaf, type)
        var upper = value(statistics.maxValue, leaf, type)
        // A NaN bound says nothing, and a zero may stand for either zero.
        switch (lower, upper) {
        case (.float(let low), .float(let high)):
            if low.isNaN || high.isNaN { return nil }
            if low == 0 { lower = .float(-0.0) }
            if high == 0 { upper = .float(0.0) }
        case (.double(let low), .double(let high)):
            if low.isNaN || high.isNaN { return nil }
            if low == 0 { lower = .double(-0.0) }
            if high == 0 { upper = .double(0.0) }
        case (.float, _), (.double, _), (_, .float), (_, .double): return nil
        default: break
        }
        return (lower, upper)
    }

    private static func value(_ raw: [UInt8]?, _ leaf: SchemaLeaf, _ type: DataType) -> Value? {
        guard let raw else { return nil }
        // A cut bound need not be valid text, and repairing it could narrow it.
        if type == .string, String(validating: raw, as: UTF8.self) == nil { return nil }
        do throws(FirnError) {
            let values = try PhysicalValues(leaf.element)
            switch values {
            case .bytes(let offsets, let bytes):
                guard raw.count <= Int(Int32.max) else { return nil }
                raw.withUnsafeBufferPointer { bytes.append($0) }
                offsets.append(Int32(raw.count))
            case .fixed(let bytes, let width):
                guard raw.count == width else { return nil }
                raw.withUnsafeBufferPointer { bytes.append($0) }
            default: try append(raw, to: values)
            }
            guard values.count == 1 else { return nil }
            let storage = try ValueConversion.storage(values, leaf, as: type)
            return Column(type: type, rowCount: 1, validity: nil, nullCount: 0, storage: storage).value(at: 0)
        } catch { return nil }
    }

    private static func append(_ raw: [UInt8], to values: PhysicalValues) throws(FirnError) {
        do {
            try raw.withUnsafeBytes { try values.appendPlain($0, count: 1) }
        } catch { throw error as! FirnError }
    }
}
