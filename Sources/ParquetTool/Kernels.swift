import ArgumentParser
import Base
import Parquet

struct Kernels: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Time the loops that the Parquet module spends its time in.",
        discussion: """
            MB of values in memory per CPU second, each kernel on data that is typical for it. One thread, the best of \
            the runs.
            """)
    @Argument(help: "Only kernels whose name has this in it.") var name: String?
    @OptionGroup var timing: TimingOptions

    func run() throws {
        for bench in try KernelBenches.all() where name.map({ bench.name.contains($0) }) ?? true {
            // Some kernels are done in microseconds: repeated until a run takes long enough for the clock.
            var repeats = 1
            while true {
                let time = try timing.measure { for _ in 0..<repeats { try bench.run() } }[0]
                if time < 0.02, repeats < 1 << 16 {
                    repeats *= 4
                    continue
                }
                Terminal.out([
                    .init("kernel", .string(bench.name)),
                    .init("mb_per_second", .integer(Int64(Double(bench.bytes * repeats) / time / 1e6))),
                ])
                break
            }
        }
    }
}
