import Base
import Columnar

/// Writes record batches as an Arrow IPC stream, or as a file of that format, piece by piece.
///
/// ```swift
/// var writer = ArrowWriter(schema: schema, form: .file)
/// var bytes = writer.start()
/// bytes += writer.write(batch)
/// bytes += writer.finish()
/// ```
///
/// `ArrowSchemaWriter` says which Arrow type each column gets. Nothing is compressed. Memory holds one batch, and some
/// bytes for each in a file, whose footer lists them.
///
/// Format: https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc
public struct ArrowWriter {
    public enum Form: Sendable {
        /// Ends with a mark, so that a reader sees when one was cut off.
        case stream
        /// Ends with a footer by which batches are read in any order.
        case file
    }

    private let schema: Schema
    private let form: Form
    private var offset = 0
    /// Offset, bytes of metadata and bytes of body of every batch.
    private var blocks: [Int64] = []

    private static let magic = Array("ARROW1".utf8)
    /// Version 5 of the metadata.
    private static let version = FlatNode.Item.short(4)

    public init(schema: Schema, form: Form) {
        self.schema = schema
        self.form = form
    }

    /// The bytes before the first batch.
    public mutating func start() -> [UInt8] {
        var out: [UInt8] = form == .file ? Self.magic + [0, 0] : []
        out += Self.message(1, ArrowSchemaWriter.schema(schema), bodyBytes: 0)
        offset = out.count
        return out
    }

    /// The bytes of a batch. Precondition: its columns are the schema's, in type and order.
    public mutating func write(_ batch: RecordBatch) -> [UInt8] {
        precondition(batch.columns.map(\.type) == schema.fields.map(\.type), "a batch of another schema")
        var encoder = ArrowBodyEncoder()
        for column in batch.columns { encoder.add(column) }
        let header = FlatNode([
            0: .long(Int64(batch.rowCount)), 1: .words(encoder.nodes, perItem: 2),
            2: .words(encoder.buffers, perItem: 2),
        ])
        var out = Self.message(3, header, bodyBytes: encoder.body.count)
        blocks += [Int64(offset), Int64(out.count), Int64(encoder.body.count)]
        out += encoder.body
        offset += out.count
        return out
    }

    /// The bytes behind the last batch.
    public func finish() -> [UInt8] {
        var out: [UInt8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]
        guard form == .file else { return out }
        let footer = FlatBuilder.message(
            FlatNode([
                0: Self.version, 1: .table(ArrowSchemaWriter.schema(schema)), 2: .words([], perItem: 3),
                3: .words(blocks, perItem: 3),
            ]))
        out += footer
        withUnsafeBytes(of: Int32(footer.count).littleEndian) { out.append(contentsOf: $0) }
        return out + Self.magic
    }

    /// A mark, the size of the table behind it, and the table.
    private static func message(_ type: UInt8, _ header: FlatNode, bodyBytes: Int) -> [UInt8] {
        let table = FlatBuilder.message(
            FlatNode([0: version, 1: .byte(type), 2: .table(header), 3: .long(Int64(bodyBytes))]))
        var out: [UInt8] = [0xff, 0xff, 0xff, 0xff]
        withUnsafeBytes(of: Int32(table.count).littleEndian) { out.append(contentsOf: $0) }
        return out + table
    }
}
