import Base

/// Writes an object container file into memory.
public struct AvroFileWriter: Sendable {
    private var output: ByteWriter
    private var block: ByteWriter
    private var blockRecords: Int64 = 0
    private let codec: AvroCodec
    private let sync: [UInt8]
    public private(set) var recordCount = 0

    /// - Parameters:
    ///   - schemaText: the schema's JSON.
    ///   - metadata: further header entries, in order.
    ///   - sync: random, so that no data looks like it by accident.
    ///
    /// Precondition: `codec` is null or deflate.
    public init(schemaText: [UInt8], metadata: [(key: String, value: [UInt8])], codec: AvroCodec = .deflate, sync: UUID)
    {
        precondition(codec != .zstandard, "zstandard Avro files are only read")
        self.codec = codec
        self.sync = sync.bytes
        output = ByteWriter(capacity: schemaText.count + 4096)
        block = ByteWriter(capacity: AvroFileFormat.blockBytesTarget + 4096)
        output.raw(AvroFileFormat.magic)
        output.zigzag(Int64(metadata.count + 2))
        output.avroString("avro.schema")
        output.avroBytes(schemaText)
        output.avroString("avro.codec")
        output.avroString(codec.rawValue)
        for entry in metadata {
            output.avroString(entry.key)
            output.avroBytes(entry.value)
        }
        output.zigzag(0)
        output.raw(self.sync)
    }

    /// Appends one record; `encode` writes its fields.
    public mutating func append(_ encode: (inout ByteWriter) throws(FirnError) -> Void) throws(FirnError) {
        try encode(&block)
        blockRecords += 1
        recordCount += 1
        if block.count >= AvroFileFormat.blockBytesTarget { try closeBlock() }
    }

    /// Bytes written so far; records of the open block count at their uncompressed size.
    public var byteCount: Int { output.count + block.count }

    private mutating func closeBlock() throws(FirnError) {
        guard blockRecords > 0 else { return }
        let packed = codec == .deflate ? try Deflate.compress(block.bytes, wrapping: .raw) : block.bytes
        output.zigzag(blockRecords)
        output.avroBytes(packed)
        output.raw(sync)
        block.bytes.removeAll(keepingCapacity: true)
        blockRecords = 0
    }

    /// The whole file. Nothing may be appended afterwards.
    public mutating func finish() throws(FirnError) -> [UInt8] {
        try closeBlock()
        return output.bytes
    }
}
