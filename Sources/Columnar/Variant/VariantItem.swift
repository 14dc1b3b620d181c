import Base

/// One value of the Variant encoding as a tree: any JSON value, and the types JSON lacks.
///
/// A variant is stored as two byte strings. The metadata holds the names of all object fields, once; the value refers
/// to them by number. `VariantReader` takes both apart, `VariantWriter` makes them; neither keeps a tree where it need
/// not. Widths of integers and decimals are part of the value, as they are part of its bytes.
///
/// Format: https://github.com/apache/parquet-format/blob/master/VariantEncoding.md
public indirect enum VariantItem: Hashable, Sendable {
    case null
    case boolean(Bool)
    /// Stored in 1, 2, 4 or 8 bytes.
    case integer(Int64, bytes: Int)
    case float(Float)
    case double(Double)
    /// `unscaled` × 10^-`scale`, stored in 4, 8 or 16 bytes; scale 0 to 38.
    case decimal(Int128, scale: Int, bytes: Int)
    /// Days from 1970-01-01.
    case date(Int32)
    /// Microseconds from midnight.
    case time(Int64)
    case timestamp(Int64)
    case timestamptz(Int64)
    case timestampNs(Int64)
    case timestamptzNs(Int64)
    case binary([UInt8])
    /// UTF-8.
    case string([UInt8])
    case uuid(UUID)
    case array([VariantItem])
    case object([Member])

    public struct Member: Hashable, Sendable {
        /// UTF-8. Bytes, since names that Unicode holds equivalent are different names.
        public let name: [UInt8]
        public let value: VariantItem

        public init(_ name: [UInt8], _ value: VariantItem) {
            self.name = name
            self.value = value
        }

        public init(_ name: String, _ value: VariantItem) { self.init(Array(name.utf8), value) }
    }

    /// An integer in as few bytes as hold it.
    public static func integer(_ value: Int64) -> VariantItem {
        if Int8(exactly: value) != nil { return .integer(value, bytes: 1) }
        if Int16(exactly: value) != nil { return .integer(value, bytes: 2) }
        return .integer(value, bytes: Int32(exactly: value) != nil ? 4 : 8)
    }

    /// A decimal in as few bytes as hold it.
    public static func decimal(_ unscaled: Int128, scale: Int) -> VariantItem {
        let magnitude = unscaled.magnitude
        let bytes = magnitude < 1_000_000_000 && scale <= 9 ? 4 : 8
        let fits = magnitude < 1_000_000_000_000_000_000 && scale <= 18
        return .decimal(unscaled, scale: scale, bytes: fits ? bytes : 16)
    }

    public static func string(_ text: String) -> VariantItem { .string(Array(text.utf8)) }

    /// The two byte strings of a value.
    public struct Encoded: Hashable, Sendable {
        public let metadata: [UInt8]
        public let value: [UInt8]

        /// A value that cannot be too large.
        init(metadata: [UInt8], value: [UInt8]) {
            self.metadata = metadata
            self.value = value
        }

        /// JSON's null.
        public static let null = Encoded(metadata: [0x11, 0, 0], value: [0])
    }

    /// Throws `.limitExceeded` (`variant_too_large`) for more than 2^31 bytes.
    public func encoded() throws(FirnError) -> Encoded { try VariantWriter.encode(self) }

    /// Reads a value. Throws `.corrupted` (`bad_variant`) for bytes that are none.
    public init(metadata: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) throws(FirnError) {
        var sink = VariantTreeSink()
        try VariantReader.read(metadata: metadata, value: value, into: &sink)
        self = sink.result
    }

    public init(metadata: [UInt8], value: [UInt8]) throws(FirnError) {
        let result = metadata.withUnsafeBufferPointer { metadata in
            value.withUnsafeBufferPointer { value in
                Result { () throws(FirnError) in try VariantItem(metadata: metadata, value: value) }
            }
        }
        self = try result.get()
    }
}

/// Puts a tree together from the parts in order.
private struct VariantTreeSink: VariantSink {
    private struct Open {
        var items: [VariantItem] = []
        var names: [[UInt8]] = []
    }

    private var open: [Open] = []
    private(set) var result = VariantItem.null

    mutating func scalar(_ value: VariantScalar) { add(value.item) }
    mutating func openArray(_ count: Int) { open.append(Open()) }
    mutating func openObject(_ count: Int) { open.append(Open()) }
    mutating func name(_ utf8: UnsafeBufferPointer<UInt8>) { open[open.count - 1].names.append(Array(utf8)) }

    mutating func closeArray() {
        let last = open.removeLast()
        add(.array(last.items))
    }

    mutating func closeObject() {
        let last = open.removeLast()
        add(.object(zip(last.names, last.items).map { .init($0, $1) }))
    }

    private mutating func add(_ item: VariantItem) {
        if open.isEmpty { result = item } else { open[open.count - 1].items.append(item) }
    }
}

extension VariantItem {
    /// The value of one row of any column: structs become objects, maps with text keys objects and others arrays of
    /// key and value.
    public init(_ column: Column, row: Int) throws(FirnError) {
        if column.isNull(row) {
            self = .null
            return
        }
        switch column.storage {
        case .structure(let children):
            if column.type == .variant {
                self = try column.withVariant(row) { metadata, value throws(FirnError) in
                    try VariantItem(metadata: metadata, value: value)
                }
                return
            }
            guard case .structure(let type) = column.type else {
                preconditionFailure("a struct of type \(column.type)")
            }
            var members: [Member] = []
            for (field, child) in zip(type.fields, children) {
                members.append(Member(field.name, try VariantItem(child, row: row)))
            }
            self = .object(members)
        case .list(let offsets, let element):
            var items: [VariantItem] = []
            for index in Int(offsets[row])..<Int(offsets[row + 1]) {
                items.append(try VariantItem(element[0], row: index))
            }
            self = .array(items)
        case .map(let offsets, let entries):
            self = try Self.map(entries, Int(offsets[row])..<Int(offsets[row + 1]))
        default: self = VariantItem(scalar: column.value(at: row))
        }
    }

    private static func map(_ entries: [Column], _ range: Range<Int>) throws(FirnError) -> VariantItem {
        var members: [Member] = []
        var items: [VariantItem] = []
        for index in range {
            let value = try VariantItem(entries[1], row: index)
            if case .string(let key) = entries[0].value(at: index) {
                members.append(Member(key, value))
            } else {
                items.append(.object([Member("key", try VariantItem(entries[0], row: index)), Member("value", value)]))
            }
        }
        return entries[0].type == .string ? .object(members) : .array(items)
    }

    /// Precondition: no nested value.
    private init(scalar value: Value) {
        switch value {
        case .null: self = .null
        case .boolean(let v): self = .boolean(v)
        case .int(let v): self = .integer(Int64(v), bytes: 4)
        case .long(let v): self = .integer(v, bytes: 8)
        case .float(let v): self = .float(v)
        case .double(let v): self = .double(v)
        case .decimal(let v, let scale): self = .decimal(v, scale: scale)
        case .date(let v): self = .date(v)
        case .time(let v): self = .time(v)
        case .timestamp(let v): self = .timestamp(v)
        case .timestamptz(let v): self = .timestamptz(v)
        case .timestampNs(let v): self = .timestampNs(v)
        case .timestamptzNs(let v): self = .timestamptzNs(v)
        case .string(let v): self = .string(v)
        case .uuid(let v): self = .uuid(v)
        case .binary(let v): self = .binary(v)
        case .structure, .list, .map: preconditionFailure("a nested value is no scalar")
        }
    }
}

extension Column {
    /// Hands out the bytes of one row of a variant column that is not null.
    public func withVariant<R>(
        _ row: Int, _ body: (UnsafeBufferPointer<UInt8>, UnsafeBufferPointer<UInt8>) throws(FirnError) -> R
    ) throws(FirnError) -> R {
        guard type == .variant, case .structure(let parts) = storage,
            case .bytes(let metadataEnds, let metadata) = parts[0].storage,
            case .bytes(let valueEnds, let value) = parts[1].storage
        else { preconditionFailure("no variant column") }
        return try body(
            UnsafeBufferPointer(rebasing: metadata.values[Int(metadataEnds[row])..<Int(metadataEnds[row + 1])]),
            UnsafeBufferPointer(rebasing: value.values[Int(valueEnds[row])..<Int(valueEnds[row + 1])]))
    }
}

extension ColumnBuilder {
    /// Appends a row to a variant column.
    public func append(_ variant: VariantItem.Encoded) {
        guard type == .variant, case .structure(let parts) = storage else { preconditionFailure("no variant column") }
        parts[0].append(.binary(variant.metadata))
        parts[1].append(.binary(variant.value))
        endValue()
    }
}
