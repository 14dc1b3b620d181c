import Base

/// Recursive descent over the short form; see `ShortSchema` for the grammar.
struct ShortSchemaParser {
    private var lexer: ShortSchemaLexer
    private var token: ShortSchemaLexer.Token
    private let code: String

    init(_ text: String, code: String) {
        self.code = code
        lexer = ShortSchemaLexer(text)
        token = lexer.next()
    }

    static let typeNames = [
        "boolean", "int", "long", "float", "double", "decimal(P, S)", "date", "time", "timestamp", "timestamptz",
        "timestamp_ns", "timestamptz_ns", "string", "uuid", "fixed(N)", "binary", "struct<…>", "list<…>", "map<…, …>",
        "variant", "unknown",
    ]
    /// What other systems call the same.
    private static let aliases = [
        "bool": "boolean", "integer": "int", "int4": "int", "smallint": "int", "tinyint": "int", "bigint": "long",
        "int8": "long", "real": "float", "float4": "float", "float8": "double", "numeric": "decimal(P, S)",
        "datetime": "timestamp", "timestamp_ntz": "timestamp", "timestamp_ltz": "timestamptz", "text": "string",
        "varchar": "string", "char": "string", "bytes": "binary", "bytea": "binary", "blob": "binary",
        "array": "list<…>", "object": "struct<…>", "row": "struct<…>", "json": "string",
    ]
    /// Partition transforms and whether each takes a number.
    private static let transforms = [
        "identity": false, "bucket": true, "truncate": true, "year": false, "month": false, "day": false,
        "hour": false, "void": false, "years": false, "months": false, "days": false, "hours": false,
    ]

    // MARK: - Tokens

    var isAtEnd: Bool { token.kind == .end }

    func error(_ message: String) -> FirnError {
        FirnError(
            .invalidInput, code, "\(message), at position \(token.position + 1) of '\(lexer.text)'.",
            context: ["position": String(token.position + 1)])
    }

    private mutating func advance() { token = lexer.next() }

    /// Takes the word when it stands here, unquoted, in either case.
    mutating func take(keyword: String) -> Bool {
        guard token.kind == .word, token.text.lowercased() == keyword else { return false }
        advance()
        return true
    }

    private mutating func take(_ symbol: String) -> Bool {
        guard token.kind == .symbol, token.text == symbol else { return false }
        advance()
        return true
    }

    mutating func expect(_ symbol: String, after what: String) throws(FirnError) {
        guard take(symbol) else { throw error("expected '\(symbol)' after \(what), found \(token.shown)") }
    }

    func expectEnd() throws(FirnError) {
        guard isAtEnd else { throw error("expected ',' or the end, found \(token.shown)") }
    }

    func expectMore(_ what: String) throws(FirnError) {
        guard !isAtEnd else { throw error("expected \(what) behind the comma") }
    }

    mutating func name(_ what: String) throws(FirnError) -> String {
        guard token.kind == .word || token.kind == .quoted || token.kind == .number else {
            throw error("expected \(what), found \(token.shown)")
        }
        let name = token.text
        guard !name.isEmpty, name.utf8.count <= Limits.nameBytesMax else {
            throw error("\(what) must have 1 to \(Limits.nameBytesMax) bytes")
        }
        advance()
        return name
    }

    private mutating func number(_ what: String, in range: ClosedRange<Int>) throws(FirnError) -> Int {
        guard token.kind == .number, let value = Int(token.text), range.contains(value) else {
            throw error(
                "expected \(what) from \(range.lowerBound) to \(range.upperBound), found \(token.shown)")
        }
        advance()
        return value
    }

    // MARK: - Columns and types

    mutating func columns(depth: Int) throws(FirnError) -> [Field] {
        var fields: [Field] = []
        var names: Set<[UInt8]> = []
        repeat {
            let start = token
            let name = try name("a column name")
            guard names.insert(Array(name.utf8)).inserted else {
                token = start
                throw error("the column '\(name)' is named twice")
            }
            _ = take(":")
            let type = try type(of: name, depth: depth)
            fields.append(try modifiers(of: Field(id: 0, name: name, required: false, type: type)))
        } while take(",")
        return fields
    }

    /// What may follow a column's type, in any order.
    private mutating func modifiers(of column: Field) throws(FirnError) -> Field {
        var field = column
        var hasDefault = false
        var hasRequired = false
        while true {
            if take(keyword: "doc") || take(keyword: "comment") {
                guard token.kind == .text else { throw error("expected text in single quotes, found \(token.shown)") }
                field.doc = token.text
                advance()
            } else if !hasDefault, take(keyword: "default") {
                hasDefault = true
                let value = try literal(field)
                field.initialDefault = value
                field.writeDefault = value
            } else {
                let start = token.position
                guard !hasRequired else { return field }
                let required = try required()
                if token.position == start { return field }
                field.required = required
                hasRequired = true
            }
        }
    }

    /// A default value; nil for null.
    private mutating func literal(_ column: Field) throws(FirnError) -> Value? {
        let start = token
        func bad() -> FirnError { error("the default of '\(column.name)' is no value of type \(column.type)") }
        if take(keyword: "null") { return nil }
        if take("{") {
            try expect("}", after: "'{': the fields of a struct have their own defaults;")
            guard case .structure = column.type else { throw error("{} is a default of structs only") }
            return .structure([])
        }
        var text = token.text
        if token.kind == .text {
            advance()
        } else {
            // A number of several tokens: -1.5e+3.
            guard token.kind == .word || token.kind == .number || token.text == "." || token.text == "+" else {
                throw error("expected a default value, found \(token.shown)")
            }
            var end = token.position + token.text.count
            advance()
            while token.position == end, token.kind == .word || token.kind == .number || token.kind == .symbol,
                token.kind != .symbol || token.text == "." || token.text == "+"
            {
                text += token.text
                end += token.text.count
                advance()
            }
        }
        guard text.utf8.count <= Limits.defaultBytesMax, let value = try? Value(parsing: text, as: column.type),
            start.kind == .text || column.type != .string, !value.isNotFinite
        else {
            token = start
            throw bad()
        }
        return value
    }

    private mutating func required() throws(FirnError) -> Bool {
        if take(keyword: "required") { return true }
        if take(keyword: "optional") || take(keyword: "null") { return false }
        guard take(keyword: "not") else { return false }
        guard take(keyword: "null") else { throw error("expected 'null' behind 'not', found \(token.shown)") }
        return true
    }

    private mutating func type(of column: String, depth: Int) throws(FirnError) -> DataType {
        guard depth < Limits.nestingDepthMax else { throw error("the schema nests too deep") }
        guard token.kind == .word else {
            throw error("expected a type for '\(column)', found \(token.shown); \(Self.knownTypes)")
        }
        let start = token
        let name = token.text.lowercased()
        advance()
        switch name {
        case "decimal": return try decimal()
        case "fixed": return try fixed()
        case "struct":
            try expect("<", after: "'struct'")
            let fields = try columns(depth: depth + 1)
            try expect(">", after: "the fields of '\(column)'")
            return .structure(StructType(fields: fields))
        case "list":
            try expect("<", after: "'list'")
            let element = try type(of: column, depth: depth + 1)
            let required = try required()
            try expect(">", after: "the element type of '\(column)'")
            return .list(ListType(elementId: 0, element: element, elementRequired: required))
        case "map":
            try expect("<", after: "'map'")
            let key = try type(of: column, depth: depth + 1)
            _ = try self.required()
            try expect(",", after: "the key type of '\(column)'")
            let value = try type(of: column, depth: depth + 1)
            let required = try required()
            try expect(">", after: "the value type of '\(column)'")
            return .map(MapType(keyId: 0, key: key, valueId: 0, value: value, valueRequired: required))
        default:
            if let type = Self.primitives[name] { return type }
            token = start
            let hint = Self.aliases[name].map { "did you mean \($0)? " } ?? ""
            throw error("unknown type '\(start.text)' for '\(column)'; \(hint)\(Self.knownTypes)")
        }
    }

    private mutating func decimal() throws(FirnError) -> DataType {
        try expect("(", after: "'decimal'")
        let precision = try number("a precision", in: 1...38)
        try expect(",", after: "the precision")
        let scale = try number("a scale", in: 0...precision)
        try expect(")", after: "the scale")
        return .decimal(precision: precision, scale: scale)
    }

    /// `fixed(16)`, or `fixed[16]` as Iceberg's JSON writes it.
    private mutating func fixed() throws(FirnError) -> DataType {
        let brackets = take("[")
        if !brackets { try expect("(", after: "'fixed'") }
        let width = try number("a length", in: 1...(1 << 20))
        try expect(brackets ? "]" : ")", after: "the length")
        return .fixed(width)
    }

    private static let primitives: [String: DataType] = [
        "boolean": .boolean, "int": .int, "long": .long, "float": .float, "double": .double, "date": .date,
        "time": .time, "timestamp": .timestamp, "timestamptz": .timestamptz,
        "timestamp_ns": .timestampNs, "timestamptz_ns": .timestamptzNs, "string": .string, "uuid": .uuid,
        "binary": .binary, "variant": .variant, "unknown": .unknown,
    ]

    private static var knownTypes: String { "known types: " + typeNames.joined(separator: ", ") }

    // MARK: - Terms

    /// A column, or a transform of one.
    mutating func term() throws(FirnError) -> (transform: String, argument: Int?, column: String) {
        let start = token
        let first = try path()
        guard take("(") else { return ("identity", nil, first) }
        guard start.kind == .word, let takesNumber = Self.transforms[first.lowercased()] else {
            token = start
            throw error(
                "unknown transform '\(first)'; known: identity, bucket(n, …), truncate(w, …), year, month, day, "
                    + "hour, void")
        }
        let lowered = first.lowercased()
        // Spark writes days(ts), Iceberg day.
        let transform = takesNumber || !lowered.hasSuffix("s") ? lowered : String(lowered.dropLast())
        guard takesNumber else {
            let column = try path()
            try expect(")", after: "the column of \(transform)")
            return (transform, nil, column)
        }
        let bounds = 1...Int(Int32.max)
        let what = "the number of \(transform)(n, column)"
        if token.kind == .number {
            let argument = try number(what, in: bounds)
            try expect(",", after: what)
            let column = try path()
            try expect(")", after: "the column of \(transform)")
            return (transform, argument, column)
        }
        let column = try path()
        try expect(",", after: "the column of \(transform), which needs a number")
        let argument = try number(what, in: bounds)
        try expect(")", after: what)
        return (transform, argument, column)
    }

    private mutating func path() throws(FirnError) -> String {
        var path = try name("a column name")
        while take(".") { path += try "." + name("a column name") }
        return path
    }
}

extension Value {
    /// NaN and infinities have no JSON form, so they cannot be defaults.
    fileprivate var isNotFinite: Bool {
        switch self {
        case .float(let value): !value.isFinite
        case .double(let value): !value.isFinite
        default: false
        }
    }
}
