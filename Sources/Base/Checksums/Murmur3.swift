/// MurmurHash3, 32-bit x86 variant: the hash of Iceberg's bucket transform.
///
/// Source: https://iceberg.apache.org/spec/#appendix-b-32-bit-hash-requirements
public enum Murmur3 {
    public static func hash32(_ bytes: some Collection<UInt8>, seed: UInt32 = 0) -> UInt32 {
        bytes.withContiguousStorageIfAvailable { hash32(UnsafeRawBufferPointer($0), seed: seed) }
            ?? Array(bytes).withUnsafeBytes { hash32($0, seed: seed) }
    }

    public static func hash32(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
        var hash = seed
        let blocks = bytes.count / 4
        for block in 0..<blocks {
            hash = mixed(
                hash, UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * block, as: UInt32.self)))
        }
        if bytes.count % 4 != 0 {
            var rest: UInt32 = 0
            for index in 4 * blocks..<bytes.count { rest |= UInt32(bytes[index]) << UInt32(index % 4 * 8) }
            hash ^= scramble(rest)
        }
        return finished(hash, length: bytes.count)
    }

    /// The hash of a word's eight bytes, least significant first.
    @inlinable public static func hash32(_ word: UInt64) -> UInt32 {
        let low = mixed(0, UInt32(truncatingIfNeeded: word))
        return finished(mixed(low, UInt32(truncatingIfNeeded: word >> 32)), length: 8)
    }

    @inlinable static func mixed(_ hash: UInt32, _ block: UInt32) -> UInt32 {
        let next = hash ^ scramble(block)
        return (next << 13 | next >> 19) &* 5 &+ 0xe654_6b64
    }

    @inlinable static func finished(_ hash: UInt32, length: Int) -> UInt32 {
        var hash = hash ^ UInt32(truncatingIfNeeded: length)
        hash = (hash ^ hash >> 16) &* 0x85eb_ca6b
        hash = (hash ^ hash >> 13) &* 0xc2b2_ae35
        return hash ^ hash >> 16
    }

    @inlinable static func scramble(_ block: UInt32) -> UInt32 {
        let mixed = block &* 0xcc9e_2d51
        return (mixed << 15 | mixed >> 17) &* 0x1b87_3593
    }
}
