import Base
import Iceberg

/// What Firn stamps in the summaries of its snapshots, so that a table explains itself without the catalog.
public enum SnapshotSummary {
    /// The log position that the table holds everything through.
    public static let logPosition = "firn.log-position"
    /// JSON object: producer id to the epoch, sequence and log position of its last committed batch, and the highest
    /// event time of its records in microseconds, where the table has one.
    public static let producers = "firn.producers"
    /// The table's watermark in microseconds from 1970, and the same as a time of day in UTC.
    public static let watermark = "firn.watermark"
    public static let watermarkTime = "firn.watermark-time"
    public static let engineName = "engine-name"
    public static let engineVersion = "engine-version"

    /// Producers named in one summary; the catalog has them all.
    static let producersMax = 100

    /// The entries of an ingest snapshot.
    static func entries(of mark: IngestMark, version: String) -> [String: String] {
        var entries = engine(version)
        entries[logPosition] = String(mark.position)
        if let micros = mark.watermark {
            entries[watermark] = String(micros)
            entries[watermarkTime] = CivilTime.formatTimestamp(micros: micros, utc: true)
        }
        if !mark.producers.isEmpty {
            let events = Dictionary(
                mark.watermarks.map { ($0.producer, $0.eventMicros) }, uniquingKeysWith: { first, _ in first })
            let members = mark.producers.prefix(producersMax).map { producer in
                var members = [
                    JSONValue.Member("epoch", .integer(producer.epoch)),
                    JSONValue.Member("sequence", .integer(producer.sequence)),
                    JSONValue.Member("position", .integer(Int64(clamping: producer.position))),
                ]
                if let micros = events[producer.producer] {
                    members.append(JSONValue.Member("event-micros", .integer(micros)))
                }
                return JSONValue.Member(producer.producer, .object(members))
            }
            entries[producers] = String(decoding: JSONValue.object(members).serialize(), as: UTF8.self)
        }
        return entries
    }

    /// The entries of any other snapshot: the marks of its nearest ancestor that has them, so that they outlive the
    /// expiry of ingest snapshots.
    static func carried(from metadata: TableMetadata, version: String) -> [String: String] {
        var entries = engine(version)
        var missing = [logPosition, producers, watermark, watermarkTime]
        var current = metadata.currentSnapshot
        var steps = 0
        while let snapshot = current, !missing.isEmpty, steps <= metadata.snapshots.count {
            for key in missing { entries[key] = snapshot.summary[key] }
            missing.removeAll { entries[$0] != nil }
            current = snapshot.parentSnapshotId.flatMap { metadata.snapshot(id: $0) }
            steps += 1
        }
        return entries
    }

    /// The table's watermark in microseconds that the snapshots carry; nil when there never was one.
    public static func watermarkMicros(of metadata: TableMetadata) -> Int64? {
        carried(from: metadata, version: "")[watermark].flatMap { Int64($0) }
    }

    private static func engine(_ version: String) -> [String: String] {
        [engineName: "firn", engineVersion: version]
    }
}
