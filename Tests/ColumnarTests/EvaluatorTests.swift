import Base
import Columnar
import Testing

@Suite struct EvaluatorTests {
    private static let schema = Schema(fields: [
        Field(id: 1, name: "i", required: false, type: .int), Field(id: 2, name: "l", required: false, type: .long),
        Field(id: 3, name: "d", required: false, type: .double),
        Field(id: 4, name: "s", required: false, type: .string),
        Field(id: 5, name: "m", required: false, type: .decimal(precision: 9, scale: 2)),
        Field(
            id: 6, name: "o", required: false,
            type: .structure(StructType(fields: [Field(id: 7, name: "x", required: false, type: .boolean)]))),
        Field(id: 8, name: "f", required: false, type: .float), Field(id: 9, name: "u", required: false, type: .uuid),
        Field(
            id: 10, name: "t", required: false,
            type: .list(ListType(elementId: 11, element: .int, elementRequired: false))),
    ])

    private static func uuid(_ low: UInt64) -> UUID { UUID(high: 0, low: low) }

    /// Row 2 is all null; row 3 has NaN, and a struct with a null inside.
    private static let batch: RecordBatch = {
        let rows: [[Value]] = [
            [
                .int(1), .long(10), .double(0.5), .string("apple"), .decimal(150, scale: 2),
                .structure([.boolean(true)]), .float(0.1), .uuid(uuid(1)), .list([]),
            ],
            [
                .int(2), .long(20), .double(-0.0), .string("apricot"), .decimal(-100, scale: 2),
                .structure([.boolean(false)]), .float(2), .uuid(uuid(2)), .list([]),
            ],
            [.null, .null, .null, .null, .null, .null, .null, .null, .null],
            [
                .int(3), .long(.max), .double(.nan), .string(""), .decimal(0, scale: 2), .structure([.null]),
                .float(.nan), .uuid(uuid(3)), .list([]),
            ],
        ]
        let builder = BatchBuilder(schema)
        for row in rows { for (column, value) in zip(builder.columns, row) { column.append(value) } }
        return builder.finish()
    }()

    @Test(
        arguments: [
            (.compare(fieldId: 1, .less, .int(2)), [0]), (.compare(fieldId: 1, .less, .long(1 << 40)), [0, 1, 3]),
            (.compare(fieldId: 1, .greater, .long(1 << 40)), []),
            (.compare(fieldId: 1, .greater, .long(-1 << 40)), [0, 1, 3]),
            (.compare(fieldId: 2, .equal, .int(20)), [1]), (.compare(fieldId: 2, .notEqual, .long(20)), [0, 3]),
            (.compare(fieldId: 3, .equal, .double(0)), [1]),
            (.compare(fieldId: 3, .greaterOrEqual, .double(-5)), [0, 1]),
            (.not(.compare(fieldId: 3, .greaterOrEqual, .double(-5))), [3]),
            (.compare(fieldId: 3, .notEqual, .double(0)), [0, 3]),
            (.compare(fieldId: 4, .greater, .string("apple")), [1]), (.startsWith(fieldId: 4, "ap"), [0, 1]),
            (.startsWith(fieldId: 4, ""), [0, 1, 3]), (.not(.startsWith(fieldId: 4, "ap")), [3]),
            (.compare(fieldId: 5, .greater, .decimal(-1, scale: 0)), [0, 3]),
            (.compare(fieldId: 5, .equal, .decimal(150, scale: 2)), [0]),
            (.compare(fieldId: 7, .equal, .boolean(true)), [0]), (.isNull(fieldId: 7), [2, 3]),
            (.isNull(fieldId: 6), [2]),
            (.notNull(fieldId: 7), [0, 1]), (.compare(fieldId: 8, .less, .double(0.1)), []),
            (.compare(fieldId: 8, .less, .float(0.2)), [0]), (.compare(fieldId: 9, .greater, .uuid(uuid(1))), [1, 3]),
            (.isIn(fieldId: 1, [.int(1), .int(3), .int(9)]), [0, 3]), (.not(.isIn(fieldId: 1, [.int(1)])), [1, 3]),
            (.isIn(fieldId: 1, []), []), (.isIn(fieldId: 1, (3..<20).map { .int($0) }), [3]),
            (.isIn(fieldId: 1, (2..<20).map { .long($0) } + [.null]), [1, 3]),
            (.isIn(fieldId: 2, (-9..<12).reversed().map { .int($0) }), [0]),
            (.not(.isIn(fieldId: 4, (0..<20).map { .string("a\($0)") } + [.string("apple")])), [1, 3]),
            (.isIn(fieldId: 3, (0..<20).map { .double(Double($0) / 2) }), [0, 1]),
            (.or(.compare(fieldId: 1, .equal, .int(1)), .isNull(fieldId: 2)), [0, 2]),
            (.and(.notNull(fieldId: 1), .not(.compare(fieldId: 1, .equal, .int(1)))), [1, 3]),
            (.not(.and(.compare(fieldId: 1, .equal, .int(1)), .alwaysTrue)), [1, 3]),
            (.not(.or(.compare(fieldId: 1, .equal, .int(1)), .alwaysFalse)), [1, 3]),
            (.alwaysTrue, [0, 1, 2, 3]), (.alwaysFalse, []),
        ] as [(Predicate, [Int32])])
    func selects(predicate: Predicate, rows: [Int32]) throws {
        #expect(try ExpressionEvaluator(predicate).select(Self.batch) == rows)
    }

    @Test(
        arguments: [
            (.compare(fieldId: 99, .equal, .int(1)), "unknown_column"),
            (.compare(fieldId: 1, .equal, .string("1")), "type_mismatch"),
            (.compare(fieldId: 11, .equal, .int(1)), "repeated_column"),
            (.startsWith(fieldId: 1, "1"), "type_mismatch"),
            (.isIn(fieldId: 1, (0..<20).map { .string("\($0)") }), "type_mismatch"),
        ] as [(Predicate, String)])
    func refuses(predicate: Predicate, code: String) {
        let error = #expect(throws: FirnError.self) { try ExpressionEvaluator(predicate).select(Self.batch) }
        #expect(error?.code == code)
    }

    /// A known value in place of a column's, under every shape of negation.
    @Test func foldingSelectsTheSameRows() throws {
        let leaves: [Predicate] = [
            .compare(fieldId: 3, .less, .double(0.25)), .compare(fieldId: 1, .greater, .int(1)), .isNull(fieldId: 7),
            .isNull(fieldId: 1), .startsWith(fieldId: 4, "ap"), .isIn(fieldId: 1, [.int(1), .int(2)]), .alwaysFalse,
        ]
        for row in 0..<Self.batch.rowCount {
            let one = Self.batch.taking([Int32(row)])
            for a in leaves {
                for b in leaves {
                    for predicate in [
                        Predicate.not(.and(a, .not(b))), .not(.or(.not(a), b)), .and(a, b), .or(.not(.not(a)), b),
                    ] {
                        let folded = try predicate.folding { id in
                            id == 1 ? (one.columns[0].value(at: 0), .int) : nil
                        }
                        #expect(!folded.fieldIds.contains(1))
                        #expect(
                            try ExpressionEvaluator(folded).select(one)
                                == ExpressionEvaluator(predicate).select(one), "\(predicate)")
                    }
                }
            }
        }
    }

    /// What holds without negations holds with them: the rewriting for pruning loses no row.
    @Test func rewritingIsInclusive() throws {
        let leaves: [Predicate] = [
            .compare(fieldId: 3, .less, .double(0.25)), .compare(fieldId: 3, .equal, .double(0.5)),
            .compare(fieldId: 1, .greater, .int(1)), .isIn(fieldId: 4, [.string("")]), .isNull(fieldId: 7),
        ]
        for a in leaves {
            for b in leaves {
                for predicate in [Predicate.not(.and(a, .not(b))), .not(.or(.not(a), b)), .not(.not(a)), .not(a)] {
                    let rewritten = predicate.withoutNegation { $0 == 3 || $0 == 8 }
                    let wanted = Set(try ExpressionEvaluator(predicate).select(Self.batch))
                    let found = Set(try ExpressionEvaluator(rewritten).select(Self.batch))
                    #expect(wanted.isSubset(of: found), "\(predicate)")
                }
            }
        }
    }
}

/// `Expression` is also a name of other modules.
typealias Predicate = Columnar.Expression
