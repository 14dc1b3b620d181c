import Base
import Catalog
import Columnar
import Iceberg

/// The part of a rewrite that brings the rows of a group into an order.
///
/// 1. A group is sorted when its plan says so, when the table has a sort order, and when the rows go to another
///    partition spec than that of the inputs. Then they are brought together by the new partitions first, so that one
///    file is open at a time, whatever the number of partitions.
/// 2. For a Z order, the curve is laid through a sample of the inputs' rows, of which only the curve's columns are
///    read.
/// 3. Rows pass through an `ExternalSorter`, with all their columns: those of format version 3 keep their row ids.
/// 4. The outputs name the order when the table knows it. A Z order has no name in Iceberg: they say that they are
///    unsorted.
struct SortedRewrite {
    let order: RowOrder
    /// What the outputs say; 0 for an order that the table does not know.
    let sortOrderId: Int

    /// For rows that wait or are merged. With the row group of the writer, the batch of the reader and the process
    /// itself a sorted rewrite stays below 512 MiB.
    static let memoryBytesMax = 224 << 20

    /// The rows of a partition stand together, so its file is finished when the next one begins.
    static let limits = DataFileWriter.Limits(openFilesMax: 1)

    /// Nil when the rows are to be written as they come.
    ///
    /// - Parameters:
    ///   - schema: of the rows.
    ///   - forEachBatch: reads these columns of all inputs.
    init?(
        _ plan: CompactionPlan, metadata: TableMetadata, schema: Schema,
        forEachBatch: (Schema, (RecordBatch) throws -> Void) throws -> Void
    ) throws {
        let spec = plan.outputSpecId == plan.specId ? nil : metadata.spec(id: plan.outputSpecId)
        let wanted: SortOrder
        switch plan.strategy {
        case .binPack: wanted = metadata.defaultSortOrder
        case .sort(let order): wanted = order
        case .zOrder(let fieldIds):
            var sample = try ZOrderCurve.Sample(fieldIds: fieldIds, schema: schema)
            let columns = schema.fields.filter { field in
                fieldIds.contains { schema.chain(to: $0)?.first?.id == field.id }
            }
            try forEachBatch(Schema(schemaId: schema.schemaId, fields: columns)) { sample.add($0) }
            guard let order = RowOrder(sample.curve(), spec: spec, schema: schema) else { return nil }
            self.order = order
            sortOrderId = SortOrder.unsorted.orderId
            return
        }
        let isKnown = metadata.sortOrders.contains(wanted)
        if let order = RowOrder(wanted, spec: spec, schema: schema) {
            self.order = order
            sortOrderId = isKnown ? wanted.orderId : SortOrder.unsorted.orderId
        } else if let order = RowOrder(.unsorted, spec: spec, schema: schema) {
            // The table's order cannot be established; rows still go together by partition.
            self.order = order
            sortOrderId = SortOrder.unsorted.orderId
        } else {
            return nil
        }
    }

    func sorter(_ schema: Schema, _ warehouse: Warehouse) -> ExternalSorter {
        ExternalSorter(
            order: order, schema: schema, memoryBytesMax: Self.memoryBytesMax,
            spill: FolderSpillSpace(folder: warehouse.directory))
    }
}
