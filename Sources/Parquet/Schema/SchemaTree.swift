import Base

/// Builds the tree of `SchemaNode`s from the depth-first list of a footer.
///
/// Lists and maps are recognised in the standard three-level form and in the older two-level forms, by the backward
/// compatibility rules of https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#nested-types
struct SchemaTree {
    let elements: [ParquetFooter.SchemaElement]
    let source: String
    private var next = 1
    private var leafCount = 0
    private var idlessCount = 0

    private struct Scope {
        var path: [String] = []
        var definition = 0
        var repetition = 0
        var depth = 0
    }

    /// The top-level fields. Throws `.corrupted` when the list is not one whole tree.
    static func build(_ elements: [ParquetFooter.SchemaElement], source: String) throws(FirnError) -> [SchemaNode] {
        var tree = SchemaTree(elements: elements, source: source)
        guard let root = elements.first, let count = root.childCount else {
            throw tree.corrupted("the schema has no root group")
        }
        let fields = try tree.nodes(count, Scope())
        guard tree.next == elements.count else { throw tree.corrupted("schema elements follow the end of the tree") }
        return fields
    }

    private init(elements: [ParquetFooter.SchemaElement], source: String) {
        self.elements = elements
        self.source = source
    }

    private func corrupted(_ message: String) -> FirnError {
        FirnError(.corrupted, "malformed_parquet", message, context: ["file": source])
    }

    private mutating func take(_ depth: Int) throws(FirnError) -> ParquetFooter.SchemaElement {
        guard next < elements.count else { throw corrupted("the schema tree ends early") }
        guard depth < ParquetLimits.depthMax * 2 else { throw corrupted("the schema is nested too deeply") }
        next += 1
        return elements[next - 1]
    }

    private mutating func nodes(_ count: Int, _ scope: Scope) throws(FirnError) -> [SchemaNode] {
        guard count <= elements.count - next else { throw corrupted("a schema group claims \(count) children") }
        var nodes: [SchemaNode] = []
        for _ in 0..<count {
            let node = try node(scope)
            // A group without columns beneath stores nothing, not even whether it is null.
            if node.anyLeaf != nil { nodes.append(node) }
        }
        return nodes
    }

    private mutating func id(_ element: ParquetFooter.SchemaElement) -> Int {
        if let id = element.fieldId { return id }
        idlessCount += 1
        return -idlessCount
    }

    /// One field and all beneath it. A repeated field outside a LIST or MAP is a required list of required elements.
    private mutating func node(_ outer: Scope) throws(FirnError) -> SchemaNode {
        let element = try take(outer.depth)
        guard let repetition = element.repetition else {
            throw corrupted("field \"\(element.name)\" has no repetition")
        }
        var scope = outer
        scope.path.append(element.name)
        scope.depth += 1
        if repetition == .repeated {
            let listId = id(element)
            scope.definition += 1
            scope.repetition += 1
            let inner = try contents(element, isOptional: false, id: listId, scope)
            return SchemaNode(
                name: element.name, fieldId: listId, isOptional: false, definition: outer.definition,
                repetition: outer.repetition, shape: .list(inner))
        }
        if repetition == .optional { scope.definition += 1 }
        return try contents(element, isOptional: repetition == .optional, id: id(element), scope)
    }

    /// The node of an element already taken; `scope` holds the levels at which it is present.
    private mutating func contents(
        _ element: ParquetFooter.SchemaElement, isOptional: Bool, id: Int, _ scope: Scope
    ) throws(FirnError) -> SchemaNode {
        guard scope.definition <= ParquetLimits.levelMax, scope.repetition <= ParquetLimits.levelMax else {
            throw corrupted("the schema is nested too deeply")
        }
        let shape: SchemaNode.Shape
        if let count = element.childCount {
            switch element.annotation {
            case .list where count == 1: shape = .list(try listElement(scope))
            case .map where count == 1: shape = try mapEntries(scope)
            default: shape = .structure(try nodes(count, scope))
            }
        } else {
            shape = .leaf(
                SchemaLeaf(
                    column: leafCount, element: element, fieldId: id, path: scope.path,
                    definitionMax: scope.definition, repetitionMax: scope.repetition))
            leafCount += 1
        }
        var isVariant = false
        if case .variant = element.logicalType, case .structure = shape { isVariant = true }
        return SchemaNode(
            name: element.name, fieldId: id, isOptional: isOptional, definition: scope.definition,
            repetition: scope.repetition, shape: shape, isVariant: isVariant)
    }

    private mutating func listElement(_ outer: Scope) throws(FirnError) -> SchemaNode {
        guard next < elements.count, elements[next].repetition == .repeated else {
            throw corrupted("list \"\(outer.path.last ?? "")\" has no repeated member")
        }
        let listName = outer.path.last ?? ""
        let middle = try take(outer.depth)
        var scope = outer
        scope.path.append(middle.name)
        scope.definition += 1
        scope.repetition += 1
        scope.depth += 1
        // The repeated member is itself the element when it is a leaf, has several members or a repeated one, or has
        // an old name.
        let isElement =
            middle.childCount != 1 || next < elements.count && elements[next].repetition == .repeated
            || middle.name == "array" || middle.name == listName + "_tuple"
            || middle.annotation == .list || middle.annotation == .map
        if isElement { return try contents(middle, isOptional: false, id: id(middle), scope) }
        return try node(scope)
    }

    private mutating func mapEntries(_ outer: Scope) throws(FirnError) -> SchemaNode.Shape {
        guard next < elements.count, elements[next].repetition == .repeated,
            elements[next].childCount == 2 || elements[next].childCount == 1
        else { throw corrupted("map \"\(outer.path.last ?? "")\" has no repeated group of key and value") }
        let middle = try take(outer.depth)
        var scope = outer
        scope.path.append(middle.name)
        scope.definition += 1
        scope.repetition += 1
        scope.depth += 1
        // A map without values is the list of its keys.
        if middle.childCount == 1 { return .list(try node(scope)) }
        return .map(key: try node(scope), value: try node(scope))
    }
}

extension ParquetFooter.SchemaElement {
    enum GroupAnnotation {
        case list, map
    }

    /// What the group stands for, from the logical or the older converted type.
    var annotation: GroupAnnotation? {
        switch logicalType {
        case .list: .list
        case .map: .map
        case nil:
            switch convertedType {
            case 3: .list
            case 1, 2: .map
            default: nil
            }
        default: nil
        }
    }
}
