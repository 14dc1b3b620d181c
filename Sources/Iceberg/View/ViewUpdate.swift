import Base
import Columnar

/// One change of a view's metadata, as the REST catalog protocol names it.
///
/// Spec: https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml (ViewUpdate)
public enum ViewUpdate: Hashable, Sendable {
    case assignUUID(UUID)
    case upgradeFormatVersion(Int)
    /// The id in the schema is not binding: an equal schema keeps its id, a new one gets the next.
    case addSchema(ViewSchema)
    case setLocation(String)
    case setProperties([String: String])
    case removeProperties([String])
    /// The id in the version is not binding either.
    case addViewVersion(ViewVersion)
    case setCurrentViewVersion(Int)

    /// The id that stands for what this commit added last.
    public static let lastAdded = -1
    private static let countMax = 10_000

    /// Throws `.invalidInput`: `unknown_update` for an action that views do not have, `bad_update` for one that lacks a
    /// member or holds one of the wrong type.
    public init(json: JSONValue) throws(FirnError) {
        let reader = MetadataReader(json, source: "updates", subject: "view update")
        do throws(FirnError) {
            self = try Self.read(reader)
        } catch let error where error.kind == .corrupted {
            throw FirnError(.invalidInput, "bad_update", error.message, cause: error)
        }
    }

    /// A list of updates. Throws as `init(json:)`.
    public static func list(json: JSONValue) throws(FirnError) -> [ViewUpdate] {
        guard let items = json.arrayValue, items.count <= countMax else {
            throw FirnError(.invalidInput, "bad_update", "updates must be a list of at most \(countMax)")
        }
        return try items.map { item throws(FirnError) in try ViewUpdate(json: item) }
    }

    private static func read(_ reader: MetadataReader) throws(FirnError) -> ViewUpdate {
        switch try reader.string("action") {
        case "assign-uuid":
            guard let uuid = UUID(try reader.string("uuid")) else { throw reader.bad("\"uuid\" is not a UUID") }
            return .assignUUID(uuid)
        case "upgrade-format-version": return .upgradeFormatVersion(try reader.int("format-version"))
        case "add-schema": return .addSchema(try ViewSchema(json: reader.object("schema"), source: reader.source))
        case "set-location": return .setLocation(try reader.string("location"))
        case "set-properties":
            let values = try reader.object("updates").objectValue ?? []
            if let member = values.first(where: { $0.value.stringValue == nil }) {
                throw reader.bad("property \"\(member.key)\" is not a string")
            }
            return .setProperties(try reader.strings("updates"))
        case "remove-properties": return .removeProperties(try reader.texts("removals"))
        case "add-view-version":
            return .addViewVersion(try ViewVersion(json: reader.object("view-version"), source: reader.source))
        case "set-current-view-version": return .setCurrentViewVersion(try reader.int("view-version-id"))
        case let action:
            throw FirnError(.invalidInput, "unknown_update", "there is no view update \"\(action)\"")
        }
    }
}

/// What a commit to a view relies on.
public enum ViewRequirement: Hashable, Sendable {
    case assertViewUUID(UUID)

    /// Throws `.invalidInput`: `unknown_requirement`, or `bad_requirement` for a missing or wrong member.
    public init(json: JSONValue) throws(FirnError) {
        let reader = MetadataReader(json, source: "requirements", subject: "view requirement")
        do throws(FirnError) {
            let type = try reader.string("type")
            guard type == "assert-view-uuid" else {
                throw FirnError(.invalidInput, "unknown_requirement", "there is no view requirement \"\(type)\"")
            }
            guard let uuid = UUID(try reader.string("uuid")) else { throw reader.bad("\"uuid\" is not a UUID") }
            self = .assertViewUUID(uuid)
        } catch let error where error.kind == .corrupted {
            throw FirnError(.invalidInput, "bad_requirement", error.message, cause: error)
        }
    }

    /// A list of requirements, none when there is no JSON. Throws as `init(json:)`.
    public static func list(json: JSONValue?) throws(FirnError) -> [ViewRequirement] {
        guard let json, !json.isNull else { return [] }
        guard let items = json.arrayValue else {
            throw FirnError(.invalidInput, "bad_requirement", "requirements must be a list")
        }
        return try items.map { item throws(FirnError) in try ViewRequirement(json: item) }
    }

    /// Throws `.conflict` (`requirement_failed`) unless the requirement holds.
    public func check(_ metadata: ViewMetadata) throws(FirnError) {
        guard case .assertViewUUID(let uuid) = self, uuid != metadata.viewUUID else { return }
        throw FirnError(
            .conflict, "requirement_failed", "the view's UUID is \(metadata.viewUUID), not \(uuid)",
            context: ["requirement": "assert-view-uuid"])
    }
}
