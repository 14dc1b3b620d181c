import Base
import Columnar

/// Makes a variant column of the columns it is stored in.
///
/// 1. Where nothing is shredded, metadata and value are the column; their bytes are checked, so that nothing behind
///    the reader meets a variant that is none.
/// 2. Else each row is put together as a tree, typed columns first, and encoded anew with a metadata of its own.
///
/// What a group means is decided by which of its two parts are null. Both: there is no such field; elsewhere a null.
/// One: that part. Both present: an object, some fields of which are in columns; anything else contradicts itself.
///
/// Format: https://github.com/apache/parquet-format/blob/master/VariantShredding.md
struct VariantAssembly {
    let shape: VariantShape

    func column(_ stored: Column) throws(FirnError) -> Column {
        guard case .structure(let parts) = stored.storage else { preconditionFailure("a variant is stored as a group") }
        let metadata = parts[shape.metadata]
        if shape.root.typed == nil, let place = shape.root.value,
            let plain = try unshredded(stored, metadata, parts[place])
        {
            return plain
        }
        let builder = ColumnBuilder(.variant, rowCapacity: stored.rowCount)
        for row in 0..<stored.rowCount {
            if stored.isNull(row) {
                builder.appendNull()
                continue
            }
            guard !metadata.isNull(row) else { throw Self.bad("has no metadata") }
            let item = try item(shape.root, parts, row, Self.bytes(metadata, row)) ?? .null
            builder.append(try item.encoded())
        }
        return builder.finish()
    }

    /// Nil when a row has no value.
    private func unshredded(_ stored: Column, _ metadata: Column, _ value: Column) throws(FirnError) -> Column? {
        let isWhole = metadata.nullCount <= stored.nullCount && value.nullCount <= stored.nullCount
        for row in 0..<stored.rowCount where !stored.isNull(row) {
            if !isWhole, metadata.isNull(row) || value.isNull(row) { return nil }
            try VariantReader.check(metadata: Self.bytes(metadata, row), value: Self.bytes(value, row))
        }
        return Column(
            type: .variant, rowCount: stored.rowCount, validity: stored.validity, nullCount: stored.nullCount,
            storage: .structure([metadata, value].map(Self.binary)))
    }

    /// A file may call the parts strings.
    private static func binary(_ part: Column) -> Column {
        Column(
            type: .binary, rowCount: part.rowCount, validity: part.validity, nullCount: part.nullCount,
            storage: part.storage)
    }

    private static func bytes(_ column: Column, _ row: Int) -> UnsafeBufferPointer<UInt8> {
        guard case .bytes(let offsets, let bytes) = column.storage else { preconditionFailure("a part is no binary") }
        return UnsafeBufferPointer(rebasing: bytes.values[Int(offsets[row])..<Int(offsets[row + 1])])
    }

    private static func bad(_ message: String) -> FirnError {
        FirnError(.corrupted, "bad_variant", "a shredded variant \(message)")
    }

    // MARK: - Rows

    /// Nil when both parts of the group are null.
    private func item(
        _ group: VariantShape.Group, _ parts: [Column], _ row: Int, _ metadata: UnsafeBufferPointer<UInt8>
    ) throws(FirnError) -> VariantItem? {
        var rest: VariantItem?
        if let place = group.value, !parts[place].isNull(row) {
            rest = try VariantItem(metadata: metadata, value: Self.bytes(parts[place], row))
        }
        guard let (place, typed) = group.typed, !parts[place].isNull(row) else { return rest }
        switch (typed, parts[place].storage) {
        case (.scalar(let bytes), _):
            guard rest == nil else { throw Self.bad("has both a value and a typed value") }
            return Self.scalar(parts[place].value(at: row), bytes: bytes)
        case (.array(let element), .list(let offsets, let elements)):
            guard rest == nil else { throw Self.bad("has both a value and a typed value") }
            guard case .structure(let columns) = elements[0].storage else { preconditionFailure("no group") }
            var items: [VariantItem] = []
            for index in Int(offsets[row])..<Int(offsets[row + 1]) {
                let item = elements[0].isNull(index) ? nil : try self.item(element, columns, index, metadata)
                items.append(item ?? .null)
            }
            return .array(items)
        case (.object(let members), .structure(let fields)):
            return .object(try object(members, fields, rest, row, metadata))
        default: preconditionFailure("a typed column of another shape")
        }
    }

    private func object(
        _ members: [VariantShape.Member], _ fields: [Column], _ rest: VariantItem?, _ row: Int,
        _ metadata: UnsafeBufferPointer<UInt8>
    ) throws(FirnError) -> [VariantItem.Member] {
        var found: [VariantItem.Member] = []
        if let rest {
            guard case .object(let others) = rest else {
                throw Self.bad("has typed fields beside a value of other type")
            }
            let names = Set(members.map(\.name))
            guard !others.contains(where: { names.contains($0.name) }) else {
                throw Self.bad("repeats a field that has a column of its own")
            }
            found = others
        }
        for member in members {
            let field = fields[member.place]
            guard case .structure(let parts) = field.storage else { preconditionFailure("no group") }
            guard !field.isNull(row), let item = try item(member.group, parts, row, metadata) else { continue }
            found.append(.init(member.name, item))
        }
        // As the encoding orders them, wherever they were stored.
        return found.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    private static func scalar(_ value: Value, bytes: Int) -> VariantItem {
        switch value {
        case .boolean(let v): .boolean(v)
        case .int(let v): .integer(Int64(v), bytes: bytes)
        case .long(let v): .integer(v, bytes: bytes)
        case .float(let v): .float(v)
        case .double(let v): .double(v)
        case .decimal(let v, let scale): .decimal(v, scale: scale, bytes: bytes)
        case .date(let v): .date(v)
        case .time(let v): .time(v)
        case .timestamp(let v): .timestamp(v)
        case .timestamptz(let v): .timestamptz(v)
        case .timestampNs(let v): .timestampNs(v)
        case .timestamptzNs(let v): .timestamptzNs(v)
        case .string(let v): .string(v)
        case .uuid(let v): .uuid(v)
        case .binary(let v): .binary(v)
        case .null, .structure, .list, .map: preconditionFailure("no primitive value")
        }
    }
}
