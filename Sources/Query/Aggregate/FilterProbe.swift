import Base
import Columnar
import SQLiteKit

/// Finds out what a WHERE clause means, by having SQLite compile it.
///
/// A table that has the relation's columns takes every comparison that it can hold exactly. It then shows SQLite one
/// row, and tells on a look at any of its columns: the clause asks for more than those comparisons.
final class FilterProbe: VirtualTable {
    let columns: [VirtualColumn]
    private let fields: [Field]
    private let mayCollate: Bool

    /// What the statement asked of the table.
    private struct Findings {
        var scans = 0
        var filter = Expression.alwaysTrue
        var isExact = true
    }
    private var findings = Findings()

    private init(_ table: RelationTable, mayCollate: Bool) {
        self.mayCollate = mayCollate
        columns = table.columns
        fields = table.fields
    }

    /// The filter that passes exactly the rows for which the clause is true; nil for a clause that no filter is.
    ///
    /// - Parameters:
    ///   - clause: what stands behind WHERE; columns may be qualified with `alias`.
    ///   - name: of a table that `database` does not have yet.
    static func filter(
        _ clause: String, of table: RelationTable, alias: String, name: String, in database: Database
    ) -> Expression? {
        guard let tokens = try? Tokenizer.tokens(of: clause), isPlain(tokens, table, alias) else { return nil }
        let terms = NotNullTerms(clause, tokens, table, alias: alias)
        guard let rest = terms.rest else { return terms.filter }
        let probe = FilterProbe(table, mayCollate: tokens.contains { $0.isKeyword("COLLATE") })
        do {
            try database.addVirtualTable(name, probe)
            let statement = try database.prepare(
                "SELECT 1 FROM \"\(name)\" AS \(StatementRewriter.quoted(alias)) WHERE \(rest)\n")
            guard statement.parameterCount == 0, try statement.step() else { return nil }
            guard try !statement.step() else { return nil }
        } catch {
            return nil
        }
        let findings = probe.findings
        guard findings.scans == 1, findings.isExact else { return nil }
        return terms.filter == .alwaysTrue ? findings.filter : .and(terms.filter, findings.filter)
    }

    /// Chance has another answer for each row, a subquery is not to be run twice, and SQLite takes a quoted name that
    /// it does not find for text, though the statement around may have it.
    private static func isPlain(_ tokens: [Token], _ table: RelationTable, _ alias: String) -> Bool {
        let names = Set(table.columns.map { $0.name.lowercased() } + [alias.lowercased()])
        return tokens.indices.allSatisfy { index in
            let token = tokens[index]
            if SourceText.isQuotedCall(tokens, index) || token.isKeyword(in: ["RANDOM", "RANDOMBLOB", "SELECT"]) {
                return false
            }
            return token.kind != .quotedIdentifier || names.contains(token.text.lowercased())
        }
    }

    func plan(_ request: IndexRequest) -> IndexPlan {
        let wanted = request.constraints.indices.filter { index in
            let constraint = request.constraints[index]
            return PushDown.accepts(constraint, type: fields[constraint.column].type)
        }
        return IndexPlan(wanted: wanted, settled: Set(wanted), estimatedCost: 1000, estimatedRows: 1000)
    }

    func open() -> any VirtualCursor { Cursor(self) }

    private func take(_ request: ScanRequest) {
        findings.scans += 1
        for constraint in request.constraints {
            let field = fields[constraint.column]
            guard
                PushDown.isExact(
                    field, constraint.comparison, constraint.operand, mayCollate: mayCollate),
                let part = PushDown.predicate(field: field, constraint.comparison, constraint.operand)
            else { return findings.isExact = false }
            findings.filter = findings.filter == .alwaysTrue ? part : .and(findings.filter, part)
        }
    }

    /// Shows one row.
    private final class Cursor: VirtualCursor {
        private let probe: FilterProbe
        private(set) var isAtEnd = true
        var rowId: Int64 {
            probe.findings.isExact = false
            return 0
        }

        init(_ probe: FilterProbe) { self.probe = probe }

        func filter(_ request: ScanRequest) {
            probe.take(request)
            isAtEnd = false
        }

        func next() { isAtEnd = true }
        func column(_ index: Int, _ result: ResultSink) { probe.findings.isExact = false }
    }
}
