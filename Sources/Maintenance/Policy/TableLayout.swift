import Base
import Columnar
import Iceberg

/// How a table's metadata wants its rows laid out: what large merges work towards.
public struct TableLayout: Hashable, Sendable {
    public let specId: Int
    public let sortOrder: SortOrder
    public let schema: Schema
    let specs: [Int: PartitionSpec]

    public init(_ metadata: TableMetadata) {
        specId = metadata.defaultSpecId
        sortOrder = metadata.defaultSortOrder
        schema = metadata.currentSchema
        specs = Dictionary(metadata.partitionSpecs.map { ($0.specId, $0) }, uniquingKeysWith: { a, _ in a })
    }

    public init(
        specId: Int = 0, sortOrder: SortOrder = .unsorted, schema: Schema = Schema(fields: []),
        specs: [PartitionSpec] = []
    ) {
        self.specId = specId
        self.sortOrder = sortOrder
        self.schema = schema
        self.specs = Dictionary(specs.map { ($0.specId, $0) }, uniquingKeysWith: { a, _ in a })
    }

    public func spec(_ id: Int) -> PartitionSpec? { specs[id] }

    /// The folders of a place; empty for an unpartitioned one.
    public func path(_ place: CompactionPlace) -> String {
        guard let spec = specs[place.specId], spec.fields.count == place.partition.count, !place.partition.isEmpty
        else { return "" }
        return spec.path(place.partition)
    }

    /// The strategy that carries a layout out.
    ///
    /// Throws `.invalidInput` (`no_sort_order`, `bad_zorder_column`) where the table lacks what the layout needs.
    public func strategy(_ layout: CompactionOptions.Layout) throws(FirnError) -> CompactionStrategy {
        switch layout {
        case .automatic: return sortOrder.isUnsorted ? .binPack : .sort(sortOrder)
        case .binPack: return .binPack
        case .sort:
            guard !sortOrder.isUnsorted else {
                throw FirnError(
                    .invalidInput, "no_sort_order",
                    "the table has no sort order to sort by; set one with firn table sort")
            }
            return .sort(sortOrder)
        case .zOrder(let names):
            var ids: [Int] = []
            for name in names { ids.append(try zOrderColumn(name, ids)) }
            guard !ids.isEmpty else { throw Self.bad("z-order needs the names of columns") }
            return .zOrder(fieldIds: ids)
        }
    }

    private func zOrderColumn(_ name: String, _ before: [Int]) throws(FirnError) -> Int {
        guard let field = schema.field(path: name) else { throw Self.bad("there is no column '\(name)'") }
        guard field.type.isPrimitive, schema.chain(to: field.id) != nil else {
            throw Self.bad("'\(name)' is no single value to order by")
        }
        guard !before.contains(field.id) else { throw Self.bad("'\(name)' is named twice") }
        return field.id
    }

    private static func bad(_ message: String) -> FirnError { FirnError(.invalidInput, "bad_zorder_column", message) }

    /// As `strategy`, for a property: what cannot be carried out counts as absent.
    func strategy(ofProperty layout: CompactionOptions.Layout) -> CompactionStrategy {
        (try? strategy(layout)) ?? (sortOrder.isUnsorted ? .binPack : .sort(sortOrder))
    }
}
