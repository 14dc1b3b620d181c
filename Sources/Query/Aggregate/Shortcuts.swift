import Base
import Columnar
import SQLiteKit

/// What of a compiled statement the tables can do better than SQLite: aggregate on column batches, and leave out rows
/// behind a LIMIT.
struct Shortcuts {
    /// With tables and nested columns named as the connection has them.
    let sql: String
    let tables: [RelationTable]
    let database: Database
    let guardian: QueryGuard
    let types: TypeRegistry
    let statistics: QueryStatistics
    /// Of the groups of one SELECT.
    let bytesMax: Int

    /// Bounds the scans, and answers the statement with its aggregating done by the tables; nil when none can be.
    func take() -> Statement? {
        var probes = 0
        func filter(_ clause: String, _ relation: Int, _ alias: String) -> Expression? {
            probes += 1
            return FilterProbe.filter(
                clause, of: tables[relation], alias: alias, name: "firn_probe_\(probes)", in: database)
        }
        for (relation, request) in TopRows.find(in: sql, tables: tables, filter: filter) {
            bound(tables[relation], by: request)
        }
        guard let rewritten = AggregateRewriter.rewrite(sql, tables: tables, bytesMax: bytesMax, filter: filter) else {
            return nil
        }
        var aggregated: [RelationTable] = []
        for (index, plan) in rewritten.plans.enumerated() {
            guard let source = tables[plan.relation].relation as? any AggregatingRelation else { return nil }
            let table = RelationTable(
                AggregatedRelation(source, plan.request, guardian: guardian), types: types, guardian: guardian,
                joinBytesMax: bytesMax, pushesDown: false, mayCollate: false)
            guard (try? database.addVirtualTable(AggregateRewriter.tableName(index), table)) != nil else { return nil }
            aggregated.append(table)
        }
        let sql = ComparedExpressions.rewrite(rewritten.sql, tables: tables + aggregated) ?? rewritten.sql
        guard let statement = try? database.prepare(sql) else { return nil }
        statistics.add { $0.selectsAggregated = rewritten.plans.count }
        return statement
    }

    /// The bound is found when the first scan begins, and holds for all.
    private func bound(_ table: RelationTable, by request: TopRequest) {
        guard let relation = table.relation as? any RankingRelation else { return }
        var known: Expression?
        table.bound = { [guardian] in
            if let known { return known }
            let bound = try relation.bound(of: request, guardian: guardian) ?? .alwaysTrue
            known = bound
            return bound
        }
    }
}
