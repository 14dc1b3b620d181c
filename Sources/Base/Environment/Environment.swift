/// The only road to the world: clock, randomness and files.
///
/// Every component is handed one; none reads the wall clock, draws a random number or opens a file by itself, so a
/// test can put a simulated world underneath and replay it from a seed. SQLite reaches its own file by itself and is
/// the one exception.
public struct Environment: Sendable {
    public let clock: any Clock
    public let random: any RandomSource
    public let files: any FileSystem
    /// Where tests end the process; off otherwise.
    public var faults = FaultPoints.none

    public init(clock: any Clock, random: any RandomSource, files: any FileSystem) {
        self.clock = clock
        self.random = random
        self.files = files
    }

    /// The real world.
    public static let live = {
        var live = Environment(clock: SystemClock(), random: SystemRandom(), files: PosixFileSystem())
        live.faults = .ofProcess()
        return live
    }()

    /// A random (version 4) UUID.
    public func uuid() -> UUID {
        UUID(random: random.next(), random.next())
    }

    /// A positive random 63-bit id, as snapshots carry.
    public func snapshotId() -> Int64 {
        max(1, Int64(bitPattern: (random.next() ^ random.next()) & 0x7fff_ffff_ffff_ffff))
    }
}

/// Wall-clock time for people and files, monotonic time for durations.
public protocol Clock: Sendable {
    /// Microseconds since 1970-01-01T00:00:00Z. May step backwards.
    func nowMicros() -> Int64
    /// Nanoseconds since an arbitrary start. Never steps backwards.
    func monotonicNanos() -> Int64
}

extension Clock {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    public func nowMs() -> Int64 { nowMicros() / 1000 }
}

public protocol RandomSource: Sendable {
    /// 64 uniformly random bits.
    func next() -> UInt64
}
