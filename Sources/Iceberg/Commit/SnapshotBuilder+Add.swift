import Base
import Columnar

/// Manifests of added files: one or more for each content and partition spec, each below the target size.
extension SnapshotBuilder {
    /// - Parameter dataSequenceNumber: of the files; nil gives them the commit's.
    ///
    /// Throws `.invalidInput` (`bad_data_file`, `duplicate_data_file`, `unknown_partition_spec`).
    mutating func addedManifests(
        _ files: [DataFile], dataSequenceNumber: Int64? = nil
    ) throws(FirnError) -> [ManifestFile] {
        var paths: Set<String> = []
        for file in files {
            guard file.content == .data, file.partition.count == base.spec(id: file.specId)?.fields.count ?? -1,
                file.recordCount >= 0
            else {
                throw FirnError(
                    .invalidInput, "bad_data_file", "the file is no data file of partition spec \(file.specId)",
                    context: ["file": file.path])
            }
            guard paths.insert(file.path).inserted else {
                throw FirnError(
                    .invalidInput, "duplicate_data_file", "the file is added twice", context: ["file": file.path])
            }
        }
        return try added(files, .data, dataSequenceNumber)
    }

    /// Throws `.invalidInput` (`bad_delete_file`, `duplicate_delete_file`): version 2 takes position and equality
    /// delete files, version 3 deletion vectors and equality delete files, at most one vector a data file.
    mutating func addedDeleteManifests(_ files: [DataFile]) throws(FirnError) -> [ManifestFile] {
        var keys: Set<DeleteFileKey> = []
        var targets: Set<String> = []
        for file in files {
            if let fault = deleteFault(file) {
                throw FirnError(.invalidInput, "bad_delete_file", fault, context: ["file": file.path])
            }
            guard keys.insert(file.deleteKey).inserted else {
                throw FirnError(
                    .invalidInput, "duplicate_delete_file", "the file is added twice", context: ["file": file.path])
            }
            if file.isDeletionVector, let target = file.referencedDataFile, !targets.insert(target).inserted {
                throw FirnError(
                    .invalidInput, "duplicate_delete_file", "a data file gets two deletion vectors",
                    context: ["file": target])
            }
        }
        return try added(files, .deletes, nil)
    }

    private func deleteFault(_ file: DataFile) -> String? {
        guard file.partition.count == base.spec(id: file.specId)?.fields.count ?? -1, file.recordCount >= 0 else {
            return "the file is no delete file of partition spec \(file.specId)"
        }
        switch file.content {
        case .data: return "a data file is no delete file"
        case .equalityDeletes: return (file.equalityIds ?? []).isEmpty ? "equality deletes need equality ids" : nil
        case .positionDeletes:
            guard base.formatVersion >= 3 else {
                return file.isDeletionVector ? "deletion vectors need a table of format version 3" : nil
            }
            guard file.isDeletionVector else {
                return "a version \(base.formatVersion) table takes deletion vectors, no position delete files"
            }
            let isWhole = file.referencedDataFile != nil && file.contentOffset != nil && file.contentBytes != nil
            return isWhole ? nil : "a deletion vector needs its data file, offset and size"
        }
    }

    private mutating func added(
        _ files: [DataFile], _ content: ManifestFile.Content, _ dataSequenceNumber: Int64?
    ) throws(FirnError) -> [ManifestFile] {
        var manifests: [ManifestFile] = []
        let bytesTarget = base.tableProperties.manifestBytesTarget
        for specId in Set(files.map(\.specId)).sorted() {
            let spec = try spec(specId)
            var writer = writer(spec, content)
            for file in files where file.specId == specId {
                if writer.byteCount >= bytesTarget, writer.entryCount > 0 {
                    manifests.append(try finish(&writer))
                    writer = self.writer(spec, content)
                }
                try writer.append(
                    ManifestEntry(
                        status: .added, snapshotId: context.snapshotId, sequenceNumber: dataSequenceNumber,
                        fileSequenceNumber: nil, dataFile: file))
                summary.add(file, spec: spec)
            }
            manifests.append(try finish(&writer))
        }
        return manifests
    }
}
