/// Prometheus' text format, version 0.0.4.
struct PrometheusText {
    private(set) var text = ""

    /// A metric with one value.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
        begin(name, kind, help)
        sample(name, [], value)
    }

    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: Int) {
        add(name, kind, help, Double(value))
    }

    enum Kind: String {
        case counter, gauge, histogram
    }

    mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP firn_\(name) \(help)\n# TYPE firn_\(name) \(kind.rawValue)\n"
    }

    /// One line of the metric begun last.
    mutating func sample(_ name: String, _ labels: [(String, String)], _ value: Double) {
        text += "firn_\(name)"
        if !labels.isEmpty {
            text += "{" + labels.map { "\($0)=\"\(Self.escape($1))\"" }.joined(separator: ",") + "}"
        }
        text += " \(Self.number(value))\n"
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }

    private static func escape(_ value: String) -> String {
        var out = ""
        for character in value.unicodeScalars {
            switch character {
            case "\\": out += "\\\\"
            case "\"": out += "\\\""
            case "\n": out += "\\n"
            default: out.unicodeScalars.append(character)
            }
        }
        return out
    }
}
