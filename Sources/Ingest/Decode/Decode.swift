import Base
import Columnar

/// Decodes a body of any format; the same bytes, format, schema and settings always give the same rows and rejections.
///
/// `options` bounds the work and decides what is kept of rejected records; of the rows it only decides whether there
/// are any. Throws as `RecordDecoder.decode`; `.unsupported` (`unsupported_format`) for a format without a decoder.
public func decode(
    _ body: [UInt8], format: RecordFormat, schema: Schema, settings: DecodeSettings = .standard,
    options: DecoderOptions = DecoderOptions()
) throws(FirnError) -> DecodedBatch {
    switch format {
    case .ndjson, .json:
        return try recordDecoder(schema: schema, settings: settings, options: options).decode(body, format: format)
    case .csv, .avro, .arrow, .parquet:
        throw FirnError(.unsupported, "unsupported_format", "bodies in \(format.rawValue) cannot be read")
    }
}

/// The decoder of JSON bodies for a table's settings. Throws as `RecordDecoder.init`.
func recordDecoder(
    schema: Schema, settings: DecodeSettings, options: DecoderOptions
) throws(FirnError) -> RecordDecoder {
    var options = options
    options.unknownColumns = settings.unknownColumns
    return try RecordDecoder(schema: schema, options: options)
}
