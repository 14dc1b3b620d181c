import CLZ4

/// LZ4 through the system's library: bare blocks, frames, and the wrapping of Hadoop's block streams.
public enum LZ4 {
    /// Appends one bare block to `output`.
    public static func compress(_ input: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(FirnError) {
        guard input.count <= LZ4_MAX_INPUT_SIZE else {
            throw FirnError(.limitExceeded, "lz4_block_too_large", "\(input.count) bytes are too many for an LZ4 block")
        }
        let bound = Int(LZ4_compressBound(Int32(input.count)))
        try output.appendCompressed(bound: bound) { target throws(FirnError) in
            let size = LZ4_compress_default(
                input.charBase, target.assumingMemoryBound(to: CChar.self).baseAddress, Int32(input.count),
                Int32(target.count))
            guard size > 0 else { throw FirnError(.internal, "lz4_failed", "LZ4 refused to compress") }
            return Int(size)
        }
    }

    /// Decompresses a bare block into exactly `output.count` bytes.
    ///
    /// Throws `.corrupted` (`bad_lz4`) for damaged data and for any other length.
    /// Format: https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md
    public static func decompress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(FirnError) {
        guard block(input, into: output) == output.count else { throw damaged(output.count) }
    }

    /// Decompresses into exactly `output.count` bytes what old Parquet writers stored as LZ4: the block stream of
    /// Hadoop, a frame, or a bare block.
    ///
    /// Throws `.corrupted` (`bad_lz4`) for damaged data and for any other length.
    /// Format: https://github.com/apache/parquet-format/blob/master/Compression.md#lz4
    public static func decompressLegacy(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(FirnError) {
        let done =
            hadoop(input, into: output) || frame(input, into: output) || block(input, into: output) == output.count
        guard done else { throw damaged(output.count) }
    }

    /// Decompresses one frame into exactly `output.count` bytes.
    ///
    /// Throws `.corrupted` (`bad_lz4`) for damaged data and for any other length.
    public static func decompressFrame(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(FirnError) {
        guard frame(input, into: output) else { throw damaged(output.count) }
    }

    private static func damaged(_ count: Int) -> FirnError {
        FirnError(.corrupted, "bad_lz4", "LZ4 data is damaged, or does not hold \(count) bytes")
    }

    /// Bytes written, nil for damaged data or more than fit.
    private static func block(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int? {
        guard input.count <= Int(Int32.max), output.count <= Int(Int32.max) else { return nil }
        // The library takes no null pointer.
        var none: CChar = 0
        let size = withUnsafeMutablePointer(to: &none) {
            LZ4_decompress_safe(
                input.charBase ?? UnsafePointer($0), output.assumingMemoryBound(to: CChar.self).baseAddress ?? $0,
                Int32(input.count), Int32(output.count))
        }
        return size < 0 ? nil : Int(size)
    }

    /// Groups of blocks: the size of a group unfolded, then blocks until it is reached, each after its stored size;
    /// sizes are big-endian, of 4 bytes.
    private static func hadoop(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Bool {
        var at = 0
        var done = 0
        func size() -> Int? {
            guard input.count - at >= 4 else { return nil }
            defer { at += 4 }
            return Int(UInt32(bigEndian: input.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
        }
        while at < input.count {
            guard let group = size(), group <= output.count - done else { return false }
            let end = done + group
            // Every block takes at least a byte, so that this ends.
            while done < end {
                guard let stored = size(), stored > 0, stored <= input.count - at else { return false }
                let source = UnsafeRawBufferPointer(rebasing: input[at..<at + stored])
                guard let size = block(source, into: UnsafeMutableRawBufferPointer(rebasing: output[done..<end]))
                else { return false }
                at += stored
                done += size
            }
        }
        return done == output.count
    }

    /// Format: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
    private static func frame(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Bool {
        guard input.count >= 4, let source = input.baseAddress, let target = output.baseAddress,
            UInt32(littleEndian: source.loadUnaligned(as: UInt32.self)) == frameMagic
        else { return false }
        var context: OpaquePointer?
        guard LZ4F_isError(LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))) == 0 else { return false }
        defer { LZ4F_freeDecompressionContext(context) }
        var at = 0
        var done = 0
        while at < input.count {
            var taken = input.count - at
            var written = output.count - done
            let code = LZ4F_decompress(context, target + done, &written, source + at, &taken, nil)
            guard LZ4F_isError(code) == 0 else { return false }
            at += taken
            done += written
            if code == 0 { return at == input.count && done == output.count }
            guard taken > 0 || written > 0 else { return false }
        }
        return false
    }

    /// The first bytes of a frame.
    private static let frameMagic: UInt32 = 0x184d_2204
}
