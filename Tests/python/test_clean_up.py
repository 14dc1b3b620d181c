"""Expiry, manifests, dangling deletes, orphans: what keeps a table clean, beside readers that hold old snapshots."""

import json
import os
import threading
import time

import pyarrow as pa
import pytest

from support.cli import firn
from support.litter import assert_no_litter, files_on_disk
from support.readers import duckdb_connection, metadata_location, sql_catalog

TABLE = "c.t"


@pytest.fixture
def table(warehouse):
    firn("table", "create", TABLE, "id long required, day int, v double", "--partition", "day",
         "--property", "history.expire.max-snapshot-age-ms=3600000", warehouse=warehouse).ok()  # fmt: skip
    return warehouse


def append(warehouse, first: int, count: int = 20) -> int:
    lines = "".join(json.dumps({"id": n, "day": n % 4, "v": n / 2}) + "\n" for n in range(first, first + count))
    firn("ingest", TABLE, "-", stdin=lines, warehouse=warehouse).ok()
    return sql_catalog(warehouse).load_table(TABLE).current_snapshot().snapshot_id


def age(path: str, days: float) -> None:
    then = time.time() - days * 86_400
    os.utime(path, (then, then))


def test_a_dry_run_says_what_the_expiry_does(table):
    for number in range(8):
        append(table, number * 20)
    order = ("expire", TABLE, "--older-than", "0s", "--retain-last", 2)
    shown = json.loads(firn(*order, "--dry-run", "--output", "json", warehouse=table).ok().stdout)
    before = files_on_disk(table)
    loaded = sql_catalog(table).load_table(TABLE)
    assert len(loaded.snapshots()) == 8 and shown["snapshots-left"] == 2
    assert shown["snapshots"] == [snapshot.snapshot_id for snapshot in loaded.snapshots()][:6]
    done = json.loads(firn(*order, "--output", "json", warehouse=table).ok().stdout)
    assert done["snapshots-expired"] == 6 and done["snapshots-left"] == 2
    gone = before - files_on_disk(table)
    # A metadata file is written for the commit, none falls off the log.
    assert len(gone) == shown["files"] == done["files-deleted"]
    assert_no_litter(table)


def test_expiry_of_one_branch(table):
    append(table, 0)
    append(table, 20)
    firn("branch", "create", TABLE, "audit", warehouse=table).ok()
    append(table, 40)
    append(table, 60)
    done = firn("expire", TABLE, "--older-than", "0s", "--retain-last", 1, "--ref", "audit", "--output", "json",
                warehouse=table).ok()  # fmt: skip
    assert json.loads(done.stdout)["snapshots-expired"] == 1
    assert "nothing-such" in firn("expire", TABLE, "--ref", "nothing-such", warehouse=table).failed()
    assert sql_catalog(table).load_table(TABLE).scan().to_arrow().num_rows == 80


def test_manifests_are_rewritten_and_read_by_others(table):
    firn("table", "alter", TABLE, "--set", "commit.manifest-merge.enabled=false", warehouse=table).ok()
    for number in range(6):
        append(table, number * 20)
    before = sql_catalog(table).load_table(TABLE)
    files = {task.file.file_path for task in before.scan().plan_files()}
    assert len(before.current_snapshot().manifests(before.io)) == 6
    explained = firn("manifests", "rewrite", TABLE, "--explain", warehouse=table).ok().stdout
    assert explained.startswith("6 data manifests of spec 0")
    report = json.loads(firn("manifests", "rewrite", TABLE, "--output", "json", warehouse=table).ok().stdout)
    assert report["table-manifests-before"] == 6 and report["table-manifests-after"] == 1
    assert report["entries"] == len(files) == 24
    assert firn("manifests", "rewrite", TABLE, "--explain", warehouse=table).ok().stdout == "nothing to do\n"
    after = sql_catalog(table).load_table(TABLE)
    assert {task.file.file_path for task in after.scan().plan_files()} == files
    assert after.current_snapshot().summary.operation.value == "replace"
    entries = after.current_snapshot().manifests(after.io)[0].fetch_manifest_entry(after.io)
    days = [entry.data_file.partition[0] for entry in entries]
    assert days == sorted(days)
    listed = firn("manifests", "list", TABLE, warehouse=table).rows()
    assert [row["files"] for row in listed] == [24]
    firn("verify", TABLE, "--data", warehouse=table).ok()
    with duckdb_connection() as connection:
        query = f"SELECT count(*), sum(id) FROM iceberg_scan('{metadata_location(table, TABLE)}')"
        assert connection.execute(query).fetchone() == (120, sum(range(120)))


def test_orphans_are_shown_and_deleted_on_request(table):
    append(table, 0)
    folder = table / "c" / "t"
    nested = folder / "inner" / "metadata"
    nested.mkdir(parents=True)
    for path, days in (("data/old.parquet", 4), ("data/young.parquet", 1), ("metadata/old-m0.avro", 4),
                       ("inner/metadata/v1.metadata.json", 4), ("inner/data.parquet", 4), ("data/_SUCCESS", 4)):  # fmt: skip
        (folder / path).write_bytes(b"12345")
        age(folder / path, days)
    (folder / "data" / "link").symlink_to("/etc")
    shown = firn("gc", "--orphans", TABLE, "--output", "json", warehouse=table)
    assert shown.code == 1
    report = json.loads(shown.stdout)
    assert {path.rsplit("/", 1)[1] for path in report["files"]} == {"old.parquet", "old-m0.avro"}
    assert (report["orphans"], report["bytes"], report["young"], report["deleted"]) == (2, 10, 1, 0)
    everything = firn("gc", "--orphans", "--output", "table", warehouse=table)
    assert everything.code == 1 and "2 orphans of 10 B" in everything.stdout
    deleted = firn("gc", "--orphans", TABLE, "--delete", "--output", "json", warehouse=table).ok()
    assert json.loads(deleted.stdout)["deleted"] == 2
    assert not (folder / "data" / "old.parquet").exists() and (folder / "data" / "young.parquet").exists()
    assert (folder / "inner" / "data.parquet").exists() and (folder / "data" / "_SUCCESS").exists()
    firn("gc", "--orphans", TABLE, warehouse=table).ok()
    firn("gc", "--orphans", TABLE, "--dry-run", "--delete", warehouse=table).usage_error()
    firn("gc", "--older-than", "3d", warehouse=table).usage_error()
    firn("verify", TABLE, warehouse=table).ok()


def test_files_that_pyiceberg_lost_track_of(table):
    """PyIceberg forgets snapshots and leaves their files; former metadata files name them until they leave the log."""
    firn("table", "alter", TABLE, "--set", "write.metadata.previous-versions-max=2", warehouse=table).ok()
    first = append(table, 0)
    loaded = sql_catalog(table).load_table(TABLE)
    loaded.overwrite(pa.table({"id": pa.array([1], pa.int64()), "day": pa.array([1], pa.int32()), "v": [0.5]},
                              schema=loaded.schema().as_arrow()))  # fmt: skip
    loaded.maintenance.expire_snapshots().by_ids(
        [snapshot.snapshot_id for snapshot in loaded.snapshots() if snapshot.snapshot_id != loaded.current_snapshot().snapshot_id]
    ).commit()
    assert first not in [snapshot.snapshot_id for snapshot in sql_catalog(table).load_table(TABLE).snapshots()]
    for path in files_on_disk(table):
        age(path, 5)
    firn("gc", "--orphans", TABLE, warehouse=table).ok()
    for number in range(3):
        firn("table", "alter", TABLE, "--set", f"step={number}", warehouse=table).ok()
    for path in files_on_disk(table):
        age(path, 5)
    assert firn("gc", "--orphans", TABLE, warehouse=table).code == 1
    firn("gc", "--orphans", TABLE, "--delete", warehouse=table).ok()
    firn("clean", TABLE, warehouse=table).ok()
    assert_no_litter(table)
    assert sql_catalog(table).load_table(TABLE).scan().to_arrow().num_rows == 1


def test_clean_reports_all_parts(table):
    append(table, 0)
    firn("delete", TABLE, "--where", "id < 3", warehouse=table).ok()
    firn("compact", TABLE, warehouse=table).ok()
    report = json.loads(firn("clean", TABLE, "--output", "json", warehouse=table).ok().stdout)
    assert report["orphans"]["orphans"] == 0 and report["deletes"]["deletes-before"] == 0
    assert report["metadata"]["found" if "found" in report["metadata"] else "metadata-files"] >= 4
    text = firn("clean", TABLE, "--no-orphans", "--output", "table", warehouse=table).ok().stdout
    assert text.startswith("deletes ") and "orphans" not in text
    firn("verify", TABLE, "--data", warehouse=table).ok()


@pytest.mark.limit(240)
def test_readers_of_kept_snapshots_never_lose_a_file(table):
    """Readers that opened a tagged snapshot go on reading it while compaction, expiry and clean-up run."""
    firn("table", "alter", TABLE, "--set", "history.expire.max-snapshot-age-ms=1",
         "--set", "history.expire.min-snapshots-to-keep=1", warehouse=table).ok()  # fmt: skip
    for number in range(5):
        append(table, number * 20)
    pinned = sql_catalog(table).load_table(TABLE)
    expected = sum(range(100))
    firn("tag", "create", TABLE, "pin", warehouse=table).ok()
    snapshot = pinned.current_snapshot().snapshot_id
    stop, faults, reads = threading.Event(), [], []

    def read_pyiceberg():
        while not stop.is_set():
            ids = pinned.scan(snapshot_id=snapshot).to_arrow().column("id").to_pylist()
            reads.append("pyiceberg")
            if sum(ids) != expected or len(ids) != 100:
                faults.append(f"PyIceberg saw {len(ids)} rows")

    def read_duckdb():
        with duckdb_connection() as connection:
            while not stop.is_set():
                location = metadata_location(table, TABLE)
                query = f"SELECT count(*), sum(id) FROM iceberg_scan('{location}', snapshot_from_id => {snapshot})"
                found = connection.execute(query).fetchone()
                reads.append("duckdb")
                if found != (100, expected):
                    faults.append(f"DuckDB saw {found}")

    def guarded(body):
        try:
            body()
        except Exception as error:  # noqa: BLE001 - whatever a reader meets is a fault of the table
            faults.append(repr(error))

    readers = [threading.Thread(target=guarded, args=(body,)) for body in (read_pyiceberg, read_duckdb)]
    for reader in readers:
        reader.start()
    try:
        deadline = time.monotonic() + 60
        while not {"pyiceberg", "duckdb"} <= set(reads) and not faults:
            assert time.monotonic() < deadline, f"only {set(reads)} came to read in a minute"
            time.sleep(0.01)
        for number in range(6):
            append(table, 1000 + number * 20)
            firn("compact", TABLE, warehouse=table).ok()
            firn("delete", TABLE, "--where", f"id = {1000 + number * 20}", warehouse=table).ok()
            firn("manifests", "rewrite", TABLE, warehouse=table).ok()
            firn("expire", TABLE, "--older-than", "0s", "--retain-last", 1, warehouse=table).ok()
            firn("clean", TABLE, warehouse=table).ok()
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert not faults, faults[:3]
    assert len(sql_catalog(table).load_table(TABLE).snapshots()) <= 3
    assert_no_litter(table)
    firn("tag", "remove", TABLE, "pin", warehouse=table).ok()
    firn("expire", TABLE, "--older-than", "0s", "--retain-last", 1, warehouse=table).ok()
    assert len(sql_catalog(table).load_table(TABLE).snapshots()) == 1
    assert sql_catalog(table).load_table(TABLE).scan().to_arrow().num_rows == 100 + 6 * 19
    assert_no_litter(table)
