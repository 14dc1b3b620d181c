import Base
import Maintenance
import Query

/// Findings and plans on standard output.
///
/// NDJSON and CSV have a row a finding; JSON is one document; a table is followed by what its codes mean.
struct FindingPrinter {
    let format: OutputFormat

    func print(_ report: ExaminationReport) throws {
        guard format != .json else { return Console.out(report.json.serialize(pretty: true) + [UInt8(ascii: "\n")]) }
        let columns =
            format == .table ? ["severity", "code", "subject", "found", "expected"] : Finding.columns
        if format != .table || !report.findings.isEmpty {
            var printer = RowPrinter(columns: columns, format: format)
            for finding in report.findings { try printer.print(Cell.row(finding.json, columns)) }
            try printer.finish()
        }
        if format == .table { Console.out(Self.text(report)) }
    }

    func print(_ plan: RepairPlan, snapshotId: Int64?, isDone: Bool) throws {
        guard format == .table else {
            let done: [JSONValue.Member] = [
                .init("repaired", .bool(isDone && !plan.isEmpty)),
                .init("snapshot-id", snapshotId.map { .integer($0) } ?? .null),
            ]
            let document = JSONValue.object(done + (plan.json.objectValue ?? []))
            return Console.out(document.serialize(pretty: format == .json) + [UInt8(ascii: "\n")])
        }
        if !isDone { Console.out(Self.text(plan)) }
        guard isDone else { return }
        if plan.isEmpty {
            Console.out("nothing to repair\n")
        } else {
            Console.out("repaired" + (snapshotId.map { " in snapshot \($0)" } ?? ", metadata only") + "\n")
        }
    }

    static func text(_ plan: RepairPlan) -> String {
        guard !plan.isEmpty || !plan.remaining.isEmpty else { return "nothing to repair\n" }
        var lines = plan.steps.isEmpty ? [] : ["plan"]
        for step in plan.steps { lines.append("  \(step.code.rawValue): \(step.action)  (\(step.subject))") }
        if plan.recordsLost > 0 { lines.append("  \(Human.count(Int(plan.recordsLost))) records are given up") }
        if !plan.remaining.isEmpty { lines.append("not repaired") }
        for finding in plan.remaining {
            lines.append("  \(finding.code.rawValue): \(finding.code.facts.next)  (\(finding.subject))")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func text(_ report: ExaminationReport) -> String {
        var lines: [String] = []
        for (code, count) in report.counts.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            lines.append("\n\(code.rawValue) (\(Human.count(count)))")
            lines.append("  readers  \(code.facts.readers)")
            lines.append("  next     \(code.facts.next)")
        }
        if !lines.isEmpty { lines.append("") }
        lines.append(
            "\(report.isClean ? "clean" : "not clean"): \(Human.count(report.snapshots)) snapshots, "
                + "\(Human.count(report.manifests)) manifests, \(Human.count(report.files)) files"
                + (report.filesRead > 0 ? ", \(Human.count(report.filesRead)) read in full" : "")
                + ", \(report.durationMs) ms")
        return lines.joined(separator: "\n") + "\n"
    }

    static func printCodes(_ format: OutputFormat) throws {
        var printer = RowPrinter(
            columns: ["code", "severity", "repairable", "readers", "next-step"], format: format)
        for code in FindingCode.allCases {
            let facts = code.facts
            try printer.print([
                .text(code.rawValue), .text(facts.severity.rawValue), .boolean(facts.isRepairable),
                .text(facts.readers), .text(facts.next),
            ])
        }
        try printer.finish()
    }
}
