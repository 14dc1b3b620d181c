import Base

/// Reads the frames of one segment in order, through a window of bounded size.
struct SegmentReader {
    enum Item {
        case record(LogRecord, durablePosition: UInt64)
        case seal(position: UInt64, durablePosition: UInt64)
        /// No valid frame stands at `offset`: the end of the segment, a torn write or damage.
        case nothing
    }

    static let windowBytes = 1 << 20

    let header: SegmentHeader
    let path: String
    private let file: any File
    private let size: Int
    /// Where the next frame starts.
    private(set) var offset = SegmentHeader.byteCount
    private var window: [UInt8] = []
    private var windowStart = 0

    /// Throws `.corrupted` when the header is damaged or belongs to another segment.
    init(file: any File, number: UInt64) throws(FirnError) {
        self.file = file
        path = file.path
        size = try file.size()
        header = try SegmentHeader.decode(try file.read(at: 0, count: SegmentHeader.byteCount), source: file.path)
        guard header.number == number else {
            throw .logCorrupted("the file holds segment \(header.number)", file: path, offset: 0)
        }
        guard UInt64(size) >= header.fileBytes else {
            throw .logCorrupted("the file was \(header.fileBytes) bytes long and is cut", file: path, offset: size)
        }
    }

    mutating func next() throws(FirnError) -> Item {
        guard let (frame, range) = try frame(at: offset) else { return .nothing }
        offset += range.count
        switch frame.kind {
        case .seal: return .seal(position: frame.position, durablePosition: frame.durablePosition)
        case .record:
            let start = range.lowerBound + FrameHeader.byteCount
            let record = LogRecord(
                position: frame.position, payload: Array(window[start..<start + frame.payloadBytes]))
            return .record(record, durablePosition: frame.durablePosition)
        }
    }

    /// Looks behind the current offset for a frame which proves that `position` was durable. Returns its offset.
    mutating func proof(ofDurable position: UInt64) throws(FirnError) -> Int? {
        var at = offset
        let mark = UInt32(truncatingIfNeeded: header.salt)
        while let range = try load(at, FrameHeader.byteCount) {
            let (found, index) = window.withUnsafeBytes { bytes in
                var index = range.lowerBound
                while index + FrameHeader.byteCount <= bytes.count {
                    if UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self)) == mark {
                        return (true, index)
                    }
                    index += 8
                }
                return (false, index)
            }
            at = windowStart + index
            if found {
                if let (frame, _) = try frame(at: at), frame.durablePosition >= position { return at }
                at += 8
            }
        }
        return nil
    }

    /// The verified frame at a file offset, and its place in the window.
    private mutating func frame(at offset: Int) throws(FirnError) -> (FrameHeader, Range<Int>)? {
        guard let head = try load(offset, FrameHeader.byteCount) else { return nil }
        let decoded = window.withUnsafeBytes {
            FrameHeader.decode(UnsafeRawBufferPointer(rebasing: $0[head]), header: header)
        }
        guard let decoded else { return nil }
        let count = FrameHeader.frameBytes(payloadBytes: decoded.payloadBytes)
        guard let range = try load(offset, count) else { return nil }
        let verified = window.withUnsafeBytes {
            decoded.verifies(UnsafeRawBufferPointer(rebasing: $0[range]), salt: header.salt)
        }
        return verified ? (decoded, range) : nil
    }

    /// Makes bytes of the file available in the window; nil past the end of the file.
    private mutating func load(_ offset: Int, _ count: Int) throws(FirnError) -> Range<Int>? {
        if offset < windowStart || offset + count > windowStart + window.count {
            guard offset + count <= size else { return nil }
            window = try file.read(at: offset, count: min(size - offset, max(count, Self.windowBytes)))
            windowStart = offset
            guard window.count >= count else { return nil }
        }
        return offset - windowStart..<offset - windowStart + count
    }
}
