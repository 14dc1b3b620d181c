// libFuzzer's entry point: FIRN_FUZZ_TARGET names the target of `FuzzTargets`, or of `ArrowFuzzTargets`, to run.
//
// The target `canary` fails on an input that only coverage feedback finds soon; `make fuzz` runs it first, so that a
// build without feedback cannot pass as a clean one.
import Arrow
import Glibc
import Parquet

private let run: @Sendable (UnsafeRawBufferPointer) -> Void = {
    let name = getenv("FIRN_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    if name == "canary" { return canary }
    if let target = ArrowFuzzTargets.target(name) { return target.run }
    guard let target = FuzzTargets.target(name) else {
        let names = FuzzTargets.all.map(\.name) + ArrowFuzzTargets.all.map(\.name)
        fatalError("FIRN_FUZZ_TARGET must be canary or one of: " + names.joined(separator: ", "))
    }
    return target.run
}()

@Sendable private func canary(_ input: UnsafeRawBufferPointer) {
    guard input.count > 3, input[0] == 0x46, input[1] == 0x69, input[2] == 0x72, input[3] == 0x6e else { return }
    fatalError("the canary was found")
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    run(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}
