/// Whole, immutable objects named by absolute location (`file:///warehouse/ns/table/data/x.parquet`).
///
/// Table files are written once under a name that nobody else uses, read in whole or in part, and deleted. That is all
/// a table format needs and all that an object store gives. Every call blocks and may be made from any thread.
///
/// Errors are `FirnError`: `.invalidInput` (`bad_location`) for a location this store does not serve, `.notFound` for
/// a missing object, `.storageFull`, `.io`.
public protocol ObjectStore: Sendable {
    /// Writes an object, durable (bytes and name) when this returns. Replaces an existing object.
    func put(_ location: String, _ bytes: [UInt8]) throws

    /// Writes several objects, all durable when this returns; after a throw any of them may exist, in any state.
    func putAll(_ objects: [(location: String, bytes: [UInt8])]) throws

    /// Starts a new object that grows by appends. Throws `.alreadyExists` when the location is taken.
    func putStream(_ location: String) throws -> any ObjectSink

    /// The whole object.
    func get(_ location: String) throws -> [UInt8]

    /// Bytes `range` of the object. Throws `.corrupted` (`object_too_short`) when the object ends before the range.
    func read(_ location: String, range: Range<Int>) throws -> [UInt8]

    /// Length in bytes, or nil when there is no such object.
    func size(_ location: String) throws -> Int?

    /// What is known of an object beside its bytes; nil when there is none.
    func status(_ location: String) throws -> ObjectStatus?

    /// Deletes an object, durably; a missing one is not an error.
    func delete(_ location: String) throws

    /// Deletes several objects, all durably when this returns; after a throw any of them may be left.
    func deleteAll(_ locations: [String]) throws

    /// Locations of all objects below a folder at any depth, sorted; empty when there are none.
    func list(_ prefix: String) throws -> [String]

    /// Makes a folder where the store has such things: some writers expect it.
    func makeFolder(_ prefix: String) throws

    /// Drops folders below `prefix`, itself included, that hold no objects. Only for folders nobody writes to.
    func removeEmptyFolders(_ prefix: String) throws
}

/// What a store knows of an object.
public struct ObjectStatus: Sendable, Hashable {
    public let bytes: Int
    /// When it was written, in milliseconds from 1970; nil when the store does not tell.
    public let modifiedMs: Int64?
    /// True for a link or a device in the place of an object: neither to be followed nor to be deleted.
    public let isForeign: Bool

    public init(bytes: Int, modifiedMs: Int64?, isForeign: Bool = false) {
        self.bytes = bytes
        self.modifiedMs = modifiedMs
        self.isForeign = isForeign
    }
}

extension ObjectStore {
    public func status(_ location: String) throws -> ObjectStatus? {
        try size(location).map { ObjectStatus(bytes: $0, modifiedMs: nil) }
    }

    public func putAll(_ objects: [(location: String, bytes: [UInt8])]) throws {
        for object in objects { try put(object.location, object.bytes) }
    }

    public func deleteAll(_ locations: [String]) throws {
        for location in locations { try delete(location) }
    }

    public func makeFolder(_ prefix: String) throws {}

    public func removeEmptyFolders(_ prefix: String) throws {}
}

/// An object being written. One owner, one thread at a time; ends with `finish` or `abort`.
///
/// Nobody may rely on the object before `finish` has returned. After a throw only `abort` makes sense.
public protocol ObjectSink: AnyObject {
    func write(_ bytes: [UInt8]) throws
    /// Makes bytes and name durable.
    func finish() throws
    /// Drops what was written; best effort, since whoever recorded the location will delete it again.
    func abort()
}
