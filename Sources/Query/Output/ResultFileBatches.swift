import Base
import Columnar
import SQLiteKit

/// The rows of a query as record batches.
///
/// 1. A column with an Iceberg type keeps it, with new field ids and every field optional. A variant becomes its JSON
///    text, and a column of unknown type text.
/// 2. Any other column takes its type from the values of the first rows: integers long, reals double, text string,
///    blobs binary; long and double together are double. Nulls alone are text.
/// 3. Later values must fit. Integers go into doubles, and reals into longs, where nothing is lost.
public final class ResultBatches {
    /// What types are decided by is kept in memory meanwhile.
    private static let sampleRowsMax = 10_000
    private static let sampleBytesMax = 8 << 20
    private static let batchRowsMax = 8192
    private static let batchBytesMax = 4 << 20

    public let schema: Schema
    private let result: QueryResult
    private let isGuessed: [Bool]
    private var sample: ArraySlice<[SQLValue]>
    private var row = 0

    /// Reads the first rows.
    ///
    /// Throws `.invalidInput` for two columns of one name (`duplicate_column`) and a column with values of several
    /// types (`mixed_types`), and what `QueryResult.nextRow` throws.
    public init(_ result: QueryResult) throws {
        self.result = result
        try Self.checkNames(result.columns.map(\.name))
        var kinds = [Kind](repeating: .null, count: result.columns.count)
        var sample: [[SQLValue]] = []
        var bytes = 0
        while sample.count < Self.sampleRowsMax, bytes < Self.sampleBytesMax, let row = try result.nextRow() {
            for (index, value) in row.enumerated() where result.columns[index].type == nil {
                guard let kind = kinds[index].joined(Kind(value)) else {
                    throw Self.mixed(
                        result.columns[index], "\(kinds[index].noun) in its first rows and \(Kind(value).noun)",
                        row: sample.count + 1, advice: .text)
                }
                kinds[index] = kind
            }
            bytes += row.reduce(0) { $0 + $1.byteCount }
            sample.append(row)
        }
        self.sample = sample[...]
        isGuessed = result.columns.map { $0.type == nil }
        var ids = 0
        schema = Schema(
            fields: zip(result.columns, kinds).map { column, kind in
                ids += 1
                return Field(
                    id: ids, name: column.name, required: false,
                    type: column.type.map { $0.asResult(&ids) } ?? kind.type)
            })
    }

    /// Throws `.invalidInput` (`duplicate_column`): columns of a file are found by their names.
    public static func checkNames(_ names: [String]) throws(FirnError) {
        var known: Set<String> = []
        for name in names where !known.insert(name).inserted {
            throw FirnError(
                .invalidInput, "duplicate_column",
                "two columns of the result are called '\(name)'; give one of them another name with AS",
                context: ["column": name])
        }
    }

    /// The next rows, at least one; nil at the end.
    public func next() throws -> RecordBatch? {
        let builder = BatchBuilder(schema)
        var bytes = 0
        var count = 0
        while count < Self.batchRowsMax, bytes < Self.batchBytesMax, let values = try nextRow() {
            row += 1
            count += 1
            for (index, value) in values.enumerated() {
                guard builder.columns[index].append(value) else { throw misfit(index, value) }
                bytes += value.byteCount
            }
        }
        return count > 0 ? builder.finish() : nil
    }

    private func nextRow() throws -> [SQLValue]? {
        if let row = sample.popFirst() { return row }
        return try result.nextRow()
    }

    // MARK: Errors

    private func misfit(_ index: Int, _ value: SQLValue) -> FirnError {
        let column = result.columns[index]
        let type = schema.fields[index].type
        guard isGuessed[index] else {
            return Self.mixed(column, "\(type) and \(Kind(value).noun) that is none", row: row, advice: .text)
        }
        let isNumber = Kind(value) == .integer || Kind(value) == .real
        return Self.mixed(
            column, "\(type) by its first rows and \(Kind(value).noun)", row: row,
            advice: isNumber && (type == .long || type == .double) ? .real : .text)
    }

    private static func mixed(_ column: QueryColumn, _ what: String, row: Int, advice: Kind) -> FirnError {
        FirnError(
            .invalidInput, "mixed_types",
            "a file's column has one type, and '\(column.name)' holds \(what) in row \(row); give it one, such as with "
                + "CAST(… AS \(advice == .real ? "REAL" : "TEXT"))",
            context: ["column": column.name, "row": String(row)])
    }

    /// What an expression's values have been so far.
    private enum Kind {
        case null, integer, real, text, blob

        init(_ value: SQLValue) {
            switch value {
            case .null: self = .null
            case .integer: self = .integer
            case .real: self = .real
            case .text: self = .text
            case .blob: self = .blob
            }
        }

        var type: DataType {
            switch self {
            case .integer: .long
            case .real: .double
            case .null, .text: .string
            case .blob: .binary
            }
        }

        var noun: String {
            switch self {
            case .null: "null"
            case .integer: "an integer"
            case .real: "a real number"
            case .text: "text"
            case .blob: "a blob"
            }
        }

        func joined(_ other: Kind) -> Kind? {
            switch (self, other) {
            case (_, .null): self
            case (.null, _): other
            case (.integer, .real), (.real, .integer): .real
            default: self == other ? self : nil
            }
        }
    }
}

extension SQLValue {
    /// Roughly what a value takes in memory.
    fileprivate var byteCount: Int {
        switch self {
        case .null, .integer, .real: 8
        case .text(let text): text.utf8.count + 16
        case .blob(let bytes): bytes.count + 16
        }
    }
}

extension DataType {
    /// The type that a result's column of this one gets in a file.
    fileprivate func asResult(_ ids: inout Int) -> DataType {
        func next() -> Int {
            ids += 1
            return ids
        }
        switch self {
        case .variant, .unknown: return .string
        case .structure(let type):
            return .structure(
                StructType(
                    fields: type.fields.map { field in
                        Field(id: next(), name: field.name, required: false, type: field.type.asResult(&ids))
                    }))
        case .list(let type):
            return .list(ListType(elementId: next(), element: type.element.asResult(&ids), elementRequired: false))
        case .map(let type):
            let (key, value) = (next(), next())
            return .map(
                MapType(
                    keyId: key, key: type.key.asResult(&ids), valueId: value, value: type.value.asResult(&ids),
                    valueRequired: false))
        default: return self
        }
    }
}
