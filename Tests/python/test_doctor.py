"""firn doctor and firn verify on tables that PyIceberg wrote: whole ones are clean, broken ones are told by code."""

import json
import re
from pathlib import Path

import fastavro
import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.transforms import IdentityTransform

from support.cli import firn
from support.readers import READERS, sql_catalog

GUIDE = Path(__file__).parents[2] / "Docs/guides/verify.md"


def rows(count: int, start: int = 0) -> pa.Table:
    ids = range(start, start + count)
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "name": pa.array([None if i % 5 == 0 else f"name {i}, long enough to be cut" for i in ids]),
            "x": pa.array([float("nan") if i % 7 == 0 else i / 3 for i in ids]),
            "part": pa.array([f"p{i % 3}" for i in ids]),
            "tags": pa.array([[str(i)] * (i % 3) for i in ids], pa.list_(pa.string())),
        }
    )


@pytest.fixture
def foreign(tmp_path):
    """A PyIceberg table of its own catalog: appends, a delete, partitions."""
    root = tmp_path / "lake"
    root.mkdir()
    catalog = SqlCatalog("lake", uri=f"sqlite:///{root}/catalog.db", warehouse=f"file://{root}")
    catalog.create_namespace("n")
    table = catalog.create_table("n.t", schema=rows(1, 1).schema)
    with table.update_spec() as update:
        update.add_field("part", IdentityTransform(), "part")
    table.append(rows(90))
    table.append(rows(60, 90))
    table.delete("id < 10")
    return table


def path_of(location: str) -> Path:
    return Path(location.removeprefix("file://"))


def codes(*arguments, **options) -> set[str]:
    result = firn(*arguments, "--output", "ndjson", **options)
    found = {json.loads(line)["code"] for line in result.stdout.splitlines()}
    assert result.code == (1 if found else 0), result.stderr
    return found


def rewrite(path: Path, change, drop: tuple[str, ...] = ()) -> None:
    """The same Avro file with changed records or fewer keys; its length may change."""
    with path.open("rb") as file:
        reader = fastavro.reader(file)
        schema, records = reader.writer_schema, list(reader)
        keys = {k: v for k, v in reader.metadata.items() if not k.startswith("avro.") and k not in drop}
    change(records)
    with path.open("wb") as file:
        fastavro.writer(file, schema, records, codec="deflate", metadata=keys)


def current_list(table) -> Path:
    return path_of(table.current_snapshot().manifest_list)


def fix_lengths(table) -> None:
    def change(records):
        for record in records:
            record["manifest_length"] = path_of(record["manifest_path"]).stat().st_size

    rewrite(current_list(table), change)


def live_manifest(table) -> Path:
    with current_list(table).open("rb") as file:
        live = (r for r in fastavro.reader(file) if r["added_files_count"] or r["existing_files_count"])
        return path_of(next(live)["manifest_path"])


def test_a_foreign_table_is_clean(foreign):
    for command in (["doctor"], ["verify"], ["verify", "--data"], ["doctor", "--all-snapshots", "--data"]):
        assert codes(*command, foreign.metadata_location) == set(), command


def set_file(key, value):
    def change(records):
        for record in records:
            if record["status"] != 2:
                record["data_file"][key] = value(record["data_file"][key])

    return change


def raised_bound(bounds):
    return [{**b, "value": (10**6).to_bytes(8, "little")} if b["key"] == 1 else b for b in bounds]


def one_null(counts):
    return [{**count, "value": 1} if count["key"] == 1 else count for count in counts]


@pytest.mark.parametrize(
    "expected, change",
    [
        ("file_size_wrong", set_file("file_size_in_bytes", lambda size: size + 1)),
        ("split_offsets_wrong", set_file("split_offsets", lambda offsets: [9, 99])),
        ("null_count_wrong", set_file("null_value_counts", one_null)),
    ],
)
def test_wrong_entries_are_told(foreign, expected, change):
    rewrite(live_manifest(foreign), change)
    fix_lengths(foreign)
    found = codes("doctor", foreign.metadata_location)
    # The totals of the summary count bytes as well.
    assert expected in found and found <= {expected, "summary_totals_wrong"}


def test_narrow_bounds_are_told(foreign):
    rewrite(live_manifest(foreign), set_file("lower_bounds", raised_bound))
    fix_lengths(foreign)
    assert codes("doctor", foreign.metadata_location) == {"bound_narrow", "bounds_inverted"}


def test_wrong_counts_in_the_list_are_told(foreign):
    def change(records):
        records[0]["existing_rows_count"] += 1

    rewrite(current_list(foreign), change)
    assert codes("doctor", foreign.metadata_location) == {"manifest_counts_wrong"}


def test_small_print_is_told_by_the_doctor_only(foreign):
    rewrite(live_manifest(foreign), lambda records: None, drop=("schema",))
    fix_lengths(foreign)
    assert codes("doctor", foreign.metadata_location) == {"avro_key_values_missing"}
    assert codes("verify", foreign.metadata_location) == set()


def test_missing_members_and_files_are_told(foreign):
    location = path_of(foreign.metadata_location)
    metadata = json.loads(location.read_text())
    del metadata["last-column-id"]
    location.write_text(json.dumps(metadata))
    assert codes("doctor", location) == {"metadata_member_missing"}
    data = path_of(next(iter(foreign.scan().plan_files())).file.file_path)
    data.unlink()
    assert codes("doctor", location) == {"metadata_member_missing", "data_file_missing"}
    location.write_bytes(b"{")
    assert codes("doctor", location) == {"metadata_unreadable"}


def test_a_foreign_table_is_not_repaired(foreign):
    assert "register" in firn("doctor", foreign.metadata_location, "--repair").failed()


def test_a_table_of_the_warehouse_is_repaired(warehouse):
    """PyIceberg commits into Firn's catalog, its manifest is broken, Firn repairs, and every reader sees the rows."""
    firn("table", "create", "n.t", "id long, name string", warehouse=warehouse).ok()
    table = sql_catalog(warehouse).load_table("n.t")
    schema = table.schema().as_arrow()
    for start in (0, 100):
        ids = range(start, start + 100)
        table.append(pa.table({"id": pa.array(ids, pa.int64()), "name": [f"n{i}" for i in ids]}).cast(schema))
    assert codes("doctor", "n.t", warehouse=warehouse) == set()

    rewrite(live_manifest(table), set_file("record_count", lambda count: count + 5))
    fix_lengths(table)
    found = codes("doctor", "n.t", warehouse=warehouse)
    assert {"record_count_wrong", "manifest_counts_wrong"} <= found
    plan = firn("doctor", "n.t", "--repair", "--dry-run", "--output", "json", warehouse=warehouse)
    assert plan.code == 1 and json.loads(plan.stdout)["operation"] == "replace"
    assert codes("doctor", "n.t", warehouse=warehouse) == found
    done = json.loads(firn("doctor", "n.t", "--repair", "--output", "json", warehouse=warehouse).ok().stdout)
    assert done["repaired"] and done["remaining"] == []
    assert codes("doctor", "n.t", warehouse=warehouse) == set()
    assert sql_catalog(warehouse).load_table("n.t").current_snapshot().snapshot_id == done["snapshot-id"]
    for engine, read in READERS.items():
        assert sorted(read(warehouse, "n.t").column("id").to_pylist()) == list(range(200)), engine


def test_usage_errors():
    assert "give a table" in firn("doctor").usage_error()
    assert "--dry-run" in firn("doctor", "n.t", "--dry-run").usage_error()
    assert "--sample" in firn("verify", "n.t", "--sample", "0.5").usage_error()


def test_the_guide_lists_every_code():
    known = {row["code"]: row for row in firn("doctor", "--list-codes", "--output", "ndjson").rows()}
    listed = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", GUIDE.read_text(), re.MULTILINE))
    assert listed == {code: row["severity"] for code, row in known.items()}
