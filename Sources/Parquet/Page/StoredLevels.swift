import Base

/// The definition or repetition levels of one page as they are stored.
struct StoredLevels {
    let bytes: UnsafeRawBufferPointer
    /// False for the deprecated form: packed bits alone, most significant first.
    var isRuns = true

    /// Takes the levels of a v1 page off the front of `region`: 4 bytes of length and then runs or, in old files, bits
    /// without a length.
    static func take(
        from region: inout UnsafeRawBufferPointer, _ encoding: ParquetEncoding, maximum: Int, count: Int
    ) throws(FirnError) -> StoredLevels {
        var start = 0
        var length = (count * BitPacking.width(maximum) + 7) / 8
        if encoding == .rle {
            guard region.count >= 4 else { throw RunLengthDecoder.malformed("a page ends before its levels") }
            start = 4
            length = Int(UInt32(littleEndian: region.loadUnaligned(as: UInt32.self)))
        } else if encoding != .bitPacked {
            throw FirnError(.unsupported, "parquet_encoding", "levels in the encoding \(encoding) are not supported")
        }
        guard length <= region.count - start else {
            throw RunLengthDecoder.malformed("levels pass the end of their page")
        }
        let levels = StoredLevels(
            bytes: UnsafeRawBufferPointer(rebasing: region[start..<start + length]), isRuns: encoding == .rle)
        region = UnsafeRawBufferPointer(rebasing: region[(start + length)...])
        return levels
    }

    /// Appends `count` levels. Throws `.corrupted` when they end early or pass the maximum.
    func decode(maximum: Int, count: Int, into out: Buffer<UInt8>) throws(FirnError) {
        out.reserve(count)
        let target = out.pointer + out.count
        let width = BitPacking.width(maximum)
        if isRuns {
            try RunLengthDecoder.decode(bytes, width: width, count: count, into: target)
        } else {
            BitPacking.unpackBigEndian(bytes, count: count, width: width, into: target)
        }
        let greatest = LevelKernels.greatest(target, count)
        guard Int(greatest) <= maximum else {
            throw RunLengthDecoder.malformed("level \(greatest) where \(maximum) is the greatest")
        }
        out.commit(count)
    }

    /// True when the levels are a single run of `level`, as they are in a page without nulls.
    func isOneRun(of level: UInt8, count: Int) -> Bool {
        guard isRuns else { return false }
        var header: UInt64 = 0
        for at in 0..<min(bytes.count, 5) {
            header |= UInt64(bytes[at] & 0x7f) << UInt64(at * 7)
            if bytes[at] & 0x80 != 0 { continue }
            return header & 1 == 0 && header >> 1 >= UInt64(count) && at + 1 < bytes.count && bytes[at + 1] == level
        }
        return false
    }
}
