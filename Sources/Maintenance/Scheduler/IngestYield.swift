/// How far maintenance steps back while ingest is under pressure. Pure.
///
/// Below `pressureMin` it goes on as it likes. Above, it rests after each step of work, the longer the higher the
/// pressure, at most three times as long as it worked: a quarter of its speed is the least it keeps, since files that
/// are not merged slow ingest down as well.
enum IngestYield {
    static let pressureMin = 0.25
    static let restFactorMax = 3.0
    /// One rest; pressure is looked at anew after it.
    static let restNanosMax: Int64 = 250_000_000

    /// - Parameters:
    ///   - workNanos: since the last rest.
    ///   - pressure: 0 for an idle server, 1 for one that is about to refuse requests.
    static func restNanos(workNanos: Int64, pressure: Double) -> Int64 {
        guard pressure > pressureMin, workNanos > 0 else { return 0 }
        let factor = min(1, (pressure - pressureMin) / (1 - pressureMin)) * restFactorMax
        return min(Int64(Double(min(workNanos, restNanosMax)) * factor), restNanosMax)
    }
}
