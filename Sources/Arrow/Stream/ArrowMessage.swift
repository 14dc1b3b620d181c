import Base

/// One message of a stream: what its table says, and the body behind it.
///
/// Format: https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format
struct ArrowMessage {
    enum Header {
        case schema(FlatTable)
        case records(ArrowBatchHeader)
        case dictionary(id: Int64, isDelta: Bool, ArrowBatchHeader)
    }

    let header: Header
    let body: UnsafeRawBufferPointer
}

/// The table of a record batch.
struct ArrowBatchHeader {
    enum Codec: Int8 {
        case lz4Frame = 0
        case zstd
    }

    let rowCount: Int
    /// Length and number of nulls of every column, depth first.
    let nodes: [(length: Int, nullCount: Int)]
    /// Where every buffer lies in the body.
    let buffers: [Range<Int>]
    let codec: Codec?
    /// Buffers of text of every column of views.
    let variadicCounts: [Int]

    init(_ table: FlatTable, bodyBytes: Int) throws(FirnError) {
        rowCount = try Self.count(table.integer(0, default: Int64(0)))
        var nodes: [(Int, Int)] = []
        if let (start, count) = try table.vector(1, stride: 16) {
            for index in 0..<count {
                let length = try Self.count(table.data.load(start + index * 16))
                nodes.append((length, Int(try table.data.load(start + index * 16 + 8, as: Int64.self))))
            }
        }
        self.nodes = nodes
        var buffers: [Range<Int>] = []
        if let (start, count) = try table.vector(2, stride: 16) {
            for index in 0..<count {
                let offset = try table.data.load(start + index * 16, as: Int64.self)
                let length = try table.data.load(start + index * 16 + 8, as: Int64.self)
                guard offset >= 0, length >= 0, offset <= bodyBytes, length <= Int64(bodyBytes) - offset else {
                    throw .malformedArrow("a buffer lies outside of its message")
                }
                buffers.append(Int(offset)..<Int(offset + length))
            }
        }
        self.buffers = buffers
        var codec: Codec?
        if let compression = try table.table(3) {
            let number = try compression.integer(0, default: Int8(0))
            codec = Codec(rawValue: number)
            guard codec != nil, try compression.integer(1, default: Int8(0)) == 0 else {
                throw FirnError(
                    .unsupported, "unsupported_arrow", "Arrow data is compressed by the unknown codec \(number)")
            }
        }
        self.codec = codec
        var counts: [Int] = []
        if let (start, count) = try table.vector(4, stride: 8) {
            for index in 0..<count { counts.append(try Self.count(table.data.load(start + index * 8))) }
        }
        variadicCounts = counts
    }

    /// A number of rows or buffers: offsets of ours are 32-bit.
    private static func count(_ value: Int64) throws(FirnError) -> Int {
        guard value >= 0, value < Int64(Int32.max) else { throw .malformedArrow("a count of \(value)") }
        return Int(value)
    }
}

/// Cuts a stream, or the stream that a file holds, into messages.
struct ArrowMessages {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0
    private var end: Int
    private let isFile: Bool
    private static let magic = Array("ARROW1".utf8)

    init(_ bytes: UnsafeRawBufferPointer) throws(FirnError) {
        self.bytes = bytes
        end = bytes.count
        isFile = bytes.count >= 6 && bytes[..<6].elementsEqual(Self.magic)
        guard isFile else { return }
        // A file is the magic, padding, a stream, a footer that repeats where its parts are, its size, the magic.
        guard bytes.count >= 8 + 10, bytes[(bytes.count - 6)...].elementsEqual(Self.magic) else {
            throw .malformedArrow("the file does not end as an Arrow file does")
        }
        let footer = Int(try FlatBytes(bytes: bytes).load(bytes.count - 10, as: Int32.self))
        guard footer >= 0, footer <= bytes.count - 18 else { throw .malformedArrow("the footer passes the start") }
        offset = 8
        end = bytes.count - 10 - footer
    }

    /// The next message; nil at the end.
    mutating func next() throws(FirnError) -> ArrowMessage? {
        guard offset < end else { return nil }
        var size = try number()
        // Streams before version 0.15 lack this mark.
        if size == -1 { size = try number() }
        if size == 0 {
            guard isFile || offset == end else { throw .malformedArrow("bytes follow the end of the stream") }
            offset = end
            return nil
        }
        let table = try take(size, "the metadata of a message")
        let message = try FlatBytes(bytes: table).root()
        let version = try message.integer(0, default: Int16(0))
        guard version == 3 || version == 4 else {
            throw FirnError(.unsupported, "unsupported_arrow", "Arrow metadata of version \(version + 1) is not read")
        }
        let body = try take(Int(try message.integer(3, default: Int64(0))), "the body of a message")
        guard let header = try message.table(2) else { throw .malformedArrow("a message without header") }
        switch try message.integer(1, default: UInt8(0)) {
        case 1: return ArrowMessage(header: .schema(header), body: body)
        case 2:
            guard let data = try header.table(1) else { throw .malformedArrow("a dictionary without values") }
            let batch = try ArrowBatchHeader(data, bodyBytes: body.count)
            let id = try header.integer(0, default: Int64(0))
            return ArrowMessage(header: .dictionary(id: id, isDelta: try header.bool(2), batch), body: body)
        case 3: return ArrowMessage(header: .records(try ArrowBatchHeader(header, bodyBytes: body.count)), body: body)
        case let other:
            throw FirnError(.unsupported, "unsupported_arrow", "Arrow messages of type \(other) are not read")
        }
    }

    private mutating func number() throws(FirnError) -> Int {
        let bytes = try take(4, "the size of a message")
        return Int(Int32(littleEndian: bytes.loadUnaligned(as: Int32.self)))
    }

    private mutating func take(_ count: Int, _ what: String) throws(FirnError) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= end - offset else { throw .malformedArrow("\(what) passes the end") }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }
}
