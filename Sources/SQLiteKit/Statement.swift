import Base
import CSQLite

/// A compiled SQL statement. Parameters are numbered from 1, columns from 0.
public final class Statement {
    public let database: Database
    public let sql: String
    let handle: OpaquePointer

    /// Tells SQLite to copy what it is given.
    static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    init(database: Database, handle: OpaquePointer, sql: String) {
        self.database = database
        self.handle = handle
        self.sql = sql
    }

    deinit { database.recycle(handle, sql: sql) }

    // MARK: Parameters

    public var parameterCount: Int { Int(sqlite3_bind_parameter_count(handle)) }

    /// Binds one parameter; resets the statement first when it is in the middle of its rows.
    public func bind(_ value: SQLValue, at index: Int) throws(FirnError) {
        if sqlite3_stmt_busy(handle) != 0 { reset() }
        let position = Int32(clamping: index)
        let code: Int32
        switch value {
        case .null: code = sqlite3_bind_null(handle, position)
        case .integer(let value): code = sqlite3_bind_int64(handle, position, value)
        case .real(let value): code = sqlite3_bind_double(handle, position, value)
        case .text(var text):
            code = text.withUTF8 { utf8 in
                utf8.withMemoryRebound(to: CChar.self) {
                    sqlite3_bind_text64(
                        handle, position, $0.baseAddress, UInt64($0.count), Self.transient, UInt8(SQLITE_UTF8))
                }
            }
        case .blob(let bytes) where bytes.isEmpty: code = sqlite3_bind_zeroblob(handle, position, 0)
        case .blob(let bytes):
            code = bytes.withUnsafeBytes {
                sqlite3_bind_blob64(handle, position, $0.baseAddress, UInt64($0.count), Self.transient)
            }
        }
        try database.check(code)
    }

    /// Binds all parameters in order.
    ///
    /// Precondition: there are as many values as parameters.
    public func bind(_ values: [SQLValue]) throws(FirnError) {
        precondition(values.count == parameterCount, "\(values.count) values for \(parameterCount) parameters: \(sql)")
        for (index, value) in values.enumerated() { try bind(value, at: index + 1) }
    }

    /// Binds a named parameter; `name` includes its prefix, such as `:table`.
    ///
    /// Precondition: the statement has the parameter.
    public func bind(_ value: SQLValue, named name: String) throws(FirnError) {
        let index = sqlite3_bind_parameter_index(handle, name)
        precondition(index > 0, "no parameter \(name): \(sql)")
        try bind(value, at: Int(index))
    }

    // MARK: Rows

    /// Advances to the next row; false at the end, after which the statement is reset.
    public func step() throws(FirnError) -> Bool {
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        if code == SQLITE_DONE {
            sqlite3_reset(handle)
            return false
        }
        let error = database.failure(code)
        sqlite3_reset(handle)
        throw error
    }

    /// Ends the statement's reading and makes it ready to run again; bindings stay.
    public func reset() { sqlite3_reset(handle) }

    public var columnCount: Int { Int(sqlite3_column_count(handle)) }
    public var isReadOnly: Bool { sqlite3_stmt_readonly(handle) != 0 }

    public func columnName(_ index: Int) -> String {
        sqlite3_column_name(handle, Int32(index)).map { String(cString: $0) } ?? ""
    }

    /// The type that the table's definition gives the column, when the result column is a table's column and nothing
    /// else.
    public func columnDeclaredType(_ index: Int) -> String? {
        sqlite3_column_decltype(handle, Int32(index)).map { String(cString: $0) }
    }

    public func isNull(_ index: Int) -> Bool { sqlite3_column_type(handle, Int32(index)) == SQLITE_NULL }
    /// The column as an integer; 0 for NULL, and SQLite's conversion for other types.
    public func int(_ index: Int) -> Int64 { sqlite3_column_int64(handle, Int32(index)) }
    public func double(_ index: Int) -> Double { sqlite3_column_double(handle, Int32(index)) }

    /// The column as text; nil for NULL.
    public func text(_ index: Int) -> String? {
        guard let start = sqlite3_column_text(handle, Int32(index)) else { return nil }
        let count = Int(sqlite3_column_bytes(handle, Int32(index)))
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    /// The column as bytes; nil for NULL.
    public func blob(_ index: Int) -> [UInt8]? {
        if isNull(index) { return nil }
        guard let start = sqlite3_column_blob(handle, Int32(index)) else { return [] }
        let count = Int(sqlite3_column_bytes(handle, Int32(index)))
        return Array(UnsafeRawBufferPointer(start: start, count: count))
    }

    public func value(_ index: Int) -> SQLValue {
        switch sqlite3_column_type(handle, Int32(index)) {
        case SQLITE_INTEGER: .integer(int(index))
        case SQLITE_FLOAT: .real(double(index))
        case SQLITE_TEXT: .text(text(index) ?? "")
        case SQLITE_BLOB: .blob(blob(index) ?? [])
        default: .null
        }
    }

    /// All columns of the current row.
    public var row: [SQLValue] { (0..<columnCount).map { value($0) } }
}
