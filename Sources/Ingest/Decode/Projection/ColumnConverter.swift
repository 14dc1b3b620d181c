import Base
import CPlatform
import Columnar

/// Makes the columns of a table from those of a body, by a plan. Buffers of columns that need no change are shared.
struct ColumnConverter {
    let faults: ProjectionFaults

    /// The column of `plan` in `rows` rows; `source` is nil where the body has none.
    func column(_ plan: ColumnPlan, _ source: Column?, rows: Int, _ scope: ProjectionScope) -> Column {
        if case .constant(let value) = plan.step { return Self.constant(value, plan.type, rows: rows) }
        guard let source, !plan.step.isNulls else {
            if plan.required { noteNulls(plan, nil, rows: rows, scope) }
            return Self.nulls(plan.type, rows: rows)
        }
        if plan.required, source.nullCount > 0 { noteNulls(plan, source, rows: rows, scope) }
        switch plan.step {
        case .nulls, .constant, .same: return source
        case .convert(let conversion): return convert(conversion, plan, source, scope)
        case .structure(let members):
            guard case .structure(let children) = source.storage else { mismatch(plan) }
            let inner = ProjectionScope(in: scope, validity: source.validity)
            let columns = members.map { member in
                column(member.plan, member.source.map { children[$0] }, rows: rows, inner)
            }
            return Self.column(plan, source, .structure(columns))
        case .list(let element):
            guard case .list(let offsets, let items) = source.storage else { mismatch(plan) }
            let inner = ProjectionScope(in: scope, offsets: offsets)
            let converted = column(element, items[0], rows: items[0].rowCount, inner)
            return Self.column(plan, source, .list(offsets: offsets, element: [converted]))
        case .map(let key, let value):
            guard case .map(let offsets, let entries) = source.storage else { mismatch(plan) }
            let inner = ProjectionScope(in: scope, offsets: offsets)
            let keys = column(key, entries[0], rows: entries[0].rowCount, inner)
            let values = column(value, entries[1], rows: entries[1].rowCount, inner)
            faults.note(plan, nil, scope, DuplicateKeys(keys).rows(offsets).map { ($0, .duplicateKey) })
            return Self.column(plan, source, .map(offsets: offsets, entries: [keys, values]))
        }
    }

    private func mismatch(_ plan: ColumnPlan) -> Never {
        preconditionFailure("'\(plan.path)' was planned for another type")
    }

    static func column(_ plan: ColumnPlan, _ source: Column, _ storage: Column.Storage) -> Column {
        Column(
            type: plan.type, rowCount: source.rowCount, validity: source.validity, nullCount: source.nullCount,
            storage: storage)
    }

    private static func constant(_ value: Value, _ type: DataType, rows: Int) -> Column {
        let builder = ColumnBuilder(type, rowCapacity: rows)
        for _ in 0..<rows { builder.append(value) }
        return builder.finish()
    }

    static func nulls(_ type: DataType, rows: Int) -> Column {
        let builder = ColumnBuilder(type, rowCapacity: rows)
        for _ in 0..<rows { builder.appendNull() }
        return builder.finish()
    }

    private func noteNulls(_ plan: ColumnPlan, _ source: Column?, rows: Int, _ scope: ProjectionScope) {
        var found: [(Int, Misfit)] = []
        for row in 0..<rows where source?.isNull(row) ?? true {
            if let live = scope.live, live[row] == 0 { continue }
            found.append((row, .null))
        }
        faults.note(plan, source, scope, found)
    }

    // MARK: - Values

    private func convert(
        _ conversion: ColumnConversion, _ plan: ColumnPlan, _ source: Column, _ scope: ProjectionScope
    ) -> Column {
        var found: [(row: Int, misfit: Misfit)] = []
        let storage: Column.Storage
        switch conversion {
        case .text: storage = checkedText(source, &found)
        case .integer: storage = integers(source, plan.type, &found)
        case .floating: storage = floats(source, plan.type, &found)
        case .decimal: storage = decimals(source, plan.type, &found)
        case .time: storage = times(source, &found)
        case .timestamp: storage = timestamps(source, &found)
        case .epoch(let scale, let isNanos): storage = epochs(source, scale, isNanos, &found)
        case .variant: storage = variants(source, &found)
        case .unknown:
            for row in 0..<source.rowCount where !source.isNull(row) { found.append((row, .kind)) }
            storage = .boolean(Buffer(repeating: 0, count: source.rowCount))
        case .binary, .fixed, .parsedUUID: storage = ByteConversion(source, plan.type).storage(&found)
        }
        faults.note(plan, source, scope, found)
        return Self.column(plan, source, storage)
    }

    /// A buffer of what `value` gives for every row that is not null.
    @inline(__always)
    private func map<T: BitwiseCopyable & ExpressibleByIntegerLiteral>(
        _ source: Column, _ found: inout [(row: Int, misfit: Misfit)], _ value: (Int, inout Misfit) -> T
    ) -> Buffer<T> {
        let out = Buffer<T>(capacity: source.rowCount)
        let target = out.pointer
        let validity = source.validity?.pointer
        for row in 0..<source.rowCount {
            if let validity, validity[row] == 0 {
                target[row] = 0
                continue
            }
            var misfit = Misfit.none
            target[row] = value(row, &misfit)
            if misfit != .none { found.append((row, misfit)) }
        }
        out.commit(source.rowCount)
        return out
    }

    private func checkedText(_ source: Column, _ found: inout [(row: Int, misfit: Misfit)]) -> Column.Storage {
        guard case .bytes(let offsets, let bytes) = source.storage else { return source.storage }
        var all: UInt8 = 0
        for byte in bytes.values { all |= byte }
        guard all >= 0x80 else { return source.storage }
        for row in 0..<source.rowCount {
            let text = UnsafeBufferPointer(rebasing: bytes.values[Int(offsets[row])..<Int(offsets[row + 1])])
            if UTF8Check.firstBad(text) != nil { found.append((row, .encoding)) }
        }
        return source.storage
    }

    private func integers(
        _ source: Column, _ type: DataType, _ found: inout [(row: Int, misfit: Misfit)]
    ) -> Column.Storage {
        if type == .int { return .int32(map(source, &found, whole(source))) }
        if case .int32(let b) = source.storage {
            let from = b.pointer
            return .int64(map(source, &found) { row, _ in Int64(from[row]) })
        }
        return .int64(map(source, &found, whole(source)))
    }

    /// Reads a whole number of any source type.
    private func whole<T: FixedWidthInteger>(_ source: Column) -> (Int, inout Misfit) -> T {
        func narrow(_ value: some BinaryInteger, _ misfit: inout Misfit) -> T {
            guard let narrow = T(exactly: value) else {
                misfit = .range
                return 0
            }
            return narrow
        }
        func narrow(_ value: Double, _ misfit: inout Misfit) -> T {
            guard let narrow = T(exactly: value) else {
                misfit = value.isFinite && value.rounded() != value ? .fraction : .range
                return 0
            }
            return narrow
        }
        switch source.storage {
        case .int32(let b): return { narrow(b[$0], &$1) }
        case .int64(let b): return { narrow(b[$0], &$1) }
        case .float(let b): return { narrow(Double(b[$0]), &$1) }
        case .double(let b): return { narrow(b[$0], &$1) }
        case .decimal(let b):
            let unit = source.type.decimalUnit
            return { row, misfit in
                let (quotient, rest) = b[row].quotientAndRemainder(dividingBy: unit)
                if rest != 0 { misfit = .fraction }
                return rest == 0 ? narrow(quotient, &misfit) : 0
            }
        default: preconditionFailure("no number in \(source.type)")
        }
    }

    private func floats(
        _ source: Column, _ type: DataType, _ found: inout [(row: Int, misfit: Misfit)]
    ) -> Column.Storage {
        switch (source.storage, type) {
        case (.float(let b), _):
            let from = b.pointer
            return .double(map(source, &found) { row, _ in Double(from[row]) })
        case (.double(let b), _):
            let from = b.pointer
            return .float(
                map(source, &found) { row, misfit in
                    let value = Float(from[row])
                    if value.isInfinite, from[row].isFinite { misfit = .range }
                    return value
                })
        case (_, .float): return .float(map(source, &found, exact(source)))
        default: return .double(map(source, &found, exact(source)))
        }
    }

    private func exact<T: BinaryFloatingPoint>(_ source: Column) -> (Int, inout Misfit) -> T {
        func exact(_ value: some BinaryInteger, _ misfit: inout Misfit) -> T {
            if let value = T(exactly: value) { return value }
            misfit = .inexact
            return 0
        }
        switch source.storage {
        case .int32(let b): return { exact(b[$0], &$1) }
        case .int64(let b): return { exact(b[$0], &$1) }
        default: preconditionFailure("no integer in \(source.type)")
        }
    }

    private func decimals(
        _ source: Column, _ type: DataType, _ found: inout [(row: Int, misfit: Misfit)]
    ) -> Column.Storage {
        guard case .decimal(let precision, let scale) = type else { preconditionFailure("no decimal") }
        let limit = Int128.powerOfTen(precision)
        var up: Int128 = Int128.powerOfTen(scale)
        var down: Int128 = 1
        if case .decimal(_, let old) = source.type {
            up = Int128.powerOfTen(max(0, scale - old))
            down = Int128.powerOfTen(max(0, old - scale))
        }
        func fit(_ value: Int128, _ misfit: inout Misfit) -> Int128 {
            let (quotient, rest) = down == 1 ? (value, 0) : value.quotientAndRemainder(dividingBy: down)
            let (scaled, overflow) = quotient.multipliedReportingOverflow(by: up)
            if rest != 0 {
                misfit = .scale
            } else if overflow || scaled >= limit || scaled <= 0 - limit {
                misfit = .range
            }
            return misfit == .none ? scaled : 0
        }
        switch source.storage {
        case .int32(let b): return .decimal(map(source, &found) { fit(Int128(b[$0]), &$1) })
        case .int64(let b): return .decimal(map(source, &found) { fit(Int128(b[$0]), &$1) })
        case .decimal(let b): return .decimal(map(source, &found) { fit(b[$0], &$1) })
        default: preconditionFailure("no number in \(source.type)")
        }
    }

    private func times(_ source: Column, _ found: inout [(row: Int, misfit: Misfit)]) -> Column.Storage {
        guard case .int64(let b) = source.storage else { return source.storage }
        for (row, micros) in b.values.enumerated() where !(0..<CivilTime.microsPerDay).contains(micros) {
            found.append((row, .range))
        }
        return source.storage
    }

    private func timestamps(_ source: Column, _ found: inout [(row: Int, misfit: Misfit)]) -> Column.Storage {
        guard case .int64(let b) = source.storage, source.type.isNanoseconds else { return source.storage }
        let from = b.pointer
        return .int64(
            map(source, &found) { row, misfit in
                let (micros, rest) = from[row].quotientAndRemainder(dividingBy: 1000)
                if rest != 0 { misfit = .precision }
                return micros
            })
    }

    private func epochs(
        _ source: Column, _ scale: Int64, _ isNanos: Bool, _ found: inout [(row: Int, misfit: Misfit)]
    ) -> Column.Storage {
        let value: (Int, inout Misfit) -> Int64 = whole(source)
        return .int64(
            map(source, &found) { row, misfit in
                let (instant, overflow) = value(row, &misfit).multipliedReportingOverflow(by: scale)
                if overflow || !isNanos && !EpochUnit.microsecondsRange.contains(instant) { misfit = .range }
                return overflow ? 0 : instant
            })
    }

    private func variants(_ source: Column, _ found: inout [(row: Int, misfit: Misfit)]) -> Column.Storage {
        let builder = ColumnBuilder(.variant, rowCapacity: source.rowCount)
        for row in 0..<source.rowCount {
            if source.isNull(row) {
                builder.appendNull()
                continue
            }
            do throws(FirnError) {
                builder.append(try VariantItem(source, row: row).encoded())
            } catch {
                found.append((row, .encoding))
                builder.append(VariantItem.Encoded.null)
            }
        }
        return builder.finish().storage
    }
}

extension EpochUnit {
    /// The years 1 to 9999, as in text: a wrong unit mostly shows here.
    static let microsecondsRange: ClosedRange<Int64> = -62_135_596_800_000_000...253_402_300_799_999_999
}

extension ColumnPlan.Step {
    fileprivate var isNulls: Bool { if case .nulls = self { true } else { false } }
}

extension DataType {
    /// 10^scale of a decimal.
    fileprivate var decimalUnit: Int128 {
        guard case .decimal(_, let scale) = self else { return 1 }
        return Int128.powerOfTen(scale)
    }
}

extension Int128 {
    /// Precondition: `exponent` is 0 to 38.
    static func powerOfTen(_ exponent: Int) -> Int128 { (0..<exponent).reduce(1) { power, _ in power * 10 } }
}
