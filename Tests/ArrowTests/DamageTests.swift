import Base
import Columnar
import TestSupport
import Testing

@testable import Arrow

/// Damaged streams: every answer is a typed error or a batch; a trap would end the test process.
@Suite struct DamageTests {
    private static let bodies = [
        ArrowBodies.everyType, ArrowBodies.lz4, ArrowBodies.zstd, ArrowBodies.file, ArrowBodies.deltas,
        ArrowBodies.beneathNulls,
    ]

    @Test func cutAnywhere() throws {
        let target = try #require(ArrowFuzzTargets.target("arrow-stream"))
        for body in Self.bodies {
            for count in stride(from: 0, to: body.count, by: body.count > 8192 ? 61 : 7) {
                body.withUnsafeBytes { target.run(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            }
        }
    }

    @Test func changedAnywhere() throws {
        let target = try #require(ArrowFuzzTargets.target("arrow-stream"))
        var random = SeededRandom(seed: 11)
        for round in 0..<3_000 {
            var body = Self.bodies[round % Self.bodies.count]
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                // Most of the structure lies in the schema, at the front.
                let reach = Bool.random(using: &random) ? min(body.count, 2048) : body.count
                let at = Int.random(in: 0..<reach, using: &random)
                body[at] = [0, 1, 0x7f, 0x80, 0xff, UInt8.random(in: 0...255, using: &random)]
                    .randomElement(using: &random)!
            }
            body.withUnsafeBytes { target.run($0) }
        }
    }
}
