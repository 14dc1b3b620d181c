import Base

/// A part of a scan that is still to be planned, as the text that a client hands back.
///
/// The text says everything itself, so the server keeps nothing between requests, and a plan outlives its restart. What
/// a client may make of it is bounded like any scan request of its own; the checksum only tells damage from a plan that
/// has gone out of date.
struct PlanTask: Hashable {
    private static let version: Int64 = 1
    /// A filter, the names of columns and a few numbers.
    private static let bytesMax = ScanRequest.filterBytesMax * 4

    var table: UUID
    var request: ScanRequest
    /// Of the manifests that the filter leaves, in the order of the snapshot's list; nil for a scan of appends.
    var manifests: Range<Int>?
    /// Tasks of that part which were given already.
    var offset: Int

    var text: String {
        var members: [JSONValue.Member] = [
            .init("v", .integer(Self.version)), .init("table", .string(table.description)),
            .init("offset", .integer(Int64(offset))),
        ]
        switch request.range {
        case .current: preconditionFailure("a plan is of one snapshot")
        case .snapshot(let id): members.append(.init("snapshot", .integer(id)))
        case .appends(let after, let upTo):
            members.append(.init("after", after.map { .integer($0) } ?? .null))
            members.append(.init("up-to", .integer(upTo)))
        }
        if let manifests {
            members.append(.init("from", .integer(Int64(manifests.lowerBound))))
            members.append(.init("to", .integer(Int64(manifests.upperBound))))
        }
        if let filter = request.filter { members.append(.init("filter", filter)) }
        if !request.isCaseSensitive { members.append(.init("any-case", true)) }
        if request.usesSnapshotSchema { members.append(.init("snapshot-schema", true)) }
        if !request.statisticsFields.isEmpty {
            members.append(.init("stats", .array(request.statisticsFields.map { .string($0) })))
        }
        let body = JSONValue.object(members).serialize()
        return Hex.encode(XXHash64.hash(body), width: 16) + String(decoding: body, as: UTF8.self)
    }

    init(table: UUID, request: ScanRequest, manifests: Range<Int>?, offset: Int) {
        self.table = table
        self.request = request
        self.manifests = manifests
        self.offset = offset
    }

    /// Throws `.notFound` (`plan_task_not_found`) for a text that no plan of this table gave.
    init(_ text: String, table: UUID) throws(FirnError) {
        guard text.utf8.count <= Self.bytesMax, text.utf8.count > 16 else { throw Self.unknown }
        let body = Array(text.utf8.dropFirst(16))
        guard Hex.encode(XXHash64.hash(body), width: 16).utf8.elementsEqual(text.utf8.prefix(16)),
            let json = try? JSONValue(parsing: body, source: "plan task"), json["v"]?.intValue == Self.version,
            json["table"]?.stringValue == table.description, let offset = json["offset"]?.intValue, offset >= 0
        else { throw Self.unknown }
        var request = ScanRequest()
        if let snapshot = json["snapshot"]?.intValue {
            guard let from = json["from"]?.intValue, let to = json["to"]?.intValue, 0 <= from, from < to else {
                throw Self.unknown
            }
            request.range = .snapshot(snapshot)
            manifests = Int(from)..<Int(to)
        } else if let upTo = json["up-to"]?.intValue {
            request.range = .appends(after: json["after"]?.intValue, upTo: upTo)
            manifests = nil
        } else {
            throw Self.unknown
        }
        request.filter = json["filter"]
        request.isCaseSensitive = json["any-case"] == nil
        request.usesSnapshotSchema = json["snapshot-schema"] != nil
        request.statisticsFields = (json["stats"]?.arrayValue ?? []).compactMap(\.stringValue)
        self.table = table
        self.request = request
        self.offset = Int(offset)
    }

    static var unknown: FirnError {
        FirnError(.notFound, "plan_task_not_found", "no plan of this table gave this task; plan the scan again")
    }
}
