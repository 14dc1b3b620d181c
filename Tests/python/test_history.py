"""Snapshots, tags, branches, rollback, time travel, expiry in passing, and what changed in between."""

import json
import time

import pyarrow as pa
import pytest
from pyiceberg.table import StaticTable

from support.cli import firn
from support.readers import READERS, metadata_location, sql_catalog

TABLE = "h.t"


def rows_of(warehouse, version: str = "") -> list[int]:
    return [row["id"] for row in firn("query", f"SELECT id FROM {TABLE} {version} ORDER BY id", warehouse=warehouse).rows()]


def snapshots(warehouse) -> list[dict]:
    return firn("snapshots", TABLE, warehouse=warehouse).rows()


def append(warehouse, *ids: int) -> int:
    lines = "".join(json.dumps({"id": number, "v": number / 2}) + "\n" for number in ids)
    firn("ingest", TABLE, "-", stdin=lines, warehouse=warehouse).ok()
    return current(warehouse)


def current(warehouse) -> int:
    return next(row["snapshot-id"] for row in snapshots(warehouse) if row["current"])


@pytest.fixture
def table(warehouse):
    firn("table", "create", TABLE, "id long required, v double", "--identifier", "id", warehouse=warehouse).ok()
    return warehouse


def test_tags_keep_snapshots_and_are_read_by_name(table):
    first = append(table, 1, 2)
    firn("tag", "create", TABLE, "start", warehouse=table).ok()
    append(table, 3)
    append(table, 4)
    assert "--replace" in firn("tag", "create", TABLE, "start", warehouse=table).failed()
    assert rows_of(table, "FOR VERSION AS OF 'start'") == [1, 2]
    scan = sql_catalog(table).load_table(TABLE).scan().use_ref("start").to_arrow()
    assert sorted(scan.column("id").to_pylist()) == [1, 2]
    firn("expire", TABLE, "--older-than", "0s", "--retain-last", 1, warehouse=table).ok()
    assert [row["snapshot-id"] for row in snapshots(table)] == [first, current(table)]
    assert rows_of(table, "FOR VERSION AS OF 'start'") == [1, 2]
    firn("tag", "remove", TABLE, "start", warehouse=table).ok()
    firn("tag", "remove", TABLE, "start", warehouse=table).failed()
    firn("expire", TABLE, "--older-than", "0s", "--retain-last", 1, warehouse=table).ok()
    assert len(snapshots(table)) == 1
    firn("gc", warehouse=table).ok()
    firn("verify", TABLE, "--data", warehouse=table).ok()


def test_a_tag_of_limited_age_goes_with_its_snapshot(table):
    append(table, 1)
    firn("tag", "create", TABLE, "brief", "--keep", "1s", warehouse=table).ok()
    firn("tag", "create", TABLE, "long", "--keep", "1h", warehouse=table).ok()
    append(table, 2)
    time.sleep(1.1)
    firn("expire", TABLE, "--older-than", "0s", "--retain-last", 1, warehouse=table).ok()
    refs = StaticTable.from_metadata(metadata_location(table, TABLE)).metadata.refs
    assert sorted(refs) == ["long", "main"]


def test_branches_move_forward(table):
    first = append(table, 1)
    firn("branch", "create", TABLE, "audit", "--min-snapshots", 3, warehouse=table).ok()
    second = append(table, 2)
    refs = sql_catalog(table).load_table(TABLE).metadata.refs
    assert refs["audit"].snapshot_id == first and refs["audit"].min_snapshots_to_keep == 3
    firn("branch", "fast-forward", TABLE, "audit", "--to", "main", warehouse=table).ok()
    assert sql_catalog(table).load_table(TABLE).metadata.refs["audit"].snapshot_id == second
    # A branch that has gone its own way cannot be fast-forwarded over.
    firn("rollback", TABLE, first, warehouse=table).ok()
    append(table, 3)
    assert "commits that" in firn("branch", "fast-forward", TABLE, "main", "--to", "audit", warehouse=table).failed()
    assert rows_of(table) == [1, 3]
    assert rows_of(table, "FOR VERSION AS OF 'audit'") == [1, 2]
    # What it appended can be appended again.
    firn("cherry-pick", TABLE, "audit", warehouse=table).ok()
    assert rows_of(table) == [1, 2, 3]
    assert "already" in firn("cherry-pick", TABLE, "audit", warehouse=table).failed()
    firn("branch", "remove", TABLE, "audit", warehouse=table).ok()
    assert "main" in firn("branch", "remove", TABLE, "main", warehouse=table).failed()
    for read in READERS.values():
        assert sorted(read(table, TABLE).column("id").to_pylist()) == [1, 2, 3]
    firn("verify", TABLE, warehouse=table).ok()


def test_rollback_by_time_name_and_back(table):
    append(table, 1)
    time.sleep(0.01)
    noted = next(row["committed-at"] for row in snapshots(table) if row["current"])
    second = append(table, 2)
    firn("rollback", TABLE, noted, warehouse=table).ok()
    assert rows_of(table) == [1]
    assert "--any" in firn("rollback", TABLE, second, warehouse=table).failed()
    firn("rollback", TABLE, second, "--any", warehouse=table).ok()
    assert rows_of(table) == [1, 2]
    assert "nothing" in firn("rollback", TABLE, "nothing", warehouse=table).failed()


def test_the_rows_appended_between_two_snapshots(table):
    first = append(table, 1, 2)
    append(table, 3)
    firn("delete", TABLE, "--where", "id = 2", warehouse=table).ok()
    firn("tag", "create", TABLE, "cut", warehouse=table).ok()
    append(table, 4, 5)
    firn("compact", TABLE, warehouse=table).ok()
    assert rows_of(table, f"FOR APPENDS BETWEEN {first} AND 'cut'") == [3]
    assert rows_of(table, f"FOR APPENDS SINCE {first}") == [3, 4, 5]
    assert rows_of(table, "FOR APPENDS") == [1, 2, 3, 4, 5]
    changes = firn(
        "query", f"SELECT id, v, _change_type, _change_ordinal FROM {TABLE} FOR CHANGES SINCE {first} ORDER BY 4, 1",
        warehouse=table,
    ).rows()  # fmt: skip
    assert [(row["_change_type"], row["id"], row["_change_ordinal"]) for row in changes] == [
        ("insert", 3, 0), ("delete", 2, 1), ("insert", 4, 2), ("insert", 5, 2),
    ]  # fmt: skip
    assert all(row["v"] == row["id"] / 2 for row in changes)
    counted = firn(
        "query", f"SELECT count(*) AS n FROM {TABLE} FOR CHANGES BETWEEN 'cut' AND 'main' WHERE _change_type = 'insert'",
        warehouse=table,
    ).rows()  # fmt: skip
    assert counted == [{"n": 2}]
    backwards = firn("query", f"SELECT * FROM {TABLE} FOR CHANGES BETWEEN 'main' AND 'cut'", warehouse=table)
    assert "ancestor" in backwards.failed()


def test_history_expires_in_passing(table):
    """A table that is written to all the time needs no other commit to stay short, and loses no file it needs."""
    for key, value in {"max-snapshot-age-ms": 1, "min-snapshots-to-keep": 3}.items():
        firn("table", "alter", TABLE, "--set", f"history.expire.{key}={value}", warehouse=table).ok()
    for number in range(45):
        append(table, number)
        if number % 10 == 9:
            firn("compact", TABLE, warehouse=table).ok()
    assert len(snapshots(table)) < 25
    assert rows_of(table) == list(range(45))
    firn("gc", warehouse=table).ok()
    report = firn("verify", TABLE, "--data", "--orphans", "--output", "json", warehouse=table).ok()
    assert "orphan" not in report.stdout or "unknown_file" not in report.stdout
    for read in READERS.values():
        assert sorted(read(table, TABLE).column("id").to_pylist()) == list(range(45))


def test_compressed_metadata_is_read_by_all_and_committed_upon(table):
    firn("table", "alter", TABLE, "--set", "write.metadata.compression-codec=gzip", warehouse=table).ok()
    append(table, 1)
    assert metadata_location(table, TABLE).endswith(".gz.metadata.json")
    for read in READERS.values():
        assert read(table, TABLE).column("id").to_pylist() == [1]
    foreign = sql_catalog(table).load_table(TABLE)
    rows = pa.table({"id": [2], "v": [1.0]}).cast(foreign.schema().as_arrow())
    foreign.append(rows)
    append(table, 3)
    assert rows_of(table) == [1, 2, 3]
    firn("verify", TABLE, "--data", warehouse=table).ok()
    shown = firn("inspect", metadata_location(table, TABLE)).ok().stdout
    assert json.loads(shown)["current-snapshot-id"] == current(table)
