import Glibc

public struct SystemClock: Clock {
    public init() {}

    public func nowMicros() -> Int64 {
        let time = read(CLOCK_REALTIME)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    public func monotonicNanos() -> Int64 {
        let time = read(CLOCK_MONOTONIC)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        clock_gettime(clock, &time)
        return time
    }
}

public struct SystemRandom: RandomSource {
    public init() {}
    public func next() -> UInt64 { UInt64.random(in: .min ... .max) }
}
