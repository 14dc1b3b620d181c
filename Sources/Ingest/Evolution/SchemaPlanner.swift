import Base
import Columnar

/// Plans the schema change that would let a body's rejected records in.
///
/// 1. The body is decoded under the present schema; only records that fail are looked at.
/// 2. Each of them is walked beside the schema, and what it needs beyond it is gathered: see `EvolutionWalk`. A record
///    that contradicts what earlier ones need, or needs what Iceberg forbids, contributes nothing.
/// 3. The change is tried: the records are decoded again under the schema it gives. Those that still fail were bad for
///    another reason, and the change is planned again without them, a few times at most.
///
/// | a record has | the change |
/// |---|---|
/// | a key that names no column, at any depth | an optional column of the type that `SchemaInference` finds |
/// | such a key with nothing but null, `[]` or `{}` | a column of string, list<string>, map<string, string> |
/// | an integer too large for an int column | long |
/// | a number too large for a float column | double |
/// | more integer digits than a decimal column has | more precision, up to 38, the same scale |
/// | null or nothing where a value is required | an optional column, unless it identifies rows |
/// | a fraction in an int or long column, text in a number column, … | none: such records stay rejected |
///
/// The plan depends on nothing but the bytes, the schema and the settings. It is bounded by the body and by
/// `Limits.columnsMax`.
public enum SchemaPlanner {
    /// A change with what asks for it.
    public struct Plan: Sendable, Equatable {
        public let change: SchemaChange
        /// Records that need it; 0 where it is the body's own columns that do.
        public let records: Int
        /// One of these records; empty for none.
        public let sample: [UInt8]
    }

    /// The change that a body needs, nil for none. A body with columns of its own is compared as
    /// `plan(inferred:current:)` does.
    ///
    /// Throws as `decode` for a body that is refused as a whole, as `SchemaInference.infer` for one with columns.
    public static func plan(
        _ body: [UInt8], format: RecordFormat, schema: Schema, settings: DecodeSettings
    ) throws(FirnError) -> SchemaChange? {
        try planned(body, format: format, schema: schema, settings: settings)?.change
    }

    /// The same, with the records that ask for it.
    public static func planned(
        _ body: [UInt8], format: RecordFormat, schema: Schema, settings: DecodeSettings
    ) throws(FirnError) -> Plan? {
        guard !format.hasColumns else {
            return try plan(columnsOf: body, format: format, schema: schema, settings: settings)
        }
        var options = DecoderOptions()
        options.rejectionsReportedMax = Int.max
        let decoded = try decode(body, format: format, schema: schema, settings: settings, options: options)
        let lines = decoded.rejections.filter { EvolutionWalk.mayHelp($0.code) }.map(\.line)
        guard !lines.isEmpty else { return nil }
        let records = RecordSlices.take(lines, of: body, format: format)
        return try planned(records: records, schema: schema, settings: settings)
    }

    /// The change that rejected records need, nil for none. Each of `records` is one JSON object; what is none
    /// contributes nothing.
    public static func planned(
        records: [[UInt8]], schema: Schema, settings: DecodeSettings
    ) throws(FirnError) -> Plan? {
        var candidates = records
        for round in 1...roundsMax {
            let (change, contributing) = gather(candidates, schema, settings)
            guard !change.isEmpty else { return nil }
            // Columns nested too deep for a table's metadata are what the walk cannot see.
            guard let wider = try? change.apply(to: schema, lastColumnId: schema.highestFieldId).schema else {
                return nil
            }
            let bad = try rejected(contributing.map { candidates[$0] }, wider, settings)
            if bad.isEmpty {
                return Plan(change: change, records: contributing.count, sample: candidates[contributing[0]])
            }
            let dropped = Set(bad.map { contributing[$0] })
            let kept = round < roundsMax ? Array(candidates.indices) : contributing
            candidates = kept.filter { !dropped.contains($0) }.map { candidates[$0] }
        }
        let (change, contributing) = gather(candidates, schema, settings)
        guard let first = contributing.first else { return nil }
        return Plan(change: change, records: contributing.count, sample: candidates[first])
    }

    /// Plans at most: a bad record may have kept a good one from contributing, which then may be bad as well.
    private static let roundsMax = 3

    private static func gather(
        _ records: [[UInt8]], _ schema: Schema, _ settings: DecodeSettings
    ) -> (change: SchemaChange, contributing: [Int]) {
        let needs = EvolutionNeeds(schema: schema, addsColumns: settings.unknownColumns == .reject)
        var contributing: [Int] = []
        for (index, record) in records.enumerated() {
            let padded = record + [UInt8](repeating: 0, count: 64)
            let adds = padded.withUnsafeBufferPointer { bytes in
                var walk = EvolutionWalk(needs)
                guard walk.run(bytes.baseAddress!, bytes.baseAddress! + record.count) else { return false }
                return needs.accept(walk.needs)
            }
            if adds { contributing.append(index) }
        }
        return (needs.change, contributing)
    }

    /// Numbers of the records that do not decode under `schema`.
    private static func rejected(
        _ records: [[UInt8]], _ schema: Schema, _ settings: DecodeSettings
    ) throws(FirnError) -> [Int] {
        var body: [UInt8] = [UInt8(ascii: "[")]
        for (index, record) in records.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            body += record
        }
        body.append(UInt8(ascii: "]"))
        var options = DecoderOptions()
        options.rejectionsReportedMax = Int.max
        let decoded = try decode(body, format: .json, schema: schema, settings: settings, options: options)
        return decoded.rejections.map { $0.line - 1 }
    }
}

/// Finds records again by the numbers that rejections give them.
enum RecordSlices {
    /// Precondition: `lines` rise, and the body is one that was decoded.
    static func take(_ lines: [Int], of body: [UInt8], format: RecordFormat) -> [[UInt8]] {
        format == .ndjson ? ofLines(lines, body) : ofElements(lines, body)
    }

    private static func ofLines(_ lines: [Int], _ body: [UInt8]) -> [[UInt8]] {
        var records: [[UInt8]] = []
        var (line, start, next) = (1, 0, 0)
        while start < body.count, next < lines.count {
            let end = body[start...].firstIndex(of: Byte.newline) ?? body.count
            if line == lines[next] {
                records.append(Array(body[start..<end]))
                next += 1
            }
            line += 1
            start = end + 1
        }
        return records
    }

    private static func ofElements(_ lines: [Int], _ body: [UInt8]) -> [[UInt8]] {
        let padded = body + [UInt8](repeating: 0, count: 64)
        return padded.withUnsafeBufferPointer { bytes in
            let scan = JSONScan(multiline: true)
            var records: [[UInt8]] = []
            var p = scan.space(bytes.baseAddress!)
            let isArray = p.pointee == Byte.openBracket
            if isArray { p = scan.space(p + 1) }
            var (line, next) = (1, 0)
            while next < lines.count, let end = try? scan.skipValue(p, depth: 0) {
                if line == lines[next] {
                    records.append(Array(UnsafeBufferPointer(start: p, count: end - p)))
                    next += 1
                }
                line += 1
                p = scan.space(end)
                guard isArray, p.pointee == Byte.comma else { break }
                p = scan.space(p + 1)
            }
            return records
        }
    }
}
