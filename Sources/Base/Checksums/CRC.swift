import CPlatform
import CZlib

/// CRC-32C (Castagnoli), the checksum of log records.
public enum CRC32C {
    private static let hardware = firn_has_sse42() != 0
    private static let interleaves = hardware && firn_has_pclmul() != 0

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { crc, _ in crc & 1 == 1 ? (crc >> 1) ^ 0x82F6_3B78 : crc >> 1 }
    }

    /// Checksum of `bytes`, or of all that `seed` covered followed by `bytes`.
    public static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
        guard let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return seed }
        if interleaves { return ~firn_crc32c_fast(~seed, start, bytes.count) }
        if hardware { return ~firn_crc32c_hw(~seed, start, bytes.count) }
        var crc = ~seed
        for byte in bytes { crc = table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] ^ (crc >> 8) }
        return ~crc
    }

    public static func checksum(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
        bytes.withUnsafeBytes { checksum($0, seed: seed) }
    }
}

/// CRC-32 (the gzip polynomial), the checksum of Parquet pages.
public enum CRC32 {
    private static let hardware = firn_has_pclmul() != 0

    public static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
        guard let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return seed }
        guard hardware, bytes.count >= 64 else {
            return UInt32(truncatingIfNeeded: crc32_z(UInt(seed), start, bytes.count))
        }
        let whole = bytes.count & ~15
        let crc = ~firn_crc32_hw(~seed, start, whole)
        return UInt32(truncatingIfNeeded: crc32_z(UInt(crc), start + whole, bytes.count - whole))
    }

    public static func checksum(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
        bytes.withUnsafeBytes { checksum($0, seed: seed) }
    }
}
