import CSnappy

/// Raw Snappy blocks through the system's library.
///
/// Format: https://github.com/google/snappy/blob/main/format_description.txt
public enum Snappy {
    /// Appends one block to `output`.
    public static func compress(_ input: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(FirnError) {
        try output.appendCompressed(bound: snappy_max_compressed_length(input.count)) { target throws(FirnError) in
            var size = target.count
            let status = snappy_compress(
                input.charBase, input.count, target.assumingMemoryBound(to: CChar.self).baseAddress, &size)
            guard status == SNAPPY_OK else {
                throw FirnError(.internal, "snappy_failed", "snappy refused to compress: code \(status.rawValue)")
            }
            return size
        }
    }

    /// Decompresses one block into exactly `output.count` bytes.
    ///
    /// Throws `.corrupted` (`bad_snappy`) for damaged data and for any other length.
    public static func decompress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(FirnError) {
        var size = 0
        guard snappy_uncompressed_length(input.charBase, input.count, &size) == SNAPPY_OK, size == output.count else {
            throw FirnError(.corrupted, "bad_snappy", "snappy data does not hold \(output.count) bytes")
        }
        // The library takes no null pointer, and writes nothing for a block without bytes.
        var none: CChar = 0
        let status = withUnsafeMutablePointer(to: &none) {
            let target = output.assumingMemoryBound(to: CChar.self).baseAddress ?? $0
            return snappy_uncompress(input.charBase, input.count, target, &size)
        }
        guard status == SNAPPY_OK, size == output.count else {
            throw FirnError(.corrupted, "bad_snappy", "snappy data is damaged")
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The start as C libraries take it.
    var charBase: UnsafePointer<CChar>? { assumingMemoryBound(to: CChar.self).baseAddress }
}

extension [UInt8] {
    /// Appends what `body` writes to a space of `bound` bytes, without a copy when the array was empty.
    mutating func appendCompressed(
        bound: Int, _ body: (UnsafeMutableRawBufferPointer) throws(FirnError) -> Int
    ) throws(FirnError) {
        let packed: [UInt8]
        do {
            packed = try [UInt8](unsafeUninitializedCapacity: bound) { space, used in
                used = try body(UnsafeMutableRawBufferPointer(space))
            }
        } catch { throw error as! FirnError }
        if isEmpty { self = packed } else { append(contentsOf: packed) }
    }
}
