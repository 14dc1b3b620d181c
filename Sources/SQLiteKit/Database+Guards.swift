import Base
import CSQLite

extension Database {
    /// Bounds on one connection. Values above SQLite's compiled maxima are lowered to them.
    public enum Limit: Sendable {
        /// Bytes of one text, blob or row.
        case valueBytes
        /// Bytes of one statement's text.
        case statementBytes
        case expressionDepth
        case compoundSelectTerms
        /// Instructions of one compiled statement.
        case programInstructions
        case attachedDatabases
        case likePatternBytes
        /// Threads that sorting may start.
        case workerThreads

        var code: Int32 {
            switch self {
            case .valueBytes: SQLITE_LIMIT_LENGTH
            case .statementBytes: SQLITE_LIMIT_SQL_LENGTH
            case .expressionDepth: SQLITE_LIMIT_EXPR_DEPTH
            case .compoundSelectTerms: SQLITE_LIMIT_COMPOUND_SELECT
            case .programInstructions: SQLITE_LIMIT_VDBE_OP
            case .attachedDatabases: SQLITE_LIMIT_ATTACHED
            case .likePatternBytes: SQLITE_LIMIT_LIKE_PATTERN_LENGTH
            case .workerThreads: SQLITE_LIMIT_WORKER_THREADS
            }
        }
    }

    public func setLimit(_ limit: Limit, _ value: Int) {
        sqlite3_limit(handle, limit.code, Int32(clamping: value))
    }

    /// Calls `shouldStop` about every `instructions` steps of SQLite's machine; when it answers true the statement
    /// fails with `.cancelled` (`interrupted`). Nil removes the handler.
    public func setProgressHandler(everyInstructions instructions: Int, _ shouldStop: (() -> Bool)?) {
        guard let shouldStop else {
            sqlite3_progress_handler(handle, 0, nil, nil)
            retained["progress"] = nil
            return
        }
        let box = Box(shouldStop)
        sqlite3_progress_handler(
            handle, Int32(clamping: instructions),
            { Unmanaged<Box<() -> Bool>>.fromOpaque($0!).takeUnretainedValue().value() ? 1 : 0 },
            Unmanaged.passUnretained(box).toOpaque())
        retained["progress"] = box
    }

    /// From now on compiles only statements that read: SELECT, with functions that touch neither files nor the
    /// connection. Everything else, ATTACH, PRAGMA and transactions included, fails with `.invalidInput`
    /// (`not_allowed`). Statements compiled before keep working.
    public func restrictToReads() {
        sqlite3_set_authorizer(
            handle,
            { state, action, _, second, _, _ in
                let isDeclaring = Unmanaged<CallbackState>.fromOpaque(state!).takeUnretainedValue().isDeclaring
                if isDeclaring { return SQLITE_OK }
                switch action {
                case SQLITE_SELECT, SQLITE_READ, SQLITE_RECURSIVE: return SQLITE_OK
                case SQLITE_FUNCTION:
                    let name = second.map { String(cString: $0).lowercased() } ?? ""
                    return Database.forbiddenFunctions.contains(name) ? SQLITE_DENY : SQLITE_OK
                default: return SQLITE_DENY
                }
            }, Unmanaged.passUnretained(callbacks).toOpaque())
    }

    /// Functions that reach files or interpret pointers; most are absent from a library build, none is wanted.
    private static let forbiddenFunctions: Set<String> = [
        "load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "lsmode", "zipfile", "sqlar_compress",
        "sqlar_uncompress",
    ]

    /// Adds an ordering of texts, used by `COLLATE name` and by columns declared with it.
    ///
    /// `compare` answers less than, equal to or greater than zero; it must be a total order.
    public func addCollation(
        _ name: String, _ compare: @escaping (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Int
    ) throws(FirnError) {
        typealias Compare = (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Int
        let box = Box(compare)
        let code = sqlite3_create_collation_v2(
            handle, name, SQLITE_UTF8, Unmanaged.passUnretained(box).toOpaque(),
            { raw, leftCount, left, rightCount, right in
                let left = UnsafeRawBufferPointer(start: left, count: Int(leftCount))
                let right = UnsafeRawBufferPointer(start: right, count: Int(rightCount))
                return Unmanaged<Box<Compare>>.fromOpaque(raw!)._withUnsafeGuaranteedRef {
                    Int32(clamping: $0.value(left, right))
                }
            }, nil)
        try check(code)
        retained["collation " + name] = box
    }
}

/// Puts a closure where a C callback's context pointer can point.
final class Box<Value> {
    let value: Value
    init(_ value: Value) { self.value = value }
}
