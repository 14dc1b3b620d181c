import CPlatform

/// What a process may ask of malloc once, at its start.
public enum Allocator {
    /// Keeps freed memory for the buffers to come. Columns are allocated and freed by megabytes; by default malloc
    /// gives such memory back each time, and the kernel zeroes every page of it anew: a third of the time of a scan.
    ///
    /// At most 128 MiB that nobody uses stay with the process.
    public static func keepFreedBuffers() {
        firn_keep_freed_memory(128 << 20)
    }
}
