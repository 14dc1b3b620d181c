"""Transactions as PyIceberg sees them: every live file once, counts and totals right, branches, both versions."""

import json
import random

import pytest

from support.cli import firn
from support.readers import sql_catalog

TABLE = "shop.orders"


def lines(ids, value):
    return "".join(json.dumps({"id": i, "day": f"2026-01-0{1 + i % 3}", "value": value}) + "\n" for i in ids)


@pytest.fixture(params=["2", "3"])
def version(request):
    return request.param


def make(warehouse, version):
    firn("table", "create", TABLE, "id long required, day date, value string", "--partition", "day", "--identifier", "id",
         "--property", f"format-version={version}", "--property", "commit.manifest.min-count-to-merge=4",
         warehouse=warehouse).ok()  # fmt: skip


def check(warehouse, rows):
    """What the snapshots say of themselves is what PyIceberg finds in their manifests, and the rows are these."""
    table = sql_catalog(warehouse).load_table(TABLE)
    assert {row["id"]: row["value"] for row in table.scan().to_arrow().to_pylist()} == rows
    for snapshot in table.snapshots():
        data, deletes = {}, []
        for manifest in snapshot.manifests(table.io):
            entries = manifest.fetch_manifest_entry(table.io, discard_deleted=False)
            counts = [sum(entry.status == status for entry in entries) for status in (1, 0, 2)]
            assert counts == [manifest.added_files_count, manifest.existing_files_count, manifest.deleted_files_count]
            live = [entry for entry in entries if entry.status != 2]
            if live:
                assert min(entry.sequence_number for entry in live) == manifest.min_sequence_number
            for entry in live:
                file = entry.data_file
                if file.content == 0:
                    assert file.file_path not in data, "a file is live twice"
                    data[file.file_path] = file.record_count
                else:
                    deletes.append(file.record_count)
        summary = snapshot.summary
        assert int(summary["total-data-files"]) == len(data)
        assert int(summary["total-records"]) == sum(data.values())
        assert int(summary["total-delete-files"]) == len(deletes)
        assert int(summary["total-position-deletes"]) == sum(deletes)
    if table.metadata.format_version == 3:
        taken = 0
        for snapshot in sorted(table.snapshots(), key=lambda s: s.sequence_number):
            raw = snapshot.model_dump(by_alias=True)
            first = raw.get("first-row-id")
            if first is not None:
                assert first >= taken
                taken = first + raw["added-rows"]
        assert table.metadata.next_row_id >= taken
    return table


def test_random_changes(warehouse, version):
    chance = random.Random(7)
    make(warehouse, version)
    rows = {}
    for step in range(12):
        ids = chance.sample(range(60), 12)
        kind = chance.choice(["upsert", "upsert", "delete", "append", "compact"]) if rows else "append"
        if kind == "append":
            ids = [i + 1000 * (step + 1) for i in ids]
            firn("ingest", TABLE, "-", warehouse=warehouse, stdin=lines(ids, f"v{step}")).ok()
            rows |= {i: f"v{step}" for i in ids}
        elif kind == "upsert":
            firn("upsert", TABLE, "-", warehouse=warehouse, stdin=lines(ids, f"v{step}")).ok()
            rows |= {i: f"v{step}" for i in ids}
        elif kind == "delete":
            gone = set(chance.sample(sorted(rows), 5))
            firn("delete", TABLE, "--where", f"id IN ({', '.join(map(str, gone))})", warehouse=warehouse).ok()
            rows = {i: value for i, value in rows.items() if i not in gone}
        else:
            firn("compact", TABLE, warehouse=warehouse).ok()
    check(warehouse, rows)
    # A whole day goes without a delete file, and with it the deletes of its files.
    firn("delete", TABLE, "--where", "day = '2026-01-01'", warehouse=warehouse).ok()
    check(warehouse, {i: value for i, value in rows.items() if i % 3})


def test_a_foreign_append_between(warehouse):
    make(warehouse, "2")
    firn("ingest", TABLE, "-", warehouse=warehouse, stdin=lines(range(9), "a")).ok()
    firn("delete", TABLE, "--where", "id < 4", warehouse=warehouse).ok()
    table = sql_catalog(warehouse).load_table(TABLE)
    kept = table.scan().to_arrow()
    table.append(kept.set_column(0, kept.schema.field("id"), [[i + 100 for i in kept["id"].to_pylist()]]))
    firn("upsert", TABLE, "-", warehouse=warehouse, stdin=lines([5, 106], "b")).ok()
    expected = {i: "a" for i in range(4, 9)} | {i + 100: "a" for i in range(4, 9)} | {5: "b", 106: "b"}
    check(warehouse, expected)


def test_upgrade_keeps_everything(warehouse):
    make(warehouse, "2")
    firn("ingest", TABLE, "-", warehouse=warehouse, stdin=lines(range(9), "a")).ok()
    firn("delete", TABLE, "--where", "id = 4", warehouse=warehouse).ok()
    firn("table", "alter", TABLE, "--set", "format-version=3", warehouse=warehouse).ok()
    firn("upsert", TABLE, "-", warehouse=warehouse, stdin=lines([5, 20], "b")).ok()
    expected = {i: "a" for i in range(9) if i != 4} | {5: "b", 20: "b"}
    table = check(warehouse, expected)
    assert table.metadata.format_version == 3 and table.metadata.next_row_id > 0
