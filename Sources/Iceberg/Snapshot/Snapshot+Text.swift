import Base

/// The text of what a metadata file holds one of for every commit.
///
/// A table that commits every second has thousands of snapshots, and every commit writes them all: building a tree
/// first would make that the larger part of a commit. The text is that of the tree's `serialize()`.
extension Snapshot {
    /// Appends the form of versions 2 and 3.
    func appendText(to out: inout [UInt8]) { text.append(to: &out, makeText) }

    func makeText(_ out: inout [UInt8]) {
        out.append(contentsOf: #"{"sequence-number":"#.utf8)
        MetadataText.append(sequenceNumber, to: &out)
        out.append(contentsOf: #","snapshot-id":"#.utf8)
        MetadataText.append(snapshotId, to: &out)
        if let parentSnapshotId {
            out.append(contentsOf: #","parent-snapshot-id":"#.utf8)
            MetadataText.append(parentSnapshotId, to: &out)
        }
        out.append(contentsOf: #","timestamp-ms":"#.utf8)
        MetadataText.append(timestampMs, to: &out)
        out.append(contentsOf: #","summary":{"#.utf8)
        var isFirst = true
        func add(_ key: String, _ value: String, to out: inout [UInt8]) {
            if !isFirst { out.append(UInt8(ascii: ",")) }
            isFirst = false
            JSONText.appendQuoted(key, into: &out)
            out.append(UInt8(ascii: ":"))
            JSONText.appendQuoted(value, into: &out)
        }
        if let operation { add("operation", operation, to: &out) }
        for (key, value) in summary.sorted(by: { $0.key < $1.key }) where key != "operation" {
            add(key, value, to: &out)
        }
        out.append(UInt8(ascii: "}"))
        if !manifestList.isEmpty {
            out.append(contentsOf: #","manifest-list":"#.utf8)
            JSONText.appendQuoted(manifestList, into: &out)
        }
        if let schemaId {
            out.append(contentsOf: #","schema-id":"#.utf8)
            MetadataText.append(Int64(schemaId), to: &out)
        }
        for (key, number) in [("first-row-id", firstRowId), ("added-rows", addedRows)] {
            guard let number else { continue }
            MetadataText.key(key, to: &out)
            MetadataText.append(number, to: &out)
        }
        for member in preserved { MetadataText.append(member, to: &out) }
        out.append(UInt8(ascii: "}"))
    }
}

extension SnapshotLogEntry {
    func appendText(to out: inout [UInt8]) {
        out.append(contentsOf: #"{"timestamp-ms":"#.utf8)
        MetadataText.append(timestampMs, to: &out)
        out.append(contentsOf: #","snapshot-id":"#.utf8)
        MetadataText.append(snapshotId, to: &out)
        out.append(UInt8(ascii: "}"))
    }
}

enum MetadataText {
    static func append(_ value: Int64, to out: inout [UInt8]) { out.append(contentsOf: String(value).utf8) }

    /// `,"key":value`
    static func append(_ member: JSONValue.Member, to out: inout [UInt8]) {
        key(member.key, to: &out)
        out.append(contentsOf: member.value.serialize())
    }

    /// `,"key":`
    static func key(_ key: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: ","))
        JSONText.appendQuoted(key, into: &out)
        out.append(UInt8(ascii: ":"))
    }

    /// `,"key":[…]`
    static func list<Item>(
        _ key: String, _ items: [Item], to out: inout [UInt8], _ append: (Item, inout [UInt8]) -> Void
    ) {
        self.key(key, to: &out)
        out.append(UInt8(ascii: "["))
        for (index, item) in items.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            append(item, &out)
        }
        out.append(UInt8(ascii: "]"))
    }
}
