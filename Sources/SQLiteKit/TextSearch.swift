import Base
import CSQLite

/// `instr` and `replace` in time proportional to their arguments.
///
/// SQLite's own compare the whole needle at every place of the haystack, in one call that nothing interrupts: two
/// values of some megabytes take minutes. Results are the same; see https://www.sqlite.org/lang_corefunc.html.
extension Database {
    public func addLinearTextSearch() throws(FirnError) {
        let flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS
        try check(
            sqlite3_create_function_v2(
                handle, "instr", 2, flags, nil, { TextSearch.instr($0!, $2![0]!, $2![1]!) }, nil, nil, nil))
        try check(
            sqlite3_create_function_v2(
                handle, "replace", 3, flags, nil, { TextSearch.replace($0!, $2![0]!, $2![1]!, $2![2]!) }, nil, nil,
                nil))
    }
}

private enum TextSearch {
    typealias Bytes = UnsafeBufferPointer<UInt8>

    static func instr(_ context: OpaquePointer, _ haystack: OpaquePointer, _ needle: OpaquePointer) {
        let types = (sqlite3_value_type(haystack), sqlite3_value_type(needle))
        guard types.0 != SQLITE_NULL, types.1 != SQLITE_NULL else { return sqlite3_result_null(context) }
        let areBlobs = types.0 == SQLITE_BLOB && types.1 == SQLITE_BLOB
        let (all, wanted) = areBlobs ? (blob(haystack), blob(needle)) : (text(haystack), text(needle))
        func isStart(_ place: Int) -> Bool { areBlobs || place == 0 || all[place] & 0xc0 != 0x80 }
        var place = find(wanted, in: all, from: 0)
        // A text that begins amid a character is found at the start only, as by SQLite.
        if let found = place, !isStart(found) { place = nil }
        // Characters of a text are counted, not bytes.
        let number = place.map { place in 1 + (0..<place).count(where: isStart) } ?? 0
        sqlite3_result_int64(context, Int64(number))
    }

    static func replace(
        _ context: OpaquePointer, _ value: OpaquePointer, _ pattern: OpaquePointer, _ substitute: OpaquePointer
    ) {
        func isNull(_ value: OpaquePointer) -> Bool { sqlite3_value_type(value) == SQLITE_NULL }
        guard !isNull(value), !isNull(pattern) else { return sqlite3_result_null(context) }
        let (all, wanted, other) = (text(value), text(pattern), text(substitute))
        // As SQLite has it, a pattern that is empty up to its first NUL leaves even NULL unasked.
        guard let first = wanted.first, first != 0 else { return sqlite3_result_value(context, value) }
        guard !isNull(substitute) else { return sqlite3_result_null(context) }
        let limit = Int(sqlite3_limit(sqlite3_context_db_handle(context), SQLITE_LIMIT_LENGTH, -1))
        var out: [UInt8] = []
        var start = 0
        while let place = find(wanted, in: all, from: start) {
            out += all[start..<place]
            out += other
            start = place + wanted.count
            guard out.count <= limit else { return sqlite3_result_error_toobig(context) }
        }
        out += all[start...]
        guard out.count <= limit else { return sqlite3_result_error_toobig(context) }
        out.withUnsafeBufferPointer { ResultSink(context: context).text($0) }
    }

    private static func text(_ value: OpaquePointer) -> Bytes {
        // The text first: asking for it may change the length.
        let start = sqlite3_value_text(value)
        return Bytes(start: start, count: start == nil ? 0 : Int(sqlite3_value_bytes(value)))
    }

    private static func blob(_ value: OpaquePointer) -> Bytes {
        let start = sqlite3_value_blob(value)
        let count = start == nil ? 0 : Int(sqlite3_value_bytes(value))
        return Bytes(start: start?.assumingMemoryBound(to: UInt8.self), count: count)
    }

    /// The first place at or behind `start`, in linear time; nil for none. An empty needle is everywhere.
    private static func find(_ needle: Bytes, in haystack: Bytes, from start: Int) -> Int? {
        guard !needle.isEmpty else { return start }
        guard haystack.count - start >= needle.count, let base = haystack.baseAddress else { return nil }
        return firn_memmem(base + start, haystack.count - start, needle.baseAddress, needle.count).map {
            $0 - UnsafeRawPointer(base)
        }
    }
}
