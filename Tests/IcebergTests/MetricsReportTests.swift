import Base
import Testing

@testable import Iceberg

@Suite struct MetricsReportTests {
    /// As Java 1.11 sends them.
    private static let scan = """
        {"report-type":"scan-report","table-name":"firn.shop.orders","snapshot-id":23,"filter":true,"schema-id":4,
         "projected-field-ids":[1,2],"projected-field-names":["id","name"],
         "metrics":{"total-planning-duration":{"count":1,"time-unit":"milliseconds","total-duration":5},
                    "result-data-files":{"unit":"count","value":3}},"metadata":{"engine-name":"spark"}}
        """
    private static let commit = """
        {"report-type":"commit-report","table-name":"firn.shop.orders","snapshot-id":23,"sequence-number":4,
         "operation":"append","metrics":{"added-records":{"unit":"count","value":6}}}
        """

    private func parse(_ text: String) throws -> MetricsReport {
        try MetricsReport(json: try JSONValue(parsing: text, source: "test"))
    }

    @Test func bothKindsAreRead() throws {
        let scan = try parse(Self.scan)
        #expect(scan.kind == .scan && scan.schemaId == 4 && scan.filter == true && scan.sequenceNumber == nil)
        #expect(scan.projectedFieldNames == ["id", "name"])
        #expect(scan.metrics == ["total-planning-duration": 5_000_000, "result-data-files": 3])
        #expect(scan.metadata == ["engine-name": "spark"])
        let commit = try parse(Self.commit)
        #expect(commit.kind == .commit && commit.snapshotId == 23 && commit.sequenceNumber == 4)
        #expect(commit.operation == "append" && commit.metrics == ["added-records": 6])
    }

    @Test(
        arguments: [
            (scan, "\"scan-report\"", "\"other\""), (scan, "\"snapshot-id\":23,", ""), (scan, "\"schema-id\":4,", ""),
            (scan, "\"filter\":true", "\"filter\":1"), (scan, "[\"id\",\"name\"]", "[1]"),
            (scan, "\"milliseconds\"", "\"fortnights\""), (scan, "\"total-duration\":5", "\"total-duration\":\"5\""),
            (scan, "\"total-duration\":5", "\"total-duration\":9223372036854775807"), (scan, "\"unit\":\"count\",", ""),
            (scan, "\"table-name\":\"firn.shop.orders\",", ""), (commit, "\"sequence-number\":4,", ""),
            (commit, "\"operation\":\"append\",", ""), (commit, "{\"unit\":\"count\",\"value\":6}", "6"),
            (commit, commit, "[]"),
        ])
    func malformedOnesAreRefused(text: String, part: String, replacement: String) {
        let broken = text.replacing(part, with: replacement)
        #expect(broken != text)
        #expect(code { _ = try parse(broken) } == "bad_metrics_report")
    }

    @Test func sizeIsBounded() throws {
        let long = Self.commit.replacing("append", with: String(repeating: "x", count: MetricsReport.bytesMax))
        #expect(code { _ = try parse(long) } == "metrics_report_too_large")
        let many = (0...200).map { "\"m\($0)\":{\"unit\":\"count\",\"value\":1}" }.joined(separator: ",")
        #expect(
            code {
                _ = try parse(Self.commit.replacing("\"added-records\":{\"unit\":\"count\",\"value\":6}", with: many))
            }
                == "bad_metrics_report")
    }
}
