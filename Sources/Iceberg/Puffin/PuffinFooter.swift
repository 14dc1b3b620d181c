import Base

/// One blob of a Puffin file, as the footer describes it.
///
/// Spec: https://iceberg.apache.org/puffin-spec/#blobmetadata
public struct PuffinBlob: Hashable, Sendable {
    public var type: String
    /// Ids of the fields it is about.
    public var fields: [Int]
    /// -1 where the blob is written before its snapshot is.
    public var snapshotId: Int64
    public var sequenceNumber: Int64
    public var offset: Int
    /// Bytes as stored.
    public var length: Int
    /// `zstd` or `lz4`; nil for none.
    public var compression: String?
    /// In the order of the file.
    public var properties: [JSONValue.Member]

    public init(
        type: String, fields: [Int], snapshotId: Int64 = -1, sequenceNumber: Int64 = -1, offset: Int = 0,
        length: Int = 0, compression: String? = nil, properties: [(String, String)] = []
    ) {
        self.type = type
        self.fields = fields
        self.snapshotId = snapshotId
        self.sequenceNumber = sequenceNumber
        self.offset = offset
        self.length = length
        self.compression = compression
        self.properties = properties.map { .init($0.0, .string($0.1)) }
    }

    public subscript(property: String) -> String? {
        properties.first { $0.key == property }?.value.stringValue
    }
}

/// The footer of a Puffin file.
///
/// Spec: https://iceberg.apache.org/puffin-spec/#footer-payload
public struct PuffinFooter: Hashable, Sendable {
    public var blobs: [PuffinBlob] = []
    public var properties: [JSONValue.Member] = []
    /// Bytes from its first magic to the end of the file.
    public internal(set) var storedBytes = 0

    init() {}

    /// Throws `.corrupted` (`malformed_puffin`) for a footer that lacks what it must have, and for blobs beyond
    /// `dataBytes`.
    init(_ json: JSONValue, dataBytes: Int, source: String) throws(FirnError) {
        guard let items = json["blobs"]?.arrayValue else { throw PuffinFile.malformed("it lists no blobs", source) }
        for item in items { blobs.append(try Self.blob(item, dataBytes: dataBytes, source: source)) }
        properties = json["properties"]?.objectValue ?? []
    }

    private static func blob(_ json: JSONValue, dataBytes: Int, source: String) throws(FirnError) -> PuffinBlob {
        guard let type = json["type"]?.stringValue, let fields = json["fields"]?.arrayValue,
            let snapshotId = json["snapshot-id"]?.intValue, let sequenceNumber = json["sequence-number"]?.intValue,
            let offset = json["offset"]?.intValue, let length = json["length"]?.intValue
        else { throw PuffinFile.malformed("a blob lacks a required field", source) }
        guard offset >= 4, length >= 0, offset <= dataBytes, length <= Int64(dataBytes) - offset else {
            throw PuffinFile.malformed("a blob of \(length) bytes at \(offset) passes the end of the blobs", source)
        }
        let ids = fields.compactMap { $0.intValue.flatMap { Int(exactly: $0) } }
        guard ids.count == fields.count else { throw PuffinFile.malformed("a field id is no number", source) }
        var blob = PuffinBlob(
            type: type, fields: ids, snapshotId: snapshotId, sequenceNumber: sequenceNumber, offset: Int(offset),
            length: Int(length), compression: json["compression-codec"]?.stringValue)
        blob.properties = json["properties"]?.objectValue ?? []
        return blob
    }

    public var json: JSONValue {
        var members: [JSONValue.Member] = [.init("blobs", .array(blobs.map(\.json)))]
        if !properties.isEmpty { members.append(.init("properties", .object(properties))) }
        return .object(members)
    }
}

extension PuffinBlob {
    public var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("type", .string(type)),
            .init("fields", .array(fields.map { .integer(Int64($0)) })),
            .init("snapshot-id", .integer(snapshotId)),
            .init("sequence-number", .integer(sequenceNumber)),
            .init("offset", .integer(Int64(offset))),
            .init("length", .integer(Int64(length))),
        ]
        if let compression { members.append(.init("compression-codec", .string(compression))) }
        if !properties.isEmpty { members.append(.init("properties", .object(properties))) }
        return .object(members)
    }
}
