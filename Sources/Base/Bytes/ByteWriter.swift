/// Builds little- and big-endian binary formats in a byte array.
public struct ByteWriter: Sendable {
    public var bytes: [UInt8]

    public init(capacity: Int = 256) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    @inlinable public var count: Int { bytes.count }
    @inlinable public mutating func byte(_ value: UInt8) { bytes.append(value) }
    @inlinable public mutating func raw(_ values: some Sequence<UInt8>) { bytes.append(contentsOf: values) }
    @inlinable public mutating func utf8(_ text: String) { bytes.append(contentsOf: text.utf8) }

    @inlinable public mutating func littleEndian(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
    @inlinable public mutating func bigEndian(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    /// Unsigned LEB128, as Thrift compact and Parquet's hybrid runs use it.
    @inlinable public mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }
    /// Zigzag LEB128, as Avro and Thrift compact use it.
    @inlinable public mutating func zigzag(_ value: Int64) {
        varint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    }
}
