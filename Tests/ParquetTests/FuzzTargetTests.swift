import Base
import Testing

@testable import Parquet

/// Every fuzz target on the inputs that once broke something, and on a few thousand made ones; a trap would end the
/// test process. The long runs with feedback are `make fuzz`.
@Suite struct FuzzTargetTests {
    @Test(arguments: FuzzTargets.all.map(\.name))
    func keptInputs(_ name: String) throws {
        let target = try #require(FuzzTargets.target(name))
        target.run(UnsafeRawBufferPointer(start: nil, count: 0))
        for input in try Self.kept(name) { input.withUnsafeBytes { target.run($0) } }
    }

    @Test(arguments: FuzzTargets.all.map(\.name))
    func madeInputs(_ name: String) throws {
        let target = try #require(FuzzTargets.target(name))
        var generator = Generator(seed: 77, nullPercent: 0, isRepetitive: false)
        let seeds = try Self.kept(name) + [ForeignFiles.gzipV2, ForeignFiles.otherTypes].map { Array($0.suffix(3000)) }
        for round in 0..<400 {
            var input = seeds[round % seeds.count]
            if round % 4 == 0 {
                input = (0..<generator.below(300)).map { _ in UInt8(generator.below(256)) }
            } else if !input.isEmpty {
                for _ in 0..<1 + generator.below(4) {
                    let place = generator.below(UInt64(input.count))
                    input[place] = [0, 0xff, 0x7f, 0x80, UInt8(generator.below(256))][generator.below(5)]
                }
            }
            input.withUnsafeBytes { target.run($0) }
        }
    }

    /// A directory for a target that is not on the list would never be run.
    @Test func everyKeptInputHasItsTarget() {
        let known = Set(FuzzTargets.all.map(\.name))
        #expect(Set(Self.names(in: Self.folder)).isSubset(of: known))
    }

    private static let folder =
        "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/Fuzz/inputs"

    private static func kept(_ name: String) throws -> [[UInt8]] {
        try names(in: folder + "/" + name).sorted().map {
            try PosixFileSystem().readAll(folder + "/" + name + "/" + $0)
        }
    }

    private static func names(in folder: String) -> [String] {
        (try? PosixFileSystem().list(folder).map(\.name)) ?? []
    }
}
