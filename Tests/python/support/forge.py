"""Delete files as other engines write them, added to an Iceberg table without any Iceberg library's help."""

import json
import random
import time
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

POSITION_SCHEMA = pa.schema(
    [
        pa.field("file_path", pa.string(), nullable=False, metadata={"PARQUET:field_id": "2147483546"}),
        pa.field("pos", pa.int64(), nullable=False, metadata={"PARQUET:field_id": "2147483545"}),
    ]
)


def path_of(location: str) -> Path:
    return Path(location.removeprefix("file://"))


class Forge:
    """A table's metadata file, and new ones beside it with one more snapshot each."""

    def __init__(self, location: str):
        self.location = location
        self.metadata = json.loads(path_of(location).read_text())
        self.folder = path_of(location).parent
        self.number = int(path_of(location).name.split("-")[0])

    @property
    def snapshot(self) -> dict:
        current = self.metadata["current-snapshot-id"]
        return next(s for s in self.metadata["snapshots"] if s["snapshot-id"] == current)

    def manifests(self, content: int) -> list[tuple[dict, fastavro.reader, list[dict]]]:
        found = []
        with path_of(self.snapshot["manifest-list"]).open("rb") as file:
            listed = list(fastavro.reader(file))
        for manifest in listed:
            if manifest["content"] != content:
                continue
            with path_of(manifest["manifest_path"]).open("rb") as file:
                reader = fastavro.reader(file)
                found.append((manifest, reader, list(reader)))
        return found

    def data_files(self) -> list[dict]:
        return [entry["data_file"] for _, _, entries in self.manifests(0) for entry in entries]

    def position_file(self, rows: list[tuple[str, int]], name: str, **entry) -> dict:
        table = pa.table([[r[0] for r in rows], [r[1] for r in rows]], schema=POSITION_SCHEMA)
        return self._file(table, name, content=1, **entry)

    def equality_file(self, table: pa.Table, ids: list[int], name: str, **entry) -> dict:
        return self._file(table, name, content=2, equality_ids=ids, **entry)

    def _file(self, table: pa.Table, name: str, **entry) -> dict:
        path = self.folder.parent / "data" / name
        path.parent.mkdir(exist_ok=True)
        pq.write_table(table, path, row_group_size=50)
        return {
            "file_path": f"file://{path}", "file_format": "PARQUET", "partition": {}, "record_count": table.num_rows,
            "file_size_in_bytes": path.stat().st_size, **entry,
        }  # fmt: skip

    def commit(self, deletes: list[dict]) -> "Forge":
        """A snapshot with these delete files more; answers the table at its new metadata file."""
        template, reader, _ = self.manifests(0)[0]
        snapshot_id = random.getrandbits(62)
        sequence = self.metadata["last-sequence-number"] + 1
        schema = json.loads(reader.metadata["avro.schema"])
        header = {k: v for k, v in reader.metadata.items() if not k.startswith("avro.")} | {"content": "deletes"}
        manifest_path = self.folder / f"forged-{snapshot_id}-m0.avro"
        entries = [{"status": 1, "snapshot_id": snapshot_id, "data_file": file} for file in deletes]
        with manifest_path.open("wb") as file:
            fastavro.writer(file, schema, entries, codec="deflate", metadata=header)

        with path_of(self.snapshot["manifest-list"]).open("rb") as file:
            old = fastavro.reader(file)
            listed = list(old)
        rows = sum(d["record_count"] for d in deletes)
        listed.append(
            template
            | {
                "manifest_path": f"file://{manifest_path}", "manifest_length": manifest_path.stat().st_size,
                "content": 1, "sequence_number": sequence, "min_sequence_number": sequence,
                "added_snapshot_id": snapshot_id, "added_files_count": len(deletes), "existing_files_count": 0,
                "deleted_files_count": 0, "added_rows_count": rows, "existing_rows_count": 0,
                "deleted_rows_count": 0, "partitions": None,
            }  # fmt: skip
        )
        list_path = self.folder / f"snap-{snapshot_id}-0-forged.avro"
        with list_path.open("wb") as file:
            header = {k: v for k, v in old.metadata.items() if not k.startswith("avro.")}
            fastavro.writer(file, json.loads(old.metadata["avro.schema"]), listed, codec="deflate", metadata=header)
        return self._swap(snapshot_id, sequence, list_path)

    def _swap(self, snapshot_id: int, sequence: int, list_path: Path) -> "Forge":
        metadata = json.loads(json.dumps(self.metadata))
        now = max(int(time.time() * 1000), metadata["last-updated-ms"] + 1)
        metadata["snapshots"].append(
            {
                "snapshot-id": snapshot_id, "parent-snapshot-id": self.snapshot["snapshot-id"],
                "sequence-number": sequence, "timestamp-ms": now, "manifest-list": f"file://{list_path}",
                "summary": {"operation": "delete"}, "schema-id": metadata["current-schema-id"],
            }  # fmt: skip
        )
        metadata["current-snapshot-id"] = snapshot_id
        metadata["last-sequence-number"] = sequence
        metadata["last-updated-ms"] = now
        metadata["refs"]["main"]["snapshot-id"] = snapshot_id
        metadata["snapshot-log"].append({"snapshot-id": snapshot_id, "timestamp-ms": now})
        path = self.folder / f"{self.number + 1:05d}-{random.getrandbits(64):016x}.metadata.json"
        path.write_text(json.dumps(metadata))
        return Forge(f"file://{path}")
