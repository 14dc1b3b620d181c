import Base
import Catalog

/// What the recorded compaction jobs of a table tell.
public struct CompactionHistory: Hashable, Sendable {
    /// Jobs looked at, the newest.
    public static let jobsMax = 100

    /// When the last job ended that did not fail.
    public var lastRunMs: Int64?
    /// Of the newest job, if it failed.
    public var lastError: String?
    /// Jobs in a row that failed, up to now.
    public var failuresInARow = 0
    /// Failed jobs among all.
    public var failures = 0
    /// Bytes that compactions wrote.
    public var bytesWritten: Int64 = 0
    /// Bytes that came in since the first of the jobs began; nil without a job that says.
    public var bytesArrived: Int64?

    public init() {}

    /// - Parameters:
    ///   - jobs: newest first, as `Warehouse.listJobs` has them.
    ///   - tableBytes: of all live data files now.
    public init(jobs: [JobRow], tableBytes: Int64) {
        var shrunk: Int64 = 0
        var first: Int64?
        var isNewest = true
        for job in jobs where job.kind == MaintenanceJobs.compactKind && job.finishedMs != nil {
            switch job.state {
            case .failed:
                failures += 1
                if isNewest {
                    failuresInARow += 1
                    lastError = lastError ?? job.error ?? "failed"
                }
            case .done:
                isNewest = false
                lastRunMs = lastRunMs ?? job.finishedMs
                guard let report = try? JSONValue(parsing: job.detail, source: "job")["report"] else { continue }
                func number(_ name: String) -> Int64 { report[name]?.intValue ?? 0 }
                bytesWritten += number("bytes-after")
                shrunk += number("bytes-before") - number("bytes-after")
                first = number("table-bytes-before")
            case .planned, .running, .cancelled: continue
            }
        }
        bytesArrived = first.map { max(0, tableBytes - $0 + shrunk) }
    }

    /// Bytes written by compaction for each byte that came in; nil while too little is known.
    public var amplification: Double? {
        guard let bytesArrived, bytesArrived > 0 else { return nil }
        return Double(bytesWritten) / Double(bytesArrived)
    }
}
