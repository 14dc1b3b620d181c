import Base
import CSQLite

/// What callbacks share with their connection: above all the error that SQLite could only report as text, so that the
/// caller gets it unchanged.
final class CallbackState {
    var error: FirnError?
    /// While a virtual table declares its columns: SQLite then asks the authorizer about updates of its schema table
    /// that it never runs.
    var isDeclaring = false

    func take() -> FirnError? {
        defer { error = nil }
        return error
    }
}

/// Which `FirnError` a SQLite result code becomes.
///
/// Source of the codes: https://www.sqlite.org/rescode.html
enum ErrorMapping {
    static func kind(extendedCode: Int32) -> (kind: FirnError.Kind, code: String) {
        switch extendedCode {
        case SQLITE_CONSTRAINT | 6 << 8, SQLITE_CONSTRAINT | 8 << 8, SQLITE_CONSTRAINT | 10 << 8:
            // PRIMARYKEY, UNIQUE, ROWID.
            return (.alreadyExists, "constraint_unique")
        case SQLITE_CONSTRAINT | 3 << 8: return (.conflict, "constraint_foreign_key")
        case SQLITE_BUSY | 2 << 8:
            // BUSY_SNAPSHOT: a read transaction wanted to write, but somebody else wrote since.
            return (.conflict, "catalog_busy")
        case SQLITE_IOERR | 12 << 8: return (.limitExceeded, "out_of_memory")
        default: break
        }
        switch extendedCode & 0xff {
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL: return (.overloaded, "catalog_busy")
        case SQLITE_FULL: return (.storageFull, "disk_full")
        case SQLITE_READONLY: return (.storageFull, "read_only")
        case SQLITE_CORRUPT: return (.corrupted, "corrupted_database")
        case SQLITE_NOTADB: return (.corrupted, "not_a_database")
        case SQLITE_CONSTRAINT: return (.invalidInput, "constraint_violated")
        case SQLITE_INTERRUPT, SQLITE_ABORT: return (.cancelled, "interrupted")
        case SQLITE_NOMEM: return (.limitExceeded, "out_of_memory")
        case SQLITE_TOOBIG: return (.limitExceeded, "value_too_large")
        case SQLITE_AUTH: return (.invalidInput, "not_allowed")
        case SQLITE_ERROR, SQLITE_SCHEMA, SQLITE_MISMATCH, SQLITE_RANGE: return (.invalidInput, "sql_error")
        case SQLITE_MISUSE, SQLITE_INTERNAL: return (.internal, "sqlite_misuse")
        default: return (.io, "sqlite_io")
        }
    }
}
