import Base
import Columnar

extension Transform {
    /// The transformed column, row by row the same as `apply` on values.
    ///
    /// Precondition: the transform `accepts` the column's type.
    public func apply(_ column: Column) -> Column {
        switch self {
        case .identity: return column
        case .day: return map(column, to: .date, perDate: { $0 }, perMicros: Self.divide(CivilTime.microsPerDay))
        case .hour:
            return map(
                column, to: .int, perDate: { _ in preconditionFailure("a date has no hour") },
                perMicros: Self.divide(CivilTime.microsPerHour))
        case .year:
            return map(column, to: .int) {
                Int32(truncatingIfNeeded: Self.year(ofDays: Int64($0)))
            } perMicros: {
                Int32(
                    truncatingIfNeeded: Self.year(
                        ofDays: CivilTime.floorDivide($0, CivilTime.microsPerDay).quotient))
            }
        case .month:
            return map(column, to: .int) {
                Int32(truncatingIfNeeded: Self.month(ofDays: Int64($0)))
            } perMicros: {
                Int32(
                    truncatingIfNeeded: Self.month(
                        ofDays: CivilTime.floorDivide($0, CivilTime.microsPerDay).quotient))
            }
        case .bucket(let count): return bucket(column, count)
        case .truncate, .void, .unknown:
            let builder = ColumnBuilder(resultType(of: column.type), rowCapacity: column.rowCount)
            for row in 0..<column.rowCount { builder.append(apply(column.value(at: row))) }
            return builder.finish()
        }
    }

    /// Spec: https://iceberg.apache.org/spec/#appendix-b-32-bit-hash-requirements
    private func bucket(_ column: Column, _ count: Int) -> Column {
        let count = UInt32(count)
        let output = Buffer<Int32>(capacity: column.rowCount)
        func put(_ hash: UInt32) { output.append(Int32((hash & 0x7fff_ffff) % count)) }
        switch column.storage {
        case .int32(let values):
            for value in values.values { put(Murmur3.hash32(UInt64(bitPattern: Int64(value)))) }
        case .int64(let values) where column.type.isNanoseconds:
            for value in values.values {
                put(Murmur3.hash32(UInt64(bitPattern: CivilTime.floorDivide(value, 1000).quotient)))
            }
        case .int64(let values): for value in values.values { put(Murmur3.hash32(UInt64(bitPattern: value))) }
        case .decimal(let values): for value in values.values { put(Murmur3.hash32(SingleValue.bigEndian(value))) }
        case .bytes(let offsets, let bytes):
            let bytes = UnsafeRawBufferPointer(bytes.values)
            for row in 0..<column.rowCount {
                put(Murmur3.hash32(UnsafeRawBufferPointer(rebasing: bytes[Int(offsets[row])..<Int(offsets[row + 1])])))
            }
        case .fixed(let bytes, let width):
            let bytes = UnsafeRawBufferPointer(bytes.values)
            for row in 0..<column.rowCount {
                put(Murmur3.hash32(UnsafeRawBufferPointer(rebasing: bytes[row * width..<(row + 1) * width])))
            }
        case .boolean, .float, .double, .structure, .list, .map:
            preconditionFailure("\(self) of a column of type \(column.type)")
        }
        return Column(
            type: .int, rowCount: column.rowCount, validity: column.validity, nullCount: column.nullCount,
            storage: .int32(output))
    }

    private static func divide(_ unit: Int64) -> (Int64) -> Int32 {
        { Int32(truncatingIfNeeded: CivilTime.floorDivide($0, unit).quotient) }
    }

    private func map(
        _ column: Column, to type: DataType, perDate: (Int32) -> Int32, perMicros: (Int64) -> Int32
    ) -> Column {
        let output = Buffer<Int32>(capacity: column.rowCount)
        switch column.storage {
        case .int32(let values): for value in values.values { output.append(perDate(value)) }
        case .int64(let values) where column.type.isNanoseconds:
            for value in values.values { output.append(perMicros(CivilTime.floorDivide(value, 1000).quotient)) }
        case .int64(let values): for value in values.values { output.append(perMicros(value)) }
        default: preconditionFailure("\(self) of a column of type \(column.type)")
        }
        return Column(
            type: type, rowCount: column.rowCount, validity: column.validity, nullCount: column.nullCount,
            storage: .int32(output))
    }
}
