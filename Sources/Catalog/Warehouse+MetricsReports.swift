import Base
import Iceberg
import SQLiteKit

/// A metrics report with the time when the server got it.
public struct ReceivedReport: Sendable {
    public let receivedMs: Int64
    public let report: MetricsReport
}

extension Warehouse {
    /// Reports that a table keeps; the oldest are forgotten. At their largest that is 64 MiB of the catalog.
    public static let metricsReportsMax = 1000

    /// Keeps a report of a table. Throws `.notFound` (`table_not_found`).
    public func addMetricsReport(_ report: MetricsReport, to id: TableIdentifier) throws {
        let table = SQLValue.text(try loadTable(id).metadata.tableUUID.description)
        try core.database.write { database in
            try database.run(
                "INSERT INTO firn_metrics_reports (table_uuid, received_ms, report) VALUES (?, ?, ?)",
                [table, .integer(core.nowMs), .text(report.json.text)])
            try database.run(
                """
                DELETE FROM firn_metrics_reports WHERE table_uuid = ?1 AND id <= (
                    SELECT id FROM firn_metrics_reports WHERE table_uuid = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
                """, [table, SQLValue(Self.metricsReportsMax)])
        }
    }

    /// What engines reported of a table, newest first.
    public func metricsReports(_ table: UUID) throws -> [ReceivedReport] {
        try core.database.read { database in
            try database.query(
                "SELECT received_ms, report FROM firn_metrics_reports WHERE table_uuid = ? ORDER BY id DESC",
                [.text(table.description)])
        }.map { row in
            guard let received = row[0].integerValue, let text = row[1].textValue else {
                throw MarkStore.malformed("firn_metrics_reports")
            }
            let json = try JSONValue(parsing: text, source: "firn_metrics_reports")
            return ReceivedReport(receivedMs: received, report: try MetricsReport(json: json))
        }
    }
}
