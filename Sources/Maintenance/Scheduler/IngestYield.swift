/// How far maintenance steps back while ingest is under pressure. Pure.
///
/// Below `pressureMin` it goes on as it likes, and as long as it gets a processor whenever it wants one: then nobody
/// gains by its rest. Else it rests after each step of work, the longer the higher the pressure and the longer it had
/// to wait, at most three times as long as it worked: a quarter of its speed is the least it keeps, since files that
/// are not merged slow ingest down as well.
enum IngestYield {
    static let pressureMin = 0.25
    static let restFactorMax = 3.0
    /// The share of its time without a processor from which on it rests in full.
    static let waitedShareFull = 0.5
    /// One rest; pressure is looked at anew after it.
    static let restNanosMax: Int64 = 250_000_000

    /// - Parameters:
    ///   - workNanos: since the last rest.
    ///   - processorNanos: what it had a processor for, of those.
    ///   - pressure: 0 for an idle server, 1 for one that is about to refuse requests.
    static func restNanos(workNanos: Int64, processorNanos: Int64, pressure: Double) -> Int64 {
        guard pressure > pressureMin, workNanos > 0 else { return 0 }
        let waited = Double(max(0, workNanos - processorNanos)) / Double(workNanos)
        let pressed = min(1, (pressure - pressureMin) / (1 - pressureMin))
        let factor = pressed * min(1, waited / waitedShareFull) * restFactorMax
        return min(Int64(Double(min(workNanos, restNanosMax)) * factor), restNanosMax)
    }
}
