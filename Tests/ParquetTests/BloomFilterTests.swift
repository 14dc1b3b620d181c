import Base
import Columnar
import Testing

@testable import Parquet

@Suite struct BloomFilterTests {
    @Test func hashesAreXXHash64OfThePlainBytes() {
        #expect(BloomFilter.hash([]) == 0xef46_db37_51d8_e999)
        #expect(BloomFilter.hash(Array("a".utf8)) == 0xd24e_c4f1_a98c_6e5b)
        #expect(BloomFilter.hash(Array("abc".utf8)) == 0x44bc_2cf5_ad77_0999)
        #expect(BloomFilter.hash(UInt64(1)) == 0x9f29_cb17_a2a4_9995)
        #expect(BloomFilter.hash(UInt32(1)) == 0xf42f_9400_1fcb_5351)
        for value: UInt64 in [0, 1, 0x8000_0000_0000_0000, .max, 1_234_567_890_123] {
            #expect(BloomFilter.hash(value) == BloomFilter.hash(withUnsafeBytes(of: value.littleEndian) { Array($0) }))
            let half = UInt32(truncatingIfNeeded: value)
            #expect(BloomFilter.hash(half) == BloomFilter.hash(withUnsafeBytes(of: half.littleEndian) { Array($0) }))
        }
    }

    /// Worked by hand from the specification's formula.
    @Test func oneValueSetsOneBitInEachWordOfItsBlock() {
        var filter = BloomFilter(blockCount: 32)
        filter.insert(hash: BloomFilter.hash(Array("abc".utf8)))
        var expected = [UInt32](repeating: 0, count: 256)
        for (index, bit) in [13, 11, 23, 21, 6, 14, 29, 29].enumerated() { expected[8 * 8 + index] = 1 << bit }
        #expect(filter.words == expected)
        #expect(filter.mayContain(hash: BloomFilter.hash(Array("abc".utf8))))
        #expect(!filter.mayContain(hash: BloomFilter.hash(Array("abd".utf8))))
    }

    @Test func sizesKeepTheRate() {
        // 8 bits a value set; 1 % needs some 9.7 bits a value.
        #expect(BloomFilter(distinctCount: 1, falsePositiveRate: 0.01, bytesMax: 1 << 20).byteCount == 32)
        #expect(BloomFilter(distinctCount: 10_000, falsePositiveRate: 0.01, bytesMax: 1 << 20).byteCount == 16_384)
        #expect(BloomFilter(distinctCount: 1_000_000, falsePositiveRate: 0.01, bytesMax: 1 << 16).byteCount == 65_536)
        #expect(BloomFilter(distinctCount: 1_000_000, falsePositiveRate: 0.01, bytesMax: 100).byteCount == 64)
        #expect(BloomFilter(distinctCount: 0, falsePositiveRate: 0.5, bytesMax: 0).byteCount == 32)
        #expect(BloomFilter(distinctCount: .max, falsePositiveRate: 0, bytesMax: .max).byteCount == 128 << 20)

        var filter = BloomFilter(distinctCount: 13_000, falsePositiveRate: 0.01, bytesMax: 1 << 20)
        let hashes = (0..<13_000).map { BloomFilter.hash(UInt64($0)) }
        hashes.withUnsafeBufferPointer { filter.insert(hashes: $0) }
        #expect(hashes.allSatisfy { filter.mayContain(hash: $0) })
        let passed = (13_000..<113_000).count { filter.mayContain(hash: BloomFilter.hash(UInt64($0))) }
        #expect((300...1500).contains(passed), "\(passed) of 100 000 absent values pass")
    }

    @Test func storedFormIsParquetJavas() throws {
        guard let bytes = try PublicCorpus.read("data/bloom_filter.xxhash.bin") else { return }
        var filter = BloomFilter(blockCount: 32)
        for word in ["hello", "parquet", "bloom", "filter"] { filter.insert(hash: BloomFilter.hash(Array(word.utf8))) }
        #expect(filter.serialize() == bytes)
        #expect(try BloomFilter.parse(bytes, source: "f") == filter)
        #expect(try BloomFilter.storedBytes(Array(bytes.prefix(20)), source: "f", offset: 0) == bytes.count)
    }

    @Test func everyDamagedFormIsRefused() throws {
        let stored = BloomFilter(blockCount: 2).serialize()
        for count in 0..<stored.count {
            #expect(throws: FirnError.self) { try BloomFilter.parse(Array(stored.prefix(count)), source: "f") }
        }
        func header(_ size: Int32, members: [Int]) -> [UInt8] {
            var writer = CompactWriter()
            writer.int32(1, size)
            for (index, member) in members.enumerated() {
                writer.structure(2 + index) { $0.structure(member) { _ in } }
            }
            writer.stop()
            return writer.bytes + [UInt8](repeating: 0, count: 64)
        }
        func code(_ bytes: [UInt8]) -> String? {
            do throws(FirnError) {
                _ = try BloomFilter.parse(bytes, source: "f", offset: 7)
                return nil
            } catch { return error.code }
        }
        #expect(code(header(64, members: [1, 1, 1])) == nil)
        #expect(code(header(64, members: [1, 2, 1])) == "parquet_bloom_filter")
        #expect(code(header(64, members: [1, 1])) == "malformed_parquet")
        for size: Int32 in [0, -32, 33, 31] { #expect(code(header(size, members: [1, 1, 1])) == "malformed_parquet") }
        #expect(code(header(1 << 30, members: [1, 1, 1])) == "bloom_filter_too_large")
    }

    private func leaf(
        _ type: ParquetPhysicalType, _ logical: ParquetLogicalType? = nil, width: Int? = nil
    ) -> SchemaLeaf {
        var element = ParquetFooter.SchemaElement(name: "c")
        element.physicalType = type
        element.logicalType = logical
        element.typeLength = width
        return SchemaLeaf(
            column: 0, element: element, fieldId: 1, path: ["c"], definitionMax: 1, repetitionMax: 0)
    }

    @Test func literalsAreHashedInThePhysicalForm() {
        func hash(_ value: Value, _ leaf: SchemaLeaf) -> UInt64? { BloomFilter.hash(value, in: leaf) }
        let one32 = BloomFilter.hash([1, 0, 0, 0])
        let one64 = BloomFilter.hash([1, 0, 0, 0, 0, 0, 0, 0])
        #expect(hash(.int(1), leaf(.int32)) == one32)
        #expect(hash(.long(1), leaf(.int32)) == one32)
        #expect(hash(.long(1 << 40), leaf(.int32)) == nil)
        #expect(hash(.int(1), leaf(.int64)) == one64)
        #expect(hash(.date(1), leaf(.int32, .date)) == one32)
        #expect(hash(.decimal(1, scale: 2), leaf(.int32, .decimal(scale: 2, precision: 4))) == one32)
        #expect(hash(.decimal(1, scale: 3), leaf(.int32, .decimal(scale: 2, precision: 4))) == nil)
        #expect(hash(.decimal(1, scale: 2), leaf(.int64, .decimal(scale: 2, precision: 14))) == one64)
        let fixed = leaf(.fixedLenByteArray, .decimal(scale: 2, precision: 20), width: 9)
        #expect(hash(.decimal(-2, scale: 2), fixed) == BloomFilter.hash([UInt8](repeating: 255, count: 8) + [254]))
        #expect(hash(.decimal(1 << 80, scale: 2), fixed) == nil)
        #expect(hash(.decimal(1, scale: 2), leaf(.byteArray, .decimal(scale: 2, precision: 20))) == nil)
        #expect(hash(.long(4_000_000_000), leaf(.int32, .integer(bits: 32, isSigned: false))) != nil)
        #expect(hash(.long(-1), leaf(.int32, .integer(bits: 32, isSigned: false))) == nil)
        #expect(hash(.timestamp(1000), leaf(.int64, .timestamp(isAdjustedToUTC: false, unit: .millis))) == one64)
        #expect(hash(.timestamp(1), leaf(.int64, .timestamp(isAdjustedToUTC: false, unit: .millis))) == nil)
        #expect(hash(.timestamp(1), leaf(.int64, .timestamp(isAdjustedToUTC: false, unit: .micros))) == one64)
        #expect(hash(.timestamp(1), leaf(.int64, .timestamp(isAdjustedToUTC: false, unit: .nanos))) == nil)
        #expect(hash(.double(1.5), leaf(.float)) == BloomFilter.hash([0, 0, 0xc0, 0x3f]))
        #expect(hash(.double(0.1), leaf(.float)) == nil)
        #expect(hash(.float(1.5), leaf(.double)) == BloomFilter.hash([0, 0, 0, 0, 0, 0, 0xf8, 0x3f]))
        for value: Value in [.double(0), .double(-0.0), .double(.nan)] { #expect(hash(value, leaf(.double)) == nil) }
        #expect(hash(.string("abc"), leaf(.byteArray, .string)) == 0x44bc_2cf5_ad77_0999)
        #expect(hash(.binary([0x61]), leaf(.byteArray)) == 0xd24e_c4f1_a98c_6e5b)
        #expect(hash(.binary([1, 2]), leaf(.fixedLenByteArray, width: 2)) == BloomFilter.hash([1, 2]))
        #expect(hash(.binary([1]), leaf(.fixedLenByteArray, width: 2)) == nil)
        let uuid = UUID(bytes: Array(0..<16))
        #expect(hash(.uuid(uuid), leaf(.fixedLenByteArray, .uuid, width: 16)) == BloomFilter.hash(Array(0..<16)))
        #expect(hash(.boolean(true), leaf(.boolean)) == nil)
        #expect(hash(.timestamp(1), leaf(.int96)) == nil)
    }
}
