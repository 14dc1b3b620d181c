import Base
import Catalog
import HTTPTypes
import Hummingbird
import Iceberg

/// A table as clients load it (LoadTableResult, CommitTableResponse).
///
/// What the metadata says is passed on to the letter: clients compare the locations in it with each other, and with
/// what they wrote, as text.
struct RestTableAnswer {
    enum Snapshots: String { case all, refs }

    /// Nil for a table that is only staged.
    let metadataLocation: String?
    let metadata: TableMetadata
    var snapshots = Snapshots.all

    init(_ table: Table, snapshots: Snapshots = .all) {
        metadataLocation = table.metadataLocation
        metadata = table.metadata
        self.snapshots = snapshots
    }

    init(metadataLocation: String?, metadata: TableMetadata) {
        self.metadataLocation = metadataLocation
        self.metadata = metadata
    }

    /// Tells one state of the table, in one form, from all others: a metadata file never changes.
    static func tag(_ metadataLocation: String, _ snapshots: Snapshots) -> String {
        "\"" + Hex.encode(XXHash64.hash(Array("\(snapshots.rawValue) \(metadataLocation)".utf8)), width: 16) + "\""
    }

    var tag: String? { metadataLocation.map { Self.tag($0, snapshots) } }

    /// True when a client has this answer already.
    static func matches(_ tag: String?, ifNoneMatch header: String?) -> Bool {
        guard let tag, let header else { return false }
        return header.split(separator: ",").contains { item in
            let text = item.drop { $0 == " " }
            return (text.hasPrefix("W/") ? text.dropFirst(2) : text).prefix { $0 != " " } == tag[...]
        }
    }

    func bytes() throws -> [UInt8] {
        var shown = metadata
        if snapshots == .refs {
            let named = Set(metadata.refs.values.map(\.snapshotId))
            shown.snapshots = metadata.snapshots.filter { named.contains($0.snapshotId) }
        }
        var out = Array("{\"metadata-location\":".utf8)
        if let metadataLocation {
            JSONText.appendQuoted(metadataLocation, into: &out)
        } else {
            out += "null".utf8
        }
        out += ",\"metadata\":".utf8
        // Version 1 has a form of its own, which is only read.
        out += try shown.formatVersion >= 2 ? shown.serialize() : shown.json.serialize()
        out += ",\"config\":{}}".utf8
        return out
    }

    /// Answers that are mostly history shrink to a tenth; below this many bytes the work is not worth it.
    private static let compressedFromBytes = 64 << 10

    func response(acceptEncoding: String? = nil) throws -> Response {
        var headers: HTTPFields = [.contentType: "application/json"]
        headers[.eTag] = tag
        var body = try bytes()
        if body.count >= Self.compressedFromBytes, Self.acceptsGzip(acceptEncoding) {
            body = try Deflate.compress(body, wrapping: .gzip, level: 1)
            headers[.contentEncoding] = "gzip"
            headers[.vary] = "Accept-Encoding"
        }
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }

    static func acceptsGzip(_ header: String?) -> Bool {
        (header ?? "").lowercased().split(separator: ",").contains { item in
            let parts = item.split(separator: ";").map { $0.filter { $0 != " " } }
            return parts.first == "gzip" && !parts.dropFirst().contains { $0 == "q=0" || $0 == "q=0.0" }
        }
    }
}
