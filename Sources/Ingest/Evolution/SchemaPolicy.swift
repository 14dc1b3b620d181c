import Base

/// What happens to records that fit no column of the table: table property `firn.schema.policy`.
public enum SchemaPolicy: String, Sendable, CaseIterable {
    /// They are rejected.
    case strict
    /// The schema grows with them, as far as every older file stays readable: see `SchemaPlanner`.
    case additive
    /// The change that they need is proposed and waits for approval; until then they are rejected.
    case propose

    public static let property = "firn.schema.policy"

    /// The policy of a table; `strict` where the property is missing or means nothing.
    public init(properties: [String: String]) {
        self = properties[Self.property].flatMap(SchemaPolicy.init(rawValue:)) ?? .strict
    }

    /// Throws `.invalidInput` (`bad_property`) for a value that names no policy.
    public static func check(_ properties: [String: String]) throws(FirnError) {
        guard let text = properties[property], SchemaPolicy(rawValue: text) == nil else { return }
        throw FirnError(
            .invalidInput, "bad_property", "\(property) must be strict, additive or propose, not \"\(text)\"",
            context: ["property": property])
    }
}
