import Base
import Synchronization

// Metadata files that are mostly history.
//
// Every commit writes all retained snapshots anew, and all but one are those of the commit before. So the file is
// compressed, and the compressed form of what cannot change any more is kept:
//
// 1. Snapshots, and likewise the entries of the snapshot log, are grouped; a group ends where the snapshot's id is a
//    multiple of 64. Ids are random, so groups stay the same when the oldest snapshots go.
// 2. A complete group is compressed once and kept with the metadata, under what it was made of.
// 3. A file is the kept groups with the loose text before, between and after them: one gzip member.
//
// `write.metadata.compression-codec` decides as the spec says: `gzip` or `none`. Where the table leaves it open, files
// become compressed when their history would pass 256 KiB.
// Spec: https://iceberg.apache.org/spec/#naming-for-gzip-compressed-metadata-json-files

extension TableMetadata {
    private static let compressedFromBytes = 256 << 10
    private static let groupMask: Int64 = 63
    private static let groupItemsMax = 1024

    /// True when the next metadata file is to be compressed.
    var wantsCompression: Bool {
        switch properties["write.metadata.compression-codec"]?.lowercased() {
        case "gzip": return true
        case .some: return false
        case nil:
            let snapshotBytes = snapshots.last.map {
                300 + $0.summary.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 6 }
            }
            return snapshots.count * (snapshotBytes ?? 0) + snapshotLog.count * 66 > Self.compressedFromBytes
        }
    }

    /// The text of the metadata file as one gzip member. Throws as `serialize`.
    func serializeCompressed() throws(FirnError) -> [UInt8] {
        let known = history.parts.withLock { $0 }
        var text = CompressedText(known: known)
        let frame = try serializeFrame()
        text.loose = frame.leading
        try text.append(
            "snapshots", snapshots, endsGroup: { $0.snapshotId & Self.groupMask == 0 }, max: Self.groupItemsMax,
            key: { $0.append($1.text.serial) }, write: { $0.makeText(&$1) })
        try text.append(
            "snapshot-log", snapshotLog, endsGroup: { $0.snapshotId & Self.groupMask == 0 }, max: Self.groupItemsMax,
            key: { key, entry in
                key.append(UInt64(bitPattern: entry.timestampMs))
                key.append(UInt64(bitPattern: entry.snapshotId))
            }, write: { $0.appendText(to: &$1) })
        text.loose.append(contentsOf: frame.trailing)
        let used = text.used
        history.parts.withLock { $0 = used }
        return try text.assembly.finish(text.loose)
    }
}

/// Compressed groups of snapshots and log entries, shared by all copies of a table's metadata. Part of no comparison.
final class CompressedHistory: Hashable, Sendable {
    typealias Parts = [[UInt64]: GzipAssembly.Part]

    let parts = Mutex<Parts>([:])

    static func == (_: CompressedHistory, _: CompressedHistory) -> Bool { true }
    func hash(into hasher: inout Hasher) {}
}

/// A metadata file on its way.
private struct CompressedText {
    let known: CompressedHistory.Parts
    var used: CompressedHistory.Parts = [:]
    var assembly = GzipAssembly()
    /// Text since the last part.
    var loose: [UInt8] = []

    init(known: CompressedHistory.Parts) { self.known = known }

    /// `,"name":[…]`. Groups carry the comma after each of their items, so the last item is always loose.
    mutating func append<Item>(
        _ name: String, _ items: [Item], endsGroup: (Item) -> Bool, max: Int, key: (inout [UInt64], Item) -> Void,
        write: (Item, inout [UInt8]) -> Void
    ) throws(FirnError) {
        MetadataText.key(name, to: &loose)
        loose.append(UInt8(ascii: "["))
        var start = 0
        var groupKey: [UInt64] = []
        for index in items.indices.dropLast() {
            key(&groupKey, items[index])
            guard endsGroup(items[index]) || index - start + 1 == max else { continue }
            try append(group: items[start...index], groupKey, write)
            start = index + 1
            groupKey.removeAll(keepingCapacity: true)
        }
        for (index, item) in items[start...].enumerated() {
            if index > 0 { loose.append(UInt8(ascii: ",")) }
            write(item, &loose)
        }
        loose.append(UInt8(ascii: "]"))
    }

    private mutating func append<Item>(
        group items: ArraySlice<Item>, _ key: [UInt64], _ write: (Item, inout [UInt8]) -> Void
    ) throws(FirnError) {
        if !loose.isEmpty {
            assembly.append(try GzipAssembly.Part(loose))
            loose.removeAll(keepingCapacity: true)
        }
        let part: GzipAssembly.Part
        if let ready = known[key] {
            part = ready
        } else {
            var text: [UInt8] = []
            for item in items {
                write(item, &text)
                text.append(UInt8(ascii: ","))
            }
            part = try GzipAssembly.Part(text)
        }
        used[key] = part
        assembly.append(part)
    }
}
