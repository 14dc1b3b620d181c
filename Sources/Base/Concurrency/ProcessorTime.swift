import Glibc

/// Processor time, for budgets and figures only.
public enum ProcessorTime {
    /// Nanoseconds that the calling thread has used.
    public static func threadNanos() -> Int64 {
        var time = timespec()
        // Allowed: not a time of day, and no decision about data depends on it.
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    public static var threadId: UInt { UInt(pthread_self()) }

    /// Processors this process may use.
    public static var count: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}
