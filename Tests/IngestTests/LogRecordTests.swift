import Base
import TestSupport
import Testing

@testable import Ingest

@Suite struct LogRecordTests {
    static let table = UUID("00112233-4455-6677-8899-aabbccddeeff")!

    static let samples: [BatchRecord] = [
        BatchRecord(table: table, schemaId: 0, format: .ndjson, acceptedCount: 0, arrivalMicros: 0, body: []),
        BatchRecord(
            table: table, schemaId: -1, format: .json, producer: .init(id: "p", epoch: 7, sequence: .max),
            acceptedCount: 1, arrivalMicros: -5, body: Array("{}".utf8)),
        BatchRecord(
            table: table, schemaId: .max, format: .ndjson, idempotencyKey: String(repeating: "k", count: 255),
            acceptedCount: 3, arrivalMicros: .max, body: [UInt8](repeating: 10, count: 5000)),
        BatchRecord(
            table: table, schemaId: 4, format: .ndjson, producer: .init(id: "sensor/ä", epoch: .min, sequence: 0),
            idempotencyKey: "x", acceptedCount: 2, arrivalMicros: 1_767_225_600_000_000,
            body: Array("{\"id\":1}\n{\"id\":2}\n".utf8)),
    ]

    @Test(arguments: samples, [nil, 0, 1000])
    func roundTrip(record: BatchRecord, compressFrom: Int?) throws {
        let bytes = try record.encode(compressFrom: compressFrom)
        #expect(try BatchRecord(decoding: bytes) == record)
        if record.body.count == 5000 { #expect((bytes.count < 400) == (compressFrom != nil)) }
    }

    /// Any cut and any extra byte is refused, since the body reaches exactly to the end.
    @Test(arguments: samples)
    func wrongLengthsAreRefused(record: BatchRecord) throws {
        for bytes in [try record.encode(), try record.encode(compressFrom: 0)] {
            for count in stride(from: 0, to: bytes.count, by: bytes.count > 1000 ? 97 : 1) {
                let error = failure { _ = try BatchRecord(decoding: Array(bytes.prefix(count))) }
                #expect(error?.kind == .corrupted, "cut to \(count)")
            }
            #expect(failure { _ = try BatchRecord(decoding: bytes + [0]) }?.kind == .corrupted)
        }
    }

    /// The bytes of Docs/formats/log.md, written out by hand.
    @Test func layoutIsTheDocumentedOne() throws {
        let record = BatchRecord(
            table: Self.table, schemaId: 3, format: .json, producer: .init(id: "ab", epoch: 1, sequence: 2),
            idempotencyKey: "c", acceptedCount: 1, arrivalMicros: 0x0102, body: Array("{}".utf8))
        let expected =
            "01030200" + "03000000" + "00112233445566778899aabbccddeeff" + "0201000000000000" + "01000000" + "02000000"
            + "02000000" + "026162" + "0100000000000000" + "0200000000000000" + "0163" + "7b7d"
        #expect(Hex.encode(try record.encode()) == expected)
    }

    @Test func whatALaterVersionWritesIsUnsupportedNotCorrupted() throws {
        var bytes = try Self.samples[1].encode()
        bytes[0] = 2
        #expect(failure { _ = try BatchRecord(decoding: bytes) }?.code == "log_record_kind")
        bytes[0] = 1
        bytes[1] |= 0x80
        #expect(failure { _ = try BatchRecord(decoding: bytes) }?.code == "log_record_kind")
    }

    @Test func hostileBytesNeverCrash() throws {
        let random = SeededRandom(seed: 3)
        for sample in Self.samples {
            for compressFrom in [nil, 0] {
                let bytes = try sample.encode(compressFrom: compressFrom)
                for _ in 0..<500 {
                    var damaged = bytes
                    for _ in 0...random.next(below: 4) {
                        damaged[random.next(below: bytes.count)] ^= 1 << random.next(below: 8)
                    }
                    // The declared length bounds what a compressed body may expand to.
                    if let record = try? BatchRecord(decoding: damaged) { #expect(record.body.count <= 1 << 30) }
                }
            }
        }
    }

    @Test func idsOutOfBoundsAreRefused() {
        var record = Self.samples[1]
        for id in ["", String(repeating: "a", count: 256)] {
            record.producer?.id = id
            #expect(failure { _ = try record.encode() }?.code == "producer_id_too_long")
        }
    }

    // The frame below is computed by an independent implementation (Python, bitwise CRC-32C) of Docs/formats/log.md.
    @Test func frameLayoutIsTheDocumentedOne() {
        let payload = Array("hello".utf8)
        let header = FrameHeader(kind: .record, payloadBytes: 5, segment: 7, position: 9, durablePosition: 8)
        var frame = [UInt8](repeating: 0, count: 48)
        frame.replaceSubrange(40..<45, with: payload)
        frame.withUnsafeMutableBytes {
            header.encode(
                to: $0.baseAddress!, payloadChecksum: CRC32C.checksum(payload), salt: 0x1122_3344_5566_7788)
        }
        #expect(Hex.encode(frame) == Self.pythonFrame)
        let segment = SegmentHeader(
            number: 7, basePosition: 9, salt: 0x1122_3344_5566_7788, fileBytes: 8192, createdMicros: 1)
        let page = segment.encode()
        #expect(Hex.encode(page.prefix(64)) == Self.pythonHeader && page.count == 4096)
        #expect(page[64...].allSatisfy { $0 == 0 })
        frame.withUnsafeBytes {
            #expect(FrameHeader.decode($0, header: segment) == header)
            #expect(header.verifies($0, salt: segment.salt))
        }
        for bit in 0..<frame.count * 8 {
            var damaged = frame
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            let isBelieved = damaged.withUnsafeBytes { bytes in
                FrameHeader.decode(bytes, header: segment).map { $0.verifies(bytes, salt: segment.salt) } ?? false
            }
            #expect(!isBelieved, "bit \(bit)")
        }
    }

    static let pythonFrame =
        "8877665594e6849d050000000000000007000000000000000900000000000000080000000000000068656c6c6f000000"
    static let pythonHeader =
        "014649524e57414c010000001410ef7807000000000000000900000000000000"
        + "8877665544332211002000000000000001000000000000000000000000000000"
}
