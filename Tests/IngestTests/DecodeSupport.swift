import Base
import Columnar
import Glibc
import Testing

@testable import Ingest

/// Short ways to decode and to look at the result.
enum Decode {
    static func decoder(_ schema: String, options: DecoderOptions = DecoderOptions()) throws -> RecordDecoder {
        RecordDecoder(schema: try ShortSchema.parse(schema), options: options)
    }

    static func lines(
        _ schema: String, _ body: String, options: DecoderOptions = DecoderOptions()
    ) throws -> DecodedBatch {
        try decoder(schema, options: options).decode(Array(body.utf8), format: .ndjson)
    }

    static func json(_ schema: String, _ body: String) throws -> DecodedBatch {
        try decoder(schema).decode(Array(body.utf8), format: .json)
    }

    /// The value of the only column `v` of one record, or the code of its rejection.
    static func value(_ type: String, _ literal: String) throws -> (value: Value?, code: String?) {
        let result = try lines("v \(type)", "{\"v\":\(literal)}")
        guard let rejection = result.rejections.first else { return (result.batch.columns[0].value(at: 0), nil) }
        #expect(result.batch.rowCount == 0 && result.rejectedCount == 1)
        return (nil, rejection.code)
    }
}

extension DecodedBatch {
    /// The rows as JSON objects.
    var rows: [String] {
        (0..<batch.rowCount).map { row in
            var text: [UInt8] = []
            batch.appendJSON(row: row, into: &text)
            return String(decoding: text, as: UTF8.self)
        }
    }
}

/// The folder of public test data, when there is one.
enum Corpora {
    static let root: String? = {
        if let given = getenv("FIRN_CORPORA") { return String(cString: given) }
        let package = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let beside = "/" + package + "/../shared/corpora"
        return access(beside, R_OK) == 0 ? beside : nil
    }()

    static func file(_ path: String) throws -> [UInt8] {
        try PosixFileSystem().readAll(try #require(root) + "/" + path)
    }
}
