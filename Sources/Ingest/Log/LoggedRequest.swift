import Base

/// The payload of a log record: the batches of one request. Several are several tables' parts of it, which become
/// visible together or not at all.
///
/// Byte layout: Docs/formats/log.md, "Batch record" and "Group record".
public enum LoggedRequest {
    static let groupKind: UInt8 = 2

    /// One batch stands for itself; more are framed as a group. Throws as `BatchRecord.encode`.
    static func entry(_ batches: [BatchRecord]) throws(FirnError) -> LogEntry {
        precondition(!batches.isEmpty && batches.count <= UInt16.max, "a request without batches, or with too many")
        if batches.count == 1 { return try batches[0].entry() }
        return LogEntry(payload: try group(batches))
    }

    static func group(_ batches: [BatchRecord]) throws(FirnError) -> [UInt8] {
        var parts: [[UInt8]] = []
        for batch in batches { parts.append(try batch.encode()) }
        let total = parts.reduce(4) { $0 + 4 + $1.count }
        guard total <= Limits.wholeFileBytesMax else {
            throw FirnError(.limitExceeded, "body_too_large", "a request of \(total) bytes does not fit the log")
        }
        var writer = ByteWriter(capacity: total)
        writer.byte(groupKind)
        writer.byte(0)
        writer.littleEndian(UInt16(parts.count))
        for part in parts {
            writer.littleEndian(UInt32(part.count))
            writer.raw(part)
        }
        return writer.bytes
    }

    /// Throws as `BatchRecord.init(decoding:)`.
    public static func decode(_ payload: [UInt8], source: String = "log record") throws(FirnError) -> [BatchRecord] {
        guard payload.first == groupKind else { return [try BatchRecord(decoding: payload, source: source)] }
        var reader = ByteReader(payload, source: source)
        _ = try reader.byte()
        guard try reader.byte() == 0 else {
            throw FirnError(
                .unsupported, "log_record_kind", "the log holds a group with flags that this build does not know",
                context: ["file": source])
        }
        let count = Int(try reader.littleEndian(UInt16.self))
        var batches: [BatchRecord] = []
        for _ in 0..<count {
            let bytes = Int(try reader.littleEndian(UInt32.self))
            batches.append(try BatchRecord(decoding: Array(try reader.take(bytes)), source: source))
        }
        guard count > 1, reader.remaining == 0 else { throw reader.corrupted("the parts of the group do not add up") }
        return batches
    }
}
