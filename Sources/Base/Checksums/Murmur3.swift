/// MurmurHash3, 32-bit x86 variant: the hash of Iceberg's bucket transform.
///
/// Source: https://iceberg.apache.org/spec/#appendix-b-32-bit-hash-requirements
public enum Murmur3 {
    public static func hash32(_ bytes: some Collection<UInt8>, seed: UInt32 = 0) -> UInt32 {
        var hash = seed
        var block: UInt32 = 0
        var length = 0
        for byte in bytes {
            block |= UInt32(byte) << UInt32(length % 4 * 8)
            length += 1
            guard length % 4 == 0 else { continue }
            hash ^= scramble(block)
            hash = (hash << 13 | hash >> 19) &* 5 &+ 0xe654_6b64
            block = 0
        }
        if length % 4 != 0 { hash ^= scramble(block) }
        hash ^= UInt32(truncatingIfNeeded: length)
        hash = (hash ^ hash >> 16) &* 0x85eb_ca6b
        hash = (hash ^ hash >> 13) &* 0xc2b2_ae35
        return hash ^ hash >> 16
    }

    private static func scramble(_ block: UInt32) -> UInt32 {
        let mixed = block &* 0xcc9e_2d51
        return (mixed << 15 | mixed >> 17) &* 0x1b87_3593
    }
}
