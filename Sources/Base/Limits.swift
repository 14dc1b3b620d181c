/// Every bound that a client or a file could otherwise push, with the reason for its value.
public enum Limits {
    /// One whole-file read (metadata, manifests): far above any sane file, far below memory.
    public static let wholeFileBytesMax = 1 << 30
    /// Nesting of JSON values and of schemas: deeper than any real record, shallow enough for the stack.
    public static let nestingDepthMax = 128
    /// One request body after decompression.
    public static let bodyBytesDefault = 64 << 20
    /// One JSON record. A record must also fit the log's segment.
    public static let recordBytesMax = 16 << 20
    /// Columns of a schema, nested ones included.
    public static let columnsMax = 10_000
    /// A column's default value as JSON: it may be repeated in every row that lacks the column.
    public static let defaultBytesMax = 1 << 14
    /// Length of a namespace, table or column name in bytes: fits the catalog's VARCHAR(255).
    public static let nameBytesMax = 255
    /// Rejections spelled out in one answer; the rest are only counted.
    public static let rejectionsReportedMax = 1000
    /// Length of an idempotency key or producer id in bytes.
    public static let producerIdBytesMax = 255
}
