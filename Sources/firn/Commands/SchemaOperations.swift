import ArgumentParser
import Base
import Columnar
import Iceberg

/// The commands that change columns one operation at a time. Widening and making optional, which streams do by
/// themselves as well, are in `SchemaCommand.swift`.
extension SchemaCommand {
    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a column.",
            discussion: """
                Examples:

                  firn schema add web.clicks device.model string --after os
                  firn schema add web.clicks region string --default eu --required

                A default fills the column in older rows, and in new ones that leave it out; it needs a table of format \
                version 3. Without one the column is optional, and null in older rows.
                """)
        @OptionGroup var target: SchemaTarget
        @Argument(help: "The new column's path.") var column: String
        @Argument(help: "Its type: long, decimal(9,2), 'list<struct<sku string, qty int>>' …") var type: String
        @Option(help: "A description of the column.") var doc: String?
        @Option(name: .customLong("default"), help: "The value of rows that lack the column.") var value: String?
        @Flag(help: "Forbid null; needs a default.") var required = false
        @OptionGroup var place: PositionOptions

        func run() throws {
            var members: [JSONValue.Member] = [
                .init("op", "add"), .init("column", .string(column)), .init("type", .string(type)),
            ]
            if let doc { members.append(.init("doc", .string(doc))) }
            if let value {
                members.append(.init("default", DefaultText.json(value, DataType(primitiveName: type))))
            }
            if required { members.append(.init("required", true)) }
            try target.change(.object(members + place.members))
        }
    }

    struct Drop: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a column away.",
            discussion: "Older snapshots still show it. A column of the same name added later is another column.")
        @OptionGroup var target: SchemaTarget
        @Argument(help: "The column's path.") var column: String

        func run() throws { try target.change(["op": "drop", "column": .string(column)]) }
    }

    struct Rename: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Give a column another name.")
        @OptionGroup var target: SchemaTarget
        @Argument(help: "The column's path.") var column: String
        @Argument(help: "Its new name, without the path.") var name: String

        func run() throws {
            try target.change(["op": "rename", "column": .string(column), "to": .string(name)])
        }
    }

    struct Move: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Put a column elsewhere among its siblings.")
        @OptionGroup var target: SchemaTarget
        @Argument(help: "The column's path.") var column: String
        @OptionGroup var place: PositionOptions

        func validate() throws {
            if place.members.isEmpty { throw ValidationError("say where: --first, --after or --before") }
        }

        func run() throws {
            try target.change(.object([.init("op", "move"), .init("column", .string(column))] + place.members))
        }
    }

    struct Required: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forbid null in a column.",
            discussion: "Rows that hold null already can then not be read by every engine: make sure there are none.")
        @OptionGroup var target: SchemaTarget
        @Argument(help: "The column's path.") var column: String
        @Flag(help: "Confirm that no row holds null.") var allowIncompatible = false

        func run() throws {
            try target.change([
                "op": "required", "column": .string(column), "allow-incompatible": .bool(allowIncompatible),
            ])
        }
    }

    struct Doc: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Describe a column.")
        @OptionGroup var target: SchemaTarget
        @Argument(help: "The column's path.") var column: String
        @Argument(help: "The description; without one it is removed.") var text: String?

        func run() throws {
            try target.change(["op": "doc", "column": .string(column), "doc": text.map { .string($0) } ?? .null])
        }
    }

    struct Default: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set what new rows hold that leave a column out.",
            discussion: "Rows written before keep what they have. Needs a table of format version 3.")
        @OptionGroup var target: SchemaTarget
        @Argument(help: "The column's path.") var column: String
        @Argument(help: "The value; without one the default is removed.") var value: String?

        func run() throws {
            var json = JSONValue.null
            if let value {
                let schema = try Schema(json: try target.view()["schema"] ?? .null, source: "schema")
                json = DefaultText.json(value, schema.field(path: column)?.type)
            }
            try target.change(["op": "default", "column": .string(column), "default": json])
        }
    }

    struct Identifier: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say which columns identify a row.",
            discussion: "They must be required, and not float or double. Nothing checks that they are unique.")
        @OptionGroup var target: SchemaTarget
        @Argument(help: "The columns' paths; none to let no column identify rows.") var columns: [String] = []

        func run() throws {
            try target.change(["op": "identifier", "columns": .array(columns.map { .string($0) })])
        }
    }
}

/// Where a column goes.
struct PositionOptions: ParsableArguments {
    @Flag(help: "Before all its siblings.") var first = false
    @Option(help: "Behind this sibling.") var after: String?
    @Option(help: "In front of this sibling.") var before: String?

    func validate() throws {
        if members.count > 1 { throw ValidationError("give one of --first, --after and --before") }
    }

    var members: [JSONValue.Member] {
        var members: [JSONValue.Member] = []
        if first { members.append(.init("first", true)) }
        if let after { members.append(.init("after", .string(after))) }
        if let before { members.append(.init("before", .string(before))) }
        return members
    }
}

/// Default values as people type them.
enum DefaultText {
    /// Numbers, booleans and nested values are JSON; everything else is text.
    static func json(_ text: String, _ type: DataType?) -> JSONValue {
        switch type {
        case .boolean, .int, .long, .float, .double, .structure, .list, .map, nil:
            (try? JSONValue(parsing: text, source: "default")) ?? .string(text)
        default: .string(text)
        }
    }
}
