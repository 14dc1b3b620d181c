import Base
import TestSupport
import Testing

@Suite struct UUIDTests {
    @Test func textAndBytesRoundTrip() {
        let text = "f79c3e09-677c-4bbd-a479-3f349cb785e7"
        let uuid = UUID(text)
        #expect(uuid?.description == text)
        #expect(uuid?.high == 0xf79c_3e09_677c_4bbd && uuid?.low == 0xa479_3f34_9cb7_85e7)
        #expect(UUID(text.uppercased()) == uuid)
        #expect(uuid.map { Hex.encode($0.bytes) } == "f79c3e09677c4bbda4793f349cb785e7")
        #expect(uuid.map { UUID(bytes: $0.bytes) } == uuid)
    }

    @Test(arguments: [
        "", "f79c3e09", "f79c3e09677c4bbda4793f349cb785e7", "f79c3e09-677c-4bbd-a479-3f349cb785e",
        "f79c3e09-677c-4bbd-a479-3f349cb785e77", "f79c3e09-677c-4bbd-a479_3f349cb785e7",
        "g79c3e09-677c-4bbd-a479-3f349cb785e7", "{79c3e09-677c-4bbd-a479-3f349cb785e}",
        "f79c3e0-9677c-4bbd-a479-3f349cb785e7",
        "f79c3e09-677c-4bbd-a479-3f349cb785é",
    ])
    func otherTextIsRefused(text: String) { #expect(UUID(text) == nil) }

    /// RFC 9562 section 5.4: version 4 and variant 10, all other bits random.
    @Test func randomOnesCarryVersionAndVariant() {
        for (a, b) in [(UInt64.min, UInt64.min), (.max, .max), (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210)] {
            let uuid = UUID(random: a, b)
            #expect(uuid.high >> 12 & 0xf == 4 && uuid.low >> 62 == 0b10)
            #expect(uuid.high & ~0xf000 == a & ~0xf000 && uuid.low << 2 == b << 2)
        }
        let environment = SimulatedEnvironment.make(seed: 1).environment
        #expect(Set((0..<1000).map { _ in environment.uuid() }).count == 1000)
        #expect((0..<1000).allSatisfy { _ in environment.snapshotId() > 0 })
    }

    @Test func orderIsThatOfTheBytes() {
        let low = UUID("00000000-0000-0000-ffff-ffffffffffff")!
        let high = UUID("00000000-0000-0001-0000-000000000000")!
        #expect(low < high && !(high < low))
    }

    @Test func hexadecimal() {
        #expect(Hex.encode([0, 1, 0xab, 0xff]) == "0001abff")
        #expect(Hex.decode("0001ABff") == [0, 1, 0xab, 0xff])
        #expect(Hex.decode("") == [])
        for bad in ["0", "0g", "+1", "-1", "é1"] { #expect(Hex.decode(bad) == nil) }
        #expect(Hex.encode(0xbeef, width: 8) == "0000beef")
        #expect(Hex.encode(UInt64.max, width: 3) == "ffffffffffffffff")
    }
}
