/// The stable names of all faults. Programs may rely on them; Docs/guides/verify.md lists them.
public enum FindingCode: String, Sendable, CaseIterable {
    // Table metadata
    case metadataUnreadable = "metadata_unreadable"
    case metadataInvalid = "metadata_invalid"
    case metadataMemberMissing = "metadata_member_missing"
    case snapshotMemberMissing = "snapshot_member_missing"
    case metadataNameUnknown = "metadata_name_unknown"
    case metadataLogFileMissing = "metadata_log_file_missing"
    case metadataLogWrong = "metadata_log_wrong"
    case snapshotLogWrong = "snapshot_log_wrong"
    case snapshotIdDuplicate = "snapshot_id_duplicate"
    case snapshotSequenceNumber = "snapshot_sequence_number"
    case snapshotParentCycle = "snapshot_parent_cycle"
    case snapshotSchemaUnknown = "snapshot_schema_unknown"
    case referenceUnknownSnapshot = "reference_unknown_snapshot"
    case currentSnapshotUnknown = "current_snapshot_unknown"
    case mainNotCurrent = "main_not_current"
    case lastColumnIdLow = "last_column_id_low"
    case lastPartitionIdLow = "last_partition_id_low"
    case fieldIdDuplicate = "field_id_duplicate"
    case currentSchemaUnknown = "current_schema_unknown"
    case defaultSpecUnknown = "default_spec_unknown"
    case defaultSortOrderUnknown = "default_sort_order_unknown"
    case specSourceUnknown = "spec_source_unknown"
    case summaryTotalsWrong = "summary_totals_wrong"
    case rowIdsWrong = "row_ids_wrong"
    case rowIdsOverlap = "row_ids_overlap"
    case statisticsFileMissing = "statistics_file_missing"
    case statisticsSizeWrong = "statistics_size_wrong"
    // Manifest lists and manifests
    case manifestListMissing = "manifest_list_missing"
    case manifestListUnreadable = "manifest_list_unreadable"
    case manifestMissing = "manifest_missing"
    case manifestUnreadable = "manifest_unreadable"
    case manifestTwice = "manifest_twice"
    case manifestLengthWrong = "manifest_length_wrong"
    case manifestCountsWrong = "manifest_counts_wrong"
    case manifestMinSequenceNumberWrong = "manifest_min_sequence_number_wrong"
    case manifestSequenceNumberWrong = "manifest_sequence_number_wrong"
    case manifestContentWrong = "manifest_content_wrong"
    case manifestSpecUnknown = "manifest_spec_unknown"
    case manifestRowDiffers = "manifest_row_differs"
    case partitionSummaryNarrow = "partition_summary_narrow"
    case avroFieldIdsMissing = "avro_field_ids_missing"
    case avroElementIdsMissing = "avro_element_ids_missing"
    case avroMapTypeMissing = "avro_map_type_missing"
    case avroUnionOrder = "avro_union_order"
    case avroCodecMissing = "avro_codec_missing"
    case avroCodecZstandard = "avro_codec_zstandard"
    case avroKeyValuesMissing = "avro_key_values_missing"
    case listFieldsMissing = "list_fields_missing"
    // Data files
    case duplicateFile = "duplicate_file"
    case entrySequenceNumberWrong = "entry_sequence_number_wrong"
    case dataFileMissing = "data_file_missing"
    case fileSizeWrong = "file_size_wrong"
    case fileUnreadable = "file_unreadable"
    case fileNotExamined = "file_not_examined"
    case recordCountWrong = "record_count_wrong"
    case splitOffsetsWrong = "split_offsets_wrong"
    case valueCountWrong = "value_count_wrong"
    case nullCountWrong = "null_count_wrong"
    case nanCountWrong = "nan_count_wrong"
    case boundMalformed = "bound_malformed"
    case boundNaN = "bound_nan"
    case boundsInverted = "bounds_inverted"
    case boundNarrow = "bound_narrow"
    case pageIndexUnreadable = "page_index_unreadable"
    case partitionValueWrong = "partition_value_wrong"
    case rowHashWrong = "row_hash_wrong"
    case fieldIdsMissing = "field_ids_missing"
    // Deletes
    case deleteFileMissing = "delete_file_missing"
    case danglingPositionDelete = "dangling_position_delete"
    case danglingDeletionVector = "dangling_deletion_vector"
    case danglingEqualityDelete = "dangling_equality_delete"
    case deletionVectorsConflict = "deletion_vectors_conflict"
    case deletionVectorReferenceMissing = "deletion_vector_reference_missing"
    case deletionVectorPlaceWrong = "deletion_vector_place_wrong"
    case equalityIdsMissing = "equality_ids_missing"
    // Catalog and folders
    case liveFileInLedger = "live_file_in_ledger"
    case orphanFile = "orphan_file"
    case orphanManifest = "orphan_manifest"

    /// What is to be known about a code.
    public struct Facts: Sendable {
        public let severity: Finding.Severity
        /// True when `firn doctor --repair` mends it in the current state of the table.
        public let isRepairable: Bool
        /// Which readers do what.
        public let readers: String
        /// What to do.
        public let next: String
    }

    public var facts: Facts {
        Self.metadataFacts[self] ?? Self.manifestFacts[self] ?? Self.fileFacts[self]
            ?? Self.deleteFacts[self]!
    }

    static let repairStep = "firn doctor --repair"
}
