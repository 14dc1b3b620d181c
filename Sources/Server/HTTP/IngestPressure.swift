import Ingest

/// How hard ingest is pressed, from 0 for idle to 1 for about to refuse requests: what maintenance steps back for.
enum IngestPressure {
    /// The largest of three shares: of the memory for uncommitted records, of the requests that may be under way, and
    /// of the threads' worth of requests that wait to be decoded.
    static func of(_ ingest: IngestService, _ admission: Admission) -> Double {
        let figures = ingest.figures
        let memory = Double(figures.memoryBytes) / Double(max(1, figures.memoryBytesMax))
        let requests = Double(admission.load.requests) / Double(max(1, admission.limits.requestsMax))
        let waiting = Double(figures.decodeQueue) / Double(decodeQueueFull)
        return min(1, max(memory, requests, waiting))
    }

    /// Requests in the queue of the decode threads that count as full pressure.
    private static let decodeQueueFull = 16
}
