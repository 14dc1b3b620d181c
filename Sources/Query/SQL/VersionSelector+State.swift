import Base
import Columnar
import Iceberg

extension VersionSelector {
    /// A version as a person writes it: a snapshot id, a branch or tag, or an ISO 8601 date or time.
    public init(parsing text: String) {
        if let ms = TemporalText.instant(text).flatMap({ $0.floorDivided(by: 1_000_000) }) {
            self = .timestamp(ms: ms)
        } else {
            // A name of digits alone may still be a tag; ids come after names.
            self = .ref(text)
        }
    }
}

extension TableMetadata {
    /// The snapshot that a version means, nil for a table without any, and the schema to read it with: a tag or an old
    /// snapshot has the columns of its time, a branch those of the table.
    ///
    /// Throws `.notFound` (`snapshot_not_found`).
    public func state(
        _ version: VersionSelector, table: String
    ) throws(FirnError) -> (snapshot: Snapshot?, schema: Schema) {
        func missing(_ message: String) -> FirnError {
            FirnError(.notFound, "snapshot_not_found", message, context: ["table": table])
        }
        switch version {
        case .current: return (currentSnapshot, currentSchema)
        case .snapshot(let id):
            guard let snapshot = snapshot(id: id) else {
                throw missing("the table has no snapshot \(id); it may have expired")
            }
            return (snapshot, schema(of: snapshot))
        case .ref(let name):
            if let snapshot = snapshot(ref: name) {
                return (snapshot, refs[name]?.kind == .branch ? currentSchema : schema(of: snapshot))
            }
            if let id = Int64(name), let snapshot = snapshot(id: id) { return (snapshot, schema(of: snapshot)) }
            let close = NameSuggestion.closest(to: name, among: refs.keys.sorted())
            throw missing("the table has no branch or tag '\(name)'" + (close.map { "; did you mean '\($0)'?" } ?? ""))
        case .timestamp(let ms):
            guard let snapshot = snapshot(asOfMs: ms) else {
                let (micros, isFar) = ms.multipliedReportingOverflow(by: 1000)
                let time = isFar ? "\(ms) ms" : CivilTime.formatTimestamp(micros: micros, utc: true)
                throw missing("the table had no snapshot at \(time), or it has expired")
            }
            return (snapshot, schema(of: snapshot))
        }
    }
}
