import Base
import Columnar

/// A field of a Parquet schema, with the middle groups of lists and maps folded away and its levels worked out.
///
/// Levels: an entry of a leaf is present at this node when its definition level is at least `definition`; a list has
/// an element when it is at least `definition` + 1; an entry with repetition level r continues the r-th enclosing
/// list. Spec: https://parquet.apache.org/docs/file-format/nestedencoding/
struct SchemaNode: Sendable {
    let name: String
    /// As stored in the file, or a negative number given on reading when the file has none.
    let fieldId: Int
    let isOptional: Bool
    let definition: Int
    /// Lists and maps around this node.
    let repetition: Int
    let shape: Shape
    /// A group that the file calls a variant.
    var isVariant = false

    indirect enum Shape: Sendable {
        case leaf(SchemaLeaf)
        case structure([SchemaNode])
        case list(SchemaNode)
        case map(key: SchemaNode, value: SchemaNode)
    }

    /// Some leaf at or beneath this node; its levels tell the node's own nulls and lengths.
    var anyLeaf: SchemaLeaf? {
        switch shape {
        case .leaf(let leaf): leaf
        case .structure(let children): children.lazy.compactMap(\.anyLeaf).first
        case .list(let element): element.anyLeaf
        case .map(let key, _): key.anyLeaf
        }
    }

    /// All variants at or beneath this node.
    var variants: [SchemaNode] {
        switch shape {
        case .leaf: []
        case .structure(let children): isVariant ? [self] : children.flatMap(\.variants)
        case .list(let element): element.variants
        case .map(let key, let value): key.variants + value.variants
        }
    }

    /// All leaves beneath, in column order.
    var leaves: [SchemaLeaf] {
        switch shape {
        case .leaf(let leaf): [leaf]
        case .structure(let children): children.flatMap(\.leaves)
        case .list(let element): element.leaves
        case .map(let key, let value): key.leaves + value.leaves
        }
    }
}

/// A primitive column.
struct SchemaLeaf: Sendable {
    /// Index of its chunk in every row group.
    let column: Int
    let element: ParquetFooter.SchemaElement
    let fieldId: Int
    let path: [String]
    let definitionMax: Int
    let repetitionMax: Int

    var name: String { path.joined(separator: ".") }
}
