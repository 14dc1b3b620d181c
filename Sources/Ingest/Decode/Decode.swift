import Base
import Columnar

/// Decodes a body of any format; the same bytes, format, schema and settings always give the same rows and rejections.
///
/// `options` bounds the work and decides what is kept of rejected records; of the rows it only decides whether there
/// are any. Text throws as `RecordDecoder.decode`. A body with columns of its own is refused as a whole with
/// `.invalidInput`, where it is damaged (`malformed_body`) or does not go with the schema (`unknown_column`,
/// `missing_required`, `wrong_type`, `duplicate_key`); with `.unsupported` for types that no column can hold.
public func decode(
    _ body: [UInt8], format: RecordFormat, schema: Schema, settings: DecodeSettings = .standard,
    options: DecoderOptions = DecoderOptions()
) throws(FirnError) -> DecodedBatch {
    if format.isText {
        return try recordDecoder(schema: schema, settings: settings, options: options).decode(body, format: format)
    }
    var options = options
    options.unknownColumns = settings.unknownColumns
    options.epochUnits = settings.epochUnits
    guard body.count <= DecodeLimits.bodyBytesMax else { throw RecordDecoder.bodyTooLarge(body.count) }
    switch format {
    case .avro:
        let source = try AvroSource(body, bytesMax: options.batchBytesMax)
        return try ProjectedRun.decode(source, schema: schema, options: options)
    case .parquet: return try ProjectedRun.decode(ParquetSource(body), schema: schema, options: options)
    default:
        let result = body.withUnsafeBytes { bytes in
            Result { () throws(FirnError) in
                let source = try ArrowSource(bytes, bytesMax: options.batchBytesMax)
                return try ProjectedRun.decode(source, schema: schema, options: options)
            }
        }
        return try result.get()
    }
}

/// The decoder of text bodies for a table's settings.
func recordDecoder(
    schema: Schema, settings: DecodeSettings, options: DecoderOptions
) -> RecordDecoder {
    var options = options
    options.unknownColumns = settings.unknownColumns
    options.epochUnits = settings.epochUnits
    return RecordDecoder(schema: schema, options: options)
}
