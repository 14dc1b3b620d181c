import Base
import Columnar

/// Hands SELECTs that group and aggregate plain columns of one table over to `Aggregation`.
///
/// ```sql
/// SELECT country, count(*), sum(price) / count(*) FROM "firn_relation_0" AS "clicks"
/// WHERE ts >= '2026-01-01' GROUP BY country HAVING count(*) > 10 ORDER BY 2 DESC
/// ```
/// becomes
/// ```sql
/// SELECT country, "firn_call_0" AS "count(*)", "firn_call_1" / "firn_call_0" AS "sum(price) / count(*)"
/// FROM (SELECT * FROM "firn_aggregate_0" LIMIT -1) AS "clicks" WHERE "firn_call_0" > 10 ORDER BY 2 DESC
/// ```
/// where the new table has a row for each group. So SQLite still does all that is not aggregating.
///
/// A SELECT keeps its form when the WHERE clause says more than a filter can (`FilterProbe`), when it names a column
/// outside of aggregate functions that it does not group by, and for every function but `AggregateCall`'s. SELECT
/// DISTINCT of plain columns is grouping by them.
struct AggregateRewriter {
    struct Plan {
        /// The number of the relation.
        let relation: Int
        let request: AggregateRequest
    }

    struct Result {
        let sql: String
        /// The virtual table of the i-th is `tableName(i)`.
        let plans: [Plan]
    }

    static func tableName(_ index: Int) -> String { "firn_aggregate_\(index)" }
    static func columnName(_ call: Int) -> String { "firn_call_\(call)" }

    /// - Parameter filter: what a WHERE clause over a relation's table with an alias means; nil when no filter does.
    /// - Returns: nil when nothing changed.
    static func rewrite(
        _ sql: String, tables: [RelationTable], bytesMax: Int,
        filter: (_ clause: String, _ relation: Int, _ alias: String) -> Expression?
    ) -> Result? {
        guard let tokens = try? Tokenizer.tokens(of: sql) else { return nil }
        let text = SourceText(sql, tokens)
        var edits: [SourceText.Edit] = []
        var plans: [Plan] = []
        for core in SelectCore.find(in: tokens).prefix(SelectCore.countMax) where tables.indices.contains(core.relation)
        {
            guard tables[core.relation].relation is any AggregatingRelation else { continue }
            var shape = AggregateShape(core, tokens, tables[core.relation])
            guard shape.read() else { continue }
            var passing = Expression.alwaysTrue
            if let clause = core.filter {
                guard let found = filter(text[clause], core.relation, core.alias) else { continue }
                passing = found
            }
            edits += shape.edits(text, table: Self.tableName(plans.count))
            plans.append(
                Plan(
                    relation: core.relation,
                    request: AggregateRequest(
                        keys: shape.keys, calls: shape.calls, filter: passing, bytesMax: bytesMax)))
        }
        return plans.isEmpty ? nil : Result(sql: text.applying(edits), plans: plans)
    }
}

/// A statement as its bytes and its tokens.
struct SourceText {
    struct Edit {
        /// Indexes of tokens.
        let tokens: Range<Int>
        let text: String
    }

    private let bytes: [UInt8]
    private let tokens: [Token]

    init(_ sql: String, _ tokens: [Token]) {
        bytes = Array(sql.utf8)
        self.tokens = tokens
    }

    private func place(_ range: Range<Int>) -> Range<Int> {
        tokens[range.lowerBound].range.lowerBound..<tokens[range.upperBound - 1].range.upperBound
    }

    /// SQLite takes a quoted name before a parenthesis for a function, too.
    static func isQuotedCall(_ tokens: [Token], _ index: Int) -> Bool {
        tokens[index].kind == .quotedIdentifier && index + 1 < tokens.count && tokens[index + 1].isSymbol("(")
    }

    /// As written. Precondition: not empty.
    subscript(_ range: Range<Int>) -> String { String(decoding: bytes[place(range)], as: UTF8.self) }

    /// Precondition: edits do not overlap. One without tokens inserts before its place.
    func applying(_ edits: [Edit]) -> String {
        var out: [UInt8] = []
        var position = 0
        for edit in edits.sorted(by: {
            ($0.tokens.lowerBound, $0.tokens.count) < ($1.tokens.lowerBound, $1.tokens.count)
        }) {
            let place: Range<Int>
            if edit.tokens.isEmpty {
                let end = tokens[edit.tokens.lowerBound - 1].range.upperBound
                place = end..<end
            } else {
                place = self.place(edit.tokens)
            }
            out += bytes[position..<place.lowerBound]
            out += edit.text.utf8
            position = place.upperBound
        }
        return String(decoding: out + bytes[position...], as: UTF8.self)
    }
}
