import CSQLite

/// Takes the value of one column of one row of a virtual table.
public struct ResultSink {
    let context: OpaquePointer

    public func null() { sqlite3_result_null(context) }
    public func integer(_ value: Int64) { sqlite3_result_int64(context, value) }
    /// NaN becomes NULL, as everywhere in SQLite.
    public func real(_ value: Double) { sqlite3_result_double(context, value) }

    /// UTF-8, copied.
    public func text(_ utf8: UnsafeBufferPointer<UInt8>) {
        guard let start = utf8.baseAddress else { return sqlite3_result_text(context, "", 0, nil) }
        start.withMemoryRebound(to: CChar.self, capacity: utf8.count) {
            sqlite3_result_text64(context, $0, UInt64(utf8.count), Statement.transient, UInt8(SQLITE_UTF8))
        }
    }

    public func text(_ value: String) {
        var value = value
        value.withUTF8 { text($0) }
    }

    /// Copied.
    public func blob(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard bytes.count > 0 else { return sqlite3_result_zeroblob(context, 0) }
        sqlite3_result_blob64(context, bytes.baseAddress, UInt64(bytes.count), Statement.transient)
    }

    public func value(_ value: SQLValue) {
        switch value {
        case .null: null()
        case .integer(let value): integer(value)
        case .real(let value): real(value)
        case .text(let value): text(value)
        case .blob(let bytes): bytes.withUnsafeBufferPointer { blob($0) }
        }
    }
}
