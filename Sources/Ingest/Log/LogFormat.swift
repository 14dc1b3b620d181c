import Base

// The bytes of a log segment. Described in Docs/formats/log.md; nothing else in Firn knows them.
//
// A segment is one page of header, then frames from the second page on, each aligned to 8 bytes. Each segment draws a
// random salt. The low half opens every frame and all of it goes into the frame's checksum, so neither the stale frames
// of a recycled file nor bytes that a client chose can pass for a frame of this segment.

/// The first page of a segment.
struct SegmentHeader: Equatable, Sendable {
    static let byteCount = 4096
    static let magic: UInt64 = 0x4c41_574e_5249_4601  // "\u{1}FIRNWAL" in file order
    static let version: UInt32 = 1
    private static let usedBytes = 56

    /// Counts up with every segment of a log; also the file's name.
    var number: UInt64
    /// Position of the first record. Records of earlier segments at or above it are void.
    var basePosition: UInt64
    var salt: UInt64
    /// Length of the file, which is written and synced before the segment is named: a shorter file was cut.
    var fileBytes: UInt64
    /// When the segment was begun, for people.
    var createdMicros: Int64

    func encode() -> [UInt8] {
        var writer = ByteWriter(capacity: Self.byteCount)
        writer.littleEndian(Self.magic)
        writer.littleEndian(Self.version)
        writer.littleEndian(UInt32(0))  // the checksum, below
        writer.littleEndian(number)
        writer.littleEndian(basePosition)
        writer.littleEndian(salt)
        writer.littleEndian(fileBytes)
        writer.littleEndian(createdMicros)
        writer.bytes.append(contentsOf: [UInt8](repeating: 0, count: Self.byteCount - Self.usedBytes))
        let sum = Self.checksum(writer.bytes)
        for index in 0..<4 { writer.bytes[12 + index] = UInt8(truncatingIfNeeded: sum >> (8 * UInt32(index))) }
        return writer.bytes
    }

    /// Throws `.corrupted` (`log_corrupted`), or `.unsupported` (`log_version`) for a segment of a later version.
    static func decode(_ bytes: [UInt8], source: String) throws(FirnError) -> SegmentHeader {
        guard bytes.count == byteCount else {
            throw .logCorrupted("the segment is shorter than its header", file: source, offset: 0)
        }
        var reader = ByteReader(bytes, source: source)
        guard try reader.littleEndian(UInt64.self) == magic else {
            throw .logCorrupted("the file does not begin like a log segment", file: source, offset: 0)
        }
        let version = try reader.littleEndian(UInt32.self)
        guard try reader.littleEndian(UInt32.self) == checksum(bytes) else {
            throw .logCorrupted("the segment's header does not match its checksum", file: source, offset: 0)
        }
        guard version == Self.version else {
            throw FirnError(
                .unsupported, "log_version",
                "the log segment has format version \(version); this build reads version \(Self.version)",
                context: ["file": source])
        }
        return SegmentHeader(
            number: try reader.littleEndian(UInt64.self), basePosition: try reader.littleEndian(UInt64.self),
            salt: try reader.littleEndian(UInt64.self), fileBytes: try reader.littleEndian(UInt64.self),
            createdMicros: try reader.littleEndian(Int64.self))
    }

    /// CRC-32C of the whole page without the four bytes of the checksum.
    private static func checksum(_ page: [UInt8]) -> UInt32 {
        page.withUnsafeBytes { page in
            let head = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: page[..<12]))
            return CRC32C.checksum(UnsafeRawBufferPointer(rebasing: page[16...]), seed: head)
        }
    }
}

/// The 40 bytes before a payload.
struct FrameHeader: Equatable, Sendable {
    static let byteCount = 40

    enum Kind: UInt32, Sendable {
        /// A record; takes a position.
        case record = 0
        /// Says that everything before it is durable; has no payload and takes no position.
        case seal = 1
    }

    var kind: Kind
    var payloadBytes: Int
    var segment: UInt64
    /// The record's position; for a seal, the position of the record that would come next.
    var position: UInt64
    /// The highest position known durable when this frame was written.
    var durablePosition: UInt64

    /// Bytes of a whole frame: header, payload and zeros up to the next multiple of 8.
    static func frameBytes(payloadBytes: Int) -> Int { (byteCount + payloadBytes + 7) & ~7 }

    /// Writes the header at `room`. `payloadChecksum` is the CRC-32C of the payload.
    func encode(to room: UnsafeMutableRawPointer, payloadChecksum: UInt32, salt: UInt64) {
        room.storeBytes(of: UInt32(truncatingIfNeeded: salt).littleEndian, as: UInt32.self)
        room.storeBytes(of: UInt32(payloadBytes).littleEndian, toByteOffset: 8, as: UInt32.self)
        room.storeBytes(of: kind.rawValue.littleEndian, toByteOffset: 12, as: UInt32.self)
        room.storeBytes(of: segment.littleEndian, toByteOffset: 16, as: UInt64.self)
        room.storeBytes(of: position.littleEndian, toByteOffset: 24, as: UInt64.self)
        room.storeBytes(of: durablePosition.littleEndian, toByteOffset: 32, as: UInt64.self)
        let sum = Self.checksum(UnsafeRawBufferPointer(start: room, count: Self.byteCount), payloadChecksum, salt)
        room.storeBytes(of: sum.littleEndian, toByteOffset: 4, as: UInt32.self)
    }

    /// The header at the start of `bytes` when it can belong to this segment; `verifies` checks it with the payload.
    static func decode(_ bytes: UnsafeRawBufferPointer, header: SegmentHeader) -> FrameHeader? {
        guard bytes.count >= byteCount,
            UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)) == UInt32(truncatingIfNeeded: header.salt),
            UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)) == header.number,
            let kind = Kind(rawValue: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self)))
        else { return nil }
        return FrameHeader(
            kind: kind,
            payloadBytes: Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))),
            segment: header.number,
            position: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)),
            durablePosition: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 32, as: UInt64.self)))
    }

    /// True when `frame`, a header, its payload and its padding, carries the right checksum and nothing in the padding.
    func verifies(_ frame: UnsafeRawBufferPointer, salt: UInt64) -> Bool {
        let end = Self.byteCount + payloadBytes
        guard frame.count == Self.frameBytes(payloadBytes: payloadBytes), frame[end...].allSatisfy({ $0 == 0 }) else {
            return false
        }
        let payload = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: frame[Self.byteCount..<end]))
        let stored = UInt32(littleEndian: frame.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        return stored == Self.checksum(frame, payload, salt)
    }

    /// CRC-32C over payload, header bytes 8 to 39, and the salt: the payload comes first so that the appender's thread
    /// can compute its part before a position is known.
    private static func checksum(_ frame: UnsafeRawBufferPointer, _ payload: UInt32, _ salt: UInt64) -> UInt32 {
        let header = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: frame[8..<byteCount]), seed: payload)
        return withUnsafeBytes(of: salt.littleEndian) { CRC32C.checksum($0, seed: header) }
    }
}

extension FirnError {
    /// Acknowledged data is damaged: the log refuses to open.
    static func logCorrupted(_ what: String, file: String, offset: Int) -> FirnError {
        FirnError(
            .corrupted, "log_corrupted",
            "the write-ahead log is damaged: \(what). Acknowledged records may be lost, so it is not opened. Restore "
                + "the file from a copy; or move it out of the log's directory together with every later segment, "
                + "which gives up the records in them",
            context: ["file": file, "offset": String(offset)])
    }
}
