import Base
import CSQLite

// The C side of virtual tables. SQLite hands back pointers to structures that begin with its own; behind them stand
// retained Swift objects. Every callback catches: an error is kept in the connection's slot, and the statement that
// fails because of it rethrows it unchanged.
//
// Source: https://www.sqlite.org/vtab.html

extension Database {
    /// Registers a table under a name in this connection, without any CREATE statement.
    public func addVirtualTable(_ name: String, _ table: any VirtualTable) throws(FirnError) {
        precondition(!table.columns.isEmpty, "a virtual table needs a column")
        let box = Unmanaged.passRetained(TableBox(table, callbacks))
        // On failure SQLite calls the destructor itself.
        let code = sqlite3_create_module_v2(
            handle, name, VirtualTableModule.callbacks, box.toOpaque(),
            { Unmanaged<TableBox>.fromOpaque($0!).release() })
        try check(code)
    }
}

/// A registered table and the plans its statements may run.
private final class TableBox {
    struct Plan: Equatable {
        struct Argument: Equatable {
            let column: Int
            let comparison: IndexRequest.Operator
            let isList: Bool
            let isConstant: Bool
            /// Of a settled constraint: what the plan went by, which may be spelled otherwise than what `filter` gets.
            let settledValue: SQLValue?
        }
        let arguments: [Argument]
        let columnsUsed: UInt64
    }

    let table: any VirtualTable
    let state: CallbackState
    private(set) var plans: [Plan] = []

    init(_ table: any VirtualTable, _ state: CallbackState) {
        self.table = table
        self.state = state
    }

    /// The number under which `xFilter` finds the plan again.
    func number(of plan: Plan) -> Int32 {
        if let known = plans.firstIndex(of: plan) { return Int32(known) }
        plans.append(plan)
        return Int32(plans.count - 1)
    }

    func fail(_ error: any Error) -> Int32 {
        state.error =
            error as? FirnError ?? FirnError(.internal, "virtual_table_failed", "\(error)", cause: error)
        return SQLITE_ERROR
    }
}

private final class CursorBox {
    let cursor: any VirtualCursor
    let table: TableBox

    init(_ cursor: any VirtualCursor, _ table: TableBox) {
        self.cursor = cursor
        self.table = table
    }
}

/// SQLite's structure first, as its C "subclasses" do.
private struct TableHandle {
    var base = sqlite3_vtab()
    let box: Unmanaged<TableBox>
}

private struct CursorHandle {
    var base = sqlite3_vtab_cursor()
    let box: Unmanaged<CursorBox>
}

private func tableBox(_ pointer: UnsafeMutablePointer<sqlite3_vtab>?) -> Unmanaged<TableBox> {
    UnsafeMutableRawPointer(pointer!).assumingMemoryBound(to: TableHandle.self).pointee.box
}

@inline(__always)
private func cursorBox(_ pointer: UnsafeMutablePointer<sqlite3_vtab_cursor>?) -> Unmanaged<CursorBox> {
    UnsafeMutableRawPointer(pointer!).assumingMemoryBound(to: CursorHandle.self).pointee.box
}

private enum VirtualTableModule {
    /// Lives as long as the process, as SQLite wants. Without `xCreate` the table exists by its module's name alone.
    nonisolated(unsafe) static let callbacks: UnsafePointer<sqlite3_module> = {
        let module = UnsafeMutablePointer<sqlite3_module>.allocate(capacity: 1)
        module.initialize(to: sqlite3_module())
        module.pointee.iVersion = 2
        module.pointee.xConnect = { database, context, _, _, result, message in
            connect(database, Unmanaged<TableBox>.fromOpaque(context!), result!, message)
        }
        module.pointee.xDisconnect = { pointer in
            UnsafeMutableRawPointer(pointer!).assumingMemoryBound(to: TableHandle.self).deallocate()
            return SQLITE_OK
        }
        module.pointee.xBestIndex = { bestIndex(tableBox($0).takeUnretainedValue(), $1!) }
        module.pointee.xOpen = { open(tableBox($0).takeUnretainedValue(), $1!) }
        module.pointee.xClose = { pointer in
            cursorBox(pointer).release()
            UnsafeMutableRawPointer(pointer!).assumingMemoryBound(to: CursorHandle.self).deallocate()
            return SQLITE_OK
        }
        module.pointee.xFilter = { filter(cursorBox($0).takeUnretainedValue(), Int($1), Int($3), $4) }
        module.pointee.xEof = { cursorBox($0)._withUnsafeGuaranteedRef { $0.cursor.isAtEnd ? 1 : 0 } }
        module.pointee.xNext = { pointer in
            cursorBox(pointer)._withUnsafeGuaranteedRef { box in
                do {
                    try box.cursor.next()
                    return SQLITE_OK
                } catch { return box.table.fail(error) }
            }
        }
        module.pointee.xColumn = { pointer, context, index in
            cursorBox(pointer)._withUnsafeGuaranteedRef { box in
                do {
                    try box.cursor.column(Int(index), ResultSink(context: context!))
                    return SQLITE_OK
                } catch { return box.table.fail(error) }
            }
        }
        module.pointee.xRowid = { pointer, result in
            result!.pointee = cursorBox(pointer)._withUnsafeGuaranteedRef { $0.cursor.rowId }
            return SQLITE_OK
        }
        return UnsafePointer(module)
    }()

    static func connect(
        _ database: OpaquePointer?, _ box: Unmanaged<TableBox>,
        _ result: UnsafeMutablePointer<UnsafeMutablePointer<sqlite3_vtab>?>,
        _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    ) -> Int32 {
        let table = box.takeUnretainedValue()
        let columns = table.table.columns.map { column in
            let collation = column.collation.map { " COLLATE " + quoted($0) } ?? ""
            return "\(quoted(column.name)) \(column.declaredType)\(collation)"
        }
        table.state.isDeclaring = true
        defer { table.state.isDeclaring = false }
        let code = sqlite3_declare_vtab(database, "CREATE TABLE t(\(columns.joined(separator: ", ")))")
        guard code == SQLITE_OK else { return code }
        let handle = UnsafeMutablePointer<TableHandle>.allocate(capacity: 1)
        handle.initialize(to: TableHandle(box: box))
        result.pointee = UnsafeMutableRawPointer(handle).assumingMemoryBound(to: sqlite3_vtab.self)
        return SQLITE_OK
    }

    private static func quoted(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    static func bestIndex(_ box: TableBox, _ info: UnsafeMutablePointer<sqlite3_index_info>) -> Int32 {
        let offered = UnsafeBufferPointer(start: info.pointee.aConstraint, count: Int(info.pointee.nConstraint))
        var constraints: [IndexRequest.Constraint] = []
        var positions: [Int] = []
        for (position, term) in offered.enumerated() where term.usable != 0 && term.iColumn >= 0 {
            guard let comparison = IndexRequest.Operator(rawValue: term.op) else { continue }
            let isList = sqlite3_vtab_in(info, Int32(position), -1) != 0
            var value: OpaquePointer?
            let known = sqlite3_vtab_rhs_value(info, Int32(position), &value) == SQLITE_OK
            let collation = sqlite3_vtab_collation(info, Int32(position)).map { String(cString: $0) }
            constraints.append(
                .init(
                    column: Int(term.iColumn), comparison: comparison, isList: isList,
                    constant: known && !isList ? value.map(SQLValue.init(value:)) : nil,
                    collation: collation ?? "BINARY"))
            positions.append(position)
        }
        let ordering = UnsafeBufferPointer(start: info.pointee.aOrderBy, count: Int(info.pointee.nOrderBy)).map {
            IndexRequest.Ordering(column: Int($0.iColumn), descending: $0.desc != 0)
        }
        let used = UInt64(bitPattern: Int64(bitPattern: info.pointee.colUsed))
        do {
            let plan = try box.table.plan(
                IndexRequest(constraints: constraints, ordering: ordering, columnsUsed: used))
            var arguments: [TableBox.Plan.Argument] = []
            for index in plan.wanted {
                let constraint = constraints[index]
                let position = positions[index]
                info.pointee.aConstraintUsage[position].argvIndex = Int32(arguments.count + 1)
                info.pointee.aConstraintUsage[position].omit = plan.settled.contains(index) ? 1 : 0
                if constraint.isList { sqlite3_vtab_in(info, Int32(position), 1) }
                arguments.append(
                    .init(
                        column: constraint.column, comparison: constraint.comparison, isList: constraint.isList,
                        isConstant: constraint.constant != nil,
                        settledValue: plan.settled.contains(index) ? constraint.constant : nil))
            }
            info.pointee.idxNum = box.number(of: .init(arguments: arguments, columnsUsed: used))
            info.pointee.estimatedCost = plan.estimatedCost
            info.pointee.estimatedRows = plan.estimatedRows
            info.pointee.orderByConsumed = plan.isOrdered ? 1 : 0
            return SQLITE_OK
        } catch { return box.fail(error) }
    }

    static func open(
        _ box: TableBox, _ result: UnsafeMutablePointer<UnsafeMutablePointer<sqlite3_vtab_cursor>?>
    ) -> Int32 {
        do {
            let cursor = CursorBox(try box.table.open(), box)
            let handle = UnsafeMutablePointer<CursorHandle>.allocate(capacity: 1)
            handle.initialize(to: CursorHandle(box: Unmanaged.passRetained(cursor)))
            result.pointee = UnsafeMutableRawPointer(handle).assumingMemoryBound(to: sqlite3_vtab_cursor.self)
            return SQLITE_OK
        } catch { return box.fail(error) }
    }

    static func filter(
        _ box: CursorBox, _ number: Int, _ count: Int, _ values: UnsafeMutablePointer<OpaquePointer?>?
    ) -> Int32 {
        let plan = box.table.plans[number]
        precondition(count == plan.arguments.count, "SQLite ran another plan")
        let constraints = plan.arguments.enumerated().map { index, argument in
            let value = values![index]!
            return ScanRequest.Constraint(
                column: argument.column, comparison: argument.comparison,
                operand: argument.isList ? .list(list(value)) : .value(argument.settledValue ?? SQLValue(value: value)),
                isConstant: argument.isConstant)
        }
        do {
            try box.cursor.filter(ScanRequest(constraints: constraints, columnsUsed: plan.columnsUsed))
            return SQLITE_OK
        } catch { return box.table.fail(error) }
    }

    private static func list(_ value: OpaquePointer) -> [SQLValue] {
        var values: [SQLValue] = []
        var element: OpaquePointer?
        var code = sqlite3_vtab_in_first(value, &element)
        while code == SQLITE_OK, let found = element {
            values.append(SQLValue(value: found))
            code = sqlite3_vtab_in_next(value, &element)
        }
        return values
    }
}

extension SQLValue {
    /// Copies one of SQLite's own values.
    init(value: OpaquePointer) {
        // The length is asked for after the type: asking converts numbers to text.
        switch sqlite3_value_type(value) {
        case SQLITE_INTEGER: self = .integer(sqlite3_value_int64(value))
        case SQLITE_FLOAT: self = .real(sqlite3_value_double(value))
        case SQLITE_TEXT:
            let start = sqlite3_value_text(value)
            let bytes = UnsafeBufferPointer(start: start, count: Int(sqlite3_value_bytes(value)))
            self = .text(String(decoding: bytes, as: UTF8.self))
        case SQLITE_BLOB:
            let start = sqlite3_value_blob(value)
            self = .blob(Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_value_bytes(value)))))
        default: self = .null
        }
    }
}
