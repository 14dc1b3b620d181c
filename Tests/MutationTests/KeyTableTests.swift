import Base
import Columnar
import Testing

@testable import Mutation

/// Rows found by their keys.
@Suite struct KeyTableTests {
    private static let schema = Schema(
        fields: [
            Field(id: 1, name: "id", required: true, type: .long),
            Field(
                id: 2, name: "place", required: true,
                type: .structure(
                    StructType(fields: [
                        Field(id: 3, name: "city", required: true, type: .string),
                        Field(id: 4, name: "zip", required: false, type: .int),
                    ]))),
            Field(id: 5, name: "v", required: false, type: .double),
        ], identifierFieldIds: [1, 3])

    private static let key = [schema.field(id: 1)!, schema.field(id: 3)!]

    private func batch(_ rows: [(Int64, String, Double)]) -> RecordBatch {
        let builders = Self.schema.fields.map { ColumnBuilder($0.type, rowCapacity: rows.count) }
        for (id, city, value) in rows {
            builders[0].append(.long(id))
            builders[1].append(.structure([.string(city), .null]))
            builders[2].append(.double(value))
        }
        return RecordBatch(schema: Self.schema, columns: builders.map { $0.finish() }, rowCount: rows.count)
    }

    @Test func theLastOfEqualKeysCounts() {
        var keys = KeyTable(fields: Self.key)
        keys.add(batch([(1, "a", 1), (2, "a", 2), (1, "a", 3)]))
        keys.add(batch([(2, "b", 4), (2, "a", 5)]))
        #expect(keys.count == 3)
        #expect(keys.rowCount == 5)
        #expect(keys.superseded == [0, 1])
    }

    @Test func rowsAreFoundByAllColumnsOfTheKey() {
        var keys = KeyTable(fields: Self.key)
        keys.add(batch([(1, "a", 1), (2, "", 2), (-1, "ü", 3)]))
        #expect(keys.matches(batch([(1, "b", 1), (1, "a", 9), (2, "", 9), (-1, "u", 3), (-1, "ü", 4)])) == [1, 2, 4])
        #expect(KeyTable(fields: Self.key).matches(batch([(1, "a", 1)])) == [])
    }

    @Test func manyKeysAreToldApart() {
        var keys = KeyTable(fields: Self.key)
        let rows = (0..<20_000).map { (Int64($0 / 2), $0 % 2 == 0 ? "x" : "y", 0.0) }
        for start in stride(from: 0, to: rows.count, by: 3000) {
            keys.add(batch(Array(rows[start..<min(start + 3000, rows.count)])))
        }
        #expect(keys.count == 20_000)
        #expect(keys.superseded.isEmpty)
        let asked = batch([(0, "x", 0), (9999, "y", 0), (10_000, "x", 0), (5, "z", 0)])
        #expect(keys.matches(asked) == [0, 1])
    }

    @Test func everyKeyPassesThePruning() throws {
        func passing(_ keys: KeyTable, _ rows: [(Int64, String, Double)]) throws -> [Int32] {
            // Members of structs are not evaluated here: the ids decide.
            guard case .and(let ids, _) = keys.pruning() else { return [] }
            return try ExpressionEvaluator(ids).select(batch(rows))
        }
        var few = KeyTable(fields: Self.key)
        few.add(batch([(3, "a", 0), (7, "b", 0)]))
        #expect(try passing(few, [(3, "a", 0), (5, "a", 0), (7, "b", 0)]) == [0, 2])
        var many = KeyTable(fields: Self.key)
        many.add(batch((0..<1500).map { (Int64($0 * 2 + 10), "a", 0) }))
        #expect(
            try passing(many, [(9, "a", 0), (10, "a", 0), (11, "a", 0), (3008, "a", 0), (3009, "a", 0)]) == [1, 2, 3])
        #expect(KeyTable(fields: Self.key).pruning() == .alwaysFalse)
    }
}
