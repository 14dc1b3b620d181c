import Base
import Testing

@testable import Iceberg

@Suite struct RowPositionsTests {
    private static let folder = "iceberg/iceberg-go/table/dv/testdata/deletes/"

    private func list(_ positions: RowPositions) -> [Int64] { Array(positions) }

    /// Sets of every shape: sparse, dense, runs, ends of containers, upper halves.
    private static let shapes: [[Int64]] = [
        [], [0], [5, 7], [0, 1, 2], [0, 1, 2, 3], Array(0..<4096), Array(0..<4097),
        Array(stride(from: 0, to: 8194, by: 2)),
        Array(stride(from: 1, to: 9000, by: 3)), Array(0..<65_536), Array(65_530..<65_545),
        (0..<20_000).map { $0 * $0 % 131_071 }, [0, 1 << 32, 5 << 32 | 0xffff_ffff],
        Array(stride(from: 0, to: 1_000_000, by: 997)), [RowPositions.positionMax],
    ]

    @Test(arguments: shapes.indices) func behavesLikeASet(shape: Int) throws {
        let members = Self.shapes[shape]
        let model = Set(members)
        var positions = RowPositions(members)
        #expect(positions.count == model.count && positions.isEmpty == model.isEmpty)
        #expect(list(positions) == model.sorted())
        for member in members.prefix(50) {
            #expect(positions.contains(member))
            #expect(positions.contains(member + 1) == model.contains(member + 1))
            let isNew = positions.insert(member)
            #expect(!isNew)
        }
        let read = try RowPositions(portable: positions.portable, source: "test")
        #expect(read == positions && list(read) == model.sorted())
        #expect(read.portable == positions.portable)
        // What was read with runs takes changes as well.
        var changed = read
        for member in [3, 70_000, 4_000_000_000] as [Int64] { changed.insert(member) }
        #expect(list(changed) == model.union([3, 70_000, 4_000_000_000]).sorted())
    }

    @Test(arguments: shapes.indices) func unions(shape: Int) throws {
        for other in Self.shapes {
            var positions = try RowPositions(portable: RowPositions(Self.shapes[shape]).portable, source: "test")
            positions.formUnion(try RowPositions(portable: RowPositions(other).portable, source: "test"))
            #expect(list(positions) == Set(Self.shapes[shape]).union(other).sorted())
        }
    }

    @Test(arguments: shapes.indices) func rowsLeft(shape: Int) throws {
        let model = Set(Self.shapes[shape])
        let built = RowPositions(Self.shapes[shape])
        for positions in [built, try RowPositions(portable: built.portable, source: "test")] {
            for start in [0, 1, 4095, 65_500, 131_000] as [Int64] {
                for count in [0, 1, 50, 4096] {
                    let range = start..<start + Int64(count)
                    let left = (0..<Int32(count)).filter { !model.contains(start + Int64($0)) }
                    #expect(positions.rowsLeft(from: start, count: count) ?? Array(0..<Int32(count)) == left)
                    #expect((positions.rowsLeft(from: start, count: count) == nil) == (left.count == count))
                    #expect(positions.count(in: range) == count - left.count)
                }
            }
        }
    }

    @Test(arguments: [
        ("64mapempty.bin", 0, 0), ("64map32bitvals.bin", 10, 9), ("64mapspreadvals.bin", 100, 9 << 32 | 9),
    ])
    func readsFilesOfCRoaring(name: String, count: Int, last: Int64) throws {
        for folder in [Self.folder, "iceberg/iceberg-cpp/src/iceberg/test/resources/"] {
            guard let bytes = try Corpus.read(folder + name) else { return }
            let positions = try RowPositions(portable: bytes, source: name)
            #expect(positions.count == count)
            #expect(list(positions).last ?? 0 == last)
        }
    }

    /// Positions of more than 63 bits, which no file has: the reference refuses them too.
    @Test func refusesHighValues() throws {
        guard let bytes = try Corpus.read("iceberg/iceberg-cpp/src/iceberg/test/resources/64maphighvals.bin") else {
            return
        }
        let error = #expect(throws: FirnError.self) { try RowPositions(portable: bytes, source: "high") }
        #expect(error?.code == "bad_row_positions")
    }

    @Test(
        arguments: [
            ("empty", []), ("small-alternating-values", [1, 3, 5, 7, 9]),
            ("small-and-large-values", [100, 101, 2_147_483_747, 2_147_483_748]),
            ("all-container-types", nil),
        ] as [(String, [Int64]?)])
    func javaVectorsComeBackByteForByte(name: String, expected: [Int64]?) throws {
        guard let bytes = try Corpus.read(Self.folder + name + "-position-index.bin") else { return }
        let positions = try DeletionVector.decode(bytes, source: name)
        if let expected { #expect(list(positions) == expected) }
        #expect(DeletionVector.encode(positions) == bytes)
        // Built anew from its members, it is the same again.
        #expect(DeletionVector.encode(RowPositions(list(positions))) == bytes)
    }

    @Test(
        arguments: [
            ([1], "00000022d1d33964010000000000000000000000" + "3a30000001000000000000001000000001 00eebd85f4"),
            (
                [0, 3, 65536],
                "0000002ed1d33964010000000000000000000000 3a300000020000000000010001000000 180000001c000000"
                    + "00000300 0000 0216e1ca"
            ),
            (
                [1, 1 << 32 + 5],
                "00000038d1d339640200000000000000 00000000 3a30000001000000000000001000000001 00"
                    + "01000000 3a30000001000000000000001000000005 00 bbe896e6"
            ),
        ] as [([Int64], String)])
    func knownVectors(positions: [Int64], hex: String) throws {
        let digits = Array(hex.utf8.filter { $0 != 0x20 })
        let bytes = stride(from: 0, to: digits.count, by: 2).map {
            UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)!
        }
        #expect(DeletionVector.encode(RowPositions(positions)) == bytes)
        #expect(list(try DeletionVector.decode(bytes, source: "vector")) == positions)
    }

    /// Every cut and every flipped bit is refused or read as some other sound set, never a crash.
    @Test func damageIsRefused() throws {
        let sound = RowPositions(Array(0..<5000) + [70_000, 70_002] + Array(200_000..<200_100) + [1 << 33])
        let bytes = sound.portable
        for length in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: FirnError.self) { try RowPositions(portable: Array(bytes[..<length]), source: "cut") }
        }
        for place in bytes.indices {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[place] ^= 1 << UInt8(bit)
                guard let read = try? RowPositions(portable: damaged, source: "flip") else { continue }
                #expect(list(read).count == read.count)
            }
        }
        var vector = DeletionVector.encode(sound)
        vector[20] ^= 1
        let error = #expect(throws: FirnError.self) { try DeletionVector.decode(vector, source: "crc") }
        #expect(error?.kind == .corrupted && error?.code == "bad_deletion_vector")
    }
}
