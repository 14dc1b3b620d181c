import Base

/// The bytes of one FlatBuffers message; every read is checked against their end.
///
/// Format: https://flatbuffers.dev/internals/
struct FlatBytes {
    let bytes: UnsafeRawBufferPointer

    func load<T: FixedWidthInteger>(_ at: Int, as type: T.Type = T.self) throws(FirnError) -> T {
        guard at >= 0, at <= bytes.count - MemoryLayout<T>.size else { throw .malformedArrow("a field lies outside") }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: T.self))
    }

    /// Where the reference at `at` points to. References only point forward, so that following them ends.
    func follow(_ at: Int) throws(FirnError) -> Int { at + Int(try load(at, as: UInt32.self)) }

    /// The table that the message is.
    func root() throws(FirnError) -> FlatTable { try FlatTable(self, at: follow(0)) }
}

/// One table: fields by number, each with a default.
struct FlatTable {
    let data: FlatBytes
    private let position: Int
    private let layout: Int
    private let layoutBytes: Int

    init(_ data: FlatBytes, at position: Int) throws(FirnError) {
        self.data = data
        self.position = position
        layout = position - Int(try data.load(position, as: Int32.self))
        layoutBytes = Int(try data.load(layout, as: UInt16.self))
        guard layoutBytes >= 4, layoutBytes <= data.bytes.count - layout else {
            throw .malformedArrow("a table's layout lies outside")
        }
    }

    /// Where a field is; nil for one that is left out.
    private func place(_ field: Int) throws(FirnError) -> Int? {
        let entry = 4 + field * 2
        guard entry + 2 <= layoutBytes else { return nil }
        let offset = Int(try data.load(layout + entry, as: UInt16.self))
        return offset == 0 ? nil : position + offset
    }

    func integer<T: FixedWidthInteger>(_ field: Int, default value: T) throws(FirnError) -> T {
        guard let place = try place(field) else { return value }
        return try data.load(place)
    }

    func bool(_ field: Int) throws(FirnError) -> Bool { try integer(field, default: UInt8(0)) != 0 }

    func table(_ field: Int) throws(FirnError) -> FlatTable? {
        guard let place = try place(field) else { return nil }
        return try FlatTable(data, at: data.follow(place))
    }

    func text(_ field: Int) throws(FirnError) -> String? {
        guard let (start, count) = try vector(field, stride: 1) else { return nil }
        guard let text = String(validating: data.bytes[start..<start + count], as: UTF8.self) else {
            throw .malformedArrow("a name is not valid UTF-8")
        }
        return text
    }

    /// Where the elements of a vector start, and how many there are; all of them lie inside.
    func vector(_ field: Int, stride: Int) throws(FirnError) -> (start: Int, count: Int)? {
        guard let place = try place(field) else { return nil }
        let head = try data.follow(place)
        let count = Int(try data.load(head, as: UInt32.self))
        guard count <= (data.bytes.count - head - 4) / stride else { throw .malformedArrow("a vector passes the end") }
        return (head + 4, count)
    }

    func tables(_ field: Int) throws(FirnError) -> [FlatTable] {
        guard let (start, count) = try vector(field, stride: 4) else { return [] }
        var tables: [FlatTable] = []
        tables.reserveCapacity(count)
        for index in 0..<count { tables.append(try FlatTable(data, at: data.follow(start + index * 4))) }
        return tables
    }
}

extension FirnError {
    static func malformedArrow(_ what: String) -> FirnError {
        FirnError(.corrupted, "malformed_arrow", "malformed Arrow data: \(what)")
    }
}
