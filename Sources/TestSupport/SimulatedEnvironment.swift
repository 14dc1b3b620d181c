import Base

/// A whole simulated world ruled by one seed.
public struct SimulatedEnvironment: Sendable {
    public let clock: SimulatedClock
    public let random: SeededRandom
    public let files: SimulatedFileSystem

    /// What components are handed.
    public var environment: Environment { Environment(clock: clock, random: random, files: files) }

    public static func make(seed: UInt64, capacityBytes: Int? = nil) -> SimulatedEnvironment {
        SimulatedEnvironment(
            clock: SimulatedClock(), random: SeededRandom(seed: seed),
            files: SimulatedFileSystem(seed: seed ^ 0x5eed_d15c, capacityBytes: capacityBytes))
    }
}
