import Base

/// Fetches parts of one file, several with one request where they are near to each other.
struct FileBytes {
    let fileBytes: Int
    let source: String
    let read: (Range<Int>) throws -> [UInt8]
    /// The end of the file, fetched with the footer; may be empty.
    let tail: [UInt8]
    /// Bytes by which a column chunk may be longer than it says, by the file's writer.
    var uncountedBytes = 0

    private var tailStart: Int { fileBytes - tail.count }

    /// All of `ranges`, which lie inside the file.
    func fetch(_ ranges: [Range<Int>]) throws -> FetchedBytes {
        var fetched = FetchedBytes(blocks: [])
        for range in Self.requests(ranges.filter { !$0.isEmpty && $0.lowerBound < tailStart }) {
            fetched.blocks.append(
                .init(bytes: try FooterReader.fetch(range, source: source, read), base: range.lowerBound))
        }
        if !tail.isEmpty { fetched.blocks.append(.init(bytes: tail, base: tailStart)) }
        return fetched
    }

    /// The bytes of one range.
    func fetch(_ range: Range<Int>) throws -> [UInt8] {
        let block = try fetch([range]).block(range)
        return Array(block.bytes[range.lowerBound - block.base..<range.upperBound - block.base])
    }

    /// Merges ranges across gaps that cost less to read than a request of their own, up to a size.
    static func requests(_ ranges: [Range<Int>]) -> [Range<Int>] {
        var requests: [Range<Int>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = requests.last, range.lowerBound - last.upperBound <= ParquetLimits.requestGapBytesMax,
                range.upperBound <= last.upperBound
                    || range.upperBound - last.lowerBound <= ParquetLimits.requestBytesTarget
            {
                requests[requests.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                requests.append(range)
            }
        }
        return requests
    }
}

/// Parts of a file in memory.
struct FetchedBytes {
    struct Block {
        let bytes: [UInt8]
        /// Where `bytes[0]` lies in the file.
        let base: Int
    }

    /// In ascending order.
    var blocks: [Block]

    /// The block with all of `range`, which was fetched or is empty.
    func block(_ range: Range<Int>) -> Block {
        if range.isEmpty { return Block(bytes: [], base: range.lowerBound) }
        let block = blocks.last { $0.base <= range.lowerBound && range.upperBound <= $0.base + $0.bytes.count }
        guard let block else { preconditionFailure("bytes \(range) were not fetched") }
        return block
    }
}
