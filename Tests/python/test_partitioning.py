"""Partition values and specs against PyIceberg's, and the order of rows in sorted files."""

import datetime
import decimal
import random
import uuid

import pyarrow.parquet as pq
import pytest
from pyiceberg.partitioning import PartitionField
from pyiceberg.transforms import BucketTransform, TruncateTransform, parse_transform

from support.cli import firn
from support.client import ndjson
from support.readers import READERS, sql_catalog

TABLE = "shop.parts"
SCHEMA = (
    "id long, i int, l long, p decimal(20, 3), d date, t time, ts timestamp, tz timestamptz, s string, u uuid, b binary"
)
TERMS = [
    *(f"bucket(7, {column})" for column in ("i", "l", "p", "d", "t", "ts", "tz", "s", "u", "b")),
    *(f"truncate(3, {column})" for column in ("i", "l", "p", "s", "b")),
    *(f"{name}({column})" for name in ("year", "month", "day") for column in ("d", "ts", "tz")),
    "hour(ts)", "hour(tz)", "i", "p", "d", "s", "ts", "u",
]  # fmt: skip


def records(seed: int, count: int) -> list[dict]:
    source = random.Random(seed)

    def maybe(value):
        return None if source.random() < 0.1 else value

    def moment():
        return datetime.datetime(1970, 1, 1) + datetime.timedelta(
            seconds=source.randrange(-4_000_000_000, 4_000_000_000), microseconds=source.randrange(1_000_000)
        )

    return [
        {
            "id": number, "i": maybe(source.choice([0, -1, 2**31 - 1, -(2**31) + 3, source.randrange(-50, 50)])),
            "l": maybe(source.choice([0, -1, 2**63 - 1, -(2**63) + 3, source.randrange(-50, 50)])),
            "p": maybe(f"{source.randrange(-(10**9), 10**9)}.{source.randrange(1000):03}"),
            "d": maybe(str(moment().date())), "t": maybe(moment().time().isoformat("microseconds")),
            "ts": maybe(moment().isoformat(timespec="microseconds")),
            "tz": maybe(moment().isoformat(timespec="microseconds") + "Z"),
            "s": maybe("".join(source.choice("ab é😀") for _ in range(source.randrange(6)))),
            "u": maybe(str(uuid.UUID(int=source.getrandbits(128)))),
            "b": maybe(bytes(source.randrange(256) for _ in range(source.randrange(6))).hex()),
        }
        for number in range(count)
    ]  # fmt: skip


@pytest.mark.limit(240)
def test_values_are_pyicebergs(warehouse):
    """Every transform of every type: PyIceberg computes the tuple of each file's rows anew."""
    firn("table", "create", TABLE, SCHEMA, warehouse=warehouse).ok()
    rows = records(5, 24)
    text = ndjson([{k: v for k, v in row.items() if k != "b"} for row in rows])
    for term in TERMS:
        firn("table", "partition", TABLE, "set", term, warehouse=warehouse).ok()
        firn("ingest", TABLE, "-", warehouse=warehouse, stdin=text).ok()
    table = sql_catalog(warehouse).load_table(TABLE)
    checked = 0
    for task in table.scan().plan_files():
        field = table.specs()[task.file.spec_id].fields[0]
        source = table.schema().find_field(field.source_id)
        transform = parse_transform(str(field.transform)).transform(source.field_type)
        stored = pq.ParquetFile(task.file.file_path.removeprefix("file://")).read(columns=[source.name])
        for value in stored.column(source.name).to_pylist():
            expected = None if value is None else transform(internal(value, source.field_type))
            assert same(expected, task.file.partition[0]), (str(field.transform), source.name, value)
            checked += 1
    assert checked == len(TERMS) * len(rows)
    for name in ("pyiceberg", "duckdb"):
        assert READERS[name](warehouse, TABLE).num_rows == checked, name


def internal(value, kind):
    """A value as PyIceberg's transforms take it."""
    epoch = datetime.datetime(1970, 1, 1, tzinfo=getattr(value, "tzinfo", None))
    if isinstance(value, datetime.datetime):
        return (value - epoch) // datetime.timedelta(microseconds=1)
    if isinstance(value, datetime.date):
        return (value - epoch.date()).days
    if isinstance(value, datetime.time):
        return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond
    if str(kind) == "uuid" and isinstance(value, bytes):
        return uuid.UUID(bytes=value)
    return value


def same(expected, actual) -> bool:
    if isinstance(expected, uuid.UUID) or isinstance(actual, uuid.UUID):
        return str(expected) == str(uuid.UUID(bytes=actual) if isinstance(actual, bytes) else actual)
    if isinstance(expected, decimal.Decimal):
        return expected == actual
    return expected == actual


def test_specs_are_pyicebergs(warehouse):
    for name in ("shop.ours", "shop.theirs"):
        firn("table", "create", name, "id long, ts timestamp, country string", "--partition", "day(ts)",
             warehouse=warehouse).ok()  # fmt: skip
    for action, *values in (
        ("add", "bucket(16, id)"), ("add", "truncate(2, country)"), ("drop", "day(ts)"),
        ("rename", "id_bucket_16", "shard"), ("add", "country"), ("drop", "country_trunc_2"),
    ):  # fmt: skip
        firn("table", "partition", "shop.ours", action, *values, warehouse=warehouse).ok()
    catalog = sql_catalog(warehouse)
    theirs = catalog.load_table("shop.theirs")
    for change in (
        lambda update: update.add_field("id", BucketTransform(16), "id_bucket_16"),
        lambda update: update.add_field("country", TruncateTransform(2), "country_trunc_2"),
        lambda update: update.remove_field("ts_day"), lambda update: update.rename_field("id_bucket_16", "shard"),
        lambda update: update.add_identity("country"), lambda update: update.remove_field("country_trunc_2"),
    ):  # fmt: skip
        with theirs.update_spec() as update:
            change(update)
    ours, theirs = catalog.load_table("shop.ours"), catalog.load_table("shop.theirs")
    assert ours.spec().fields == theirs.spec().fields
    assert ours.metadata.last_partition_id == theirs.metadata.last_partition_id
    assert ours.spec().fields[0] == PartitionField(1, 1001, BucketTransform(16), "shard")
    shown = firn("table", "partition", "shop.ours", "show", warehouse=warehouse).rows()
    assert [row["name"] for row in shown if row["default"]] == ["shard", "country"]
    assert "no" in firn("table", "partition", "shop.ours", "drop", "nope", warehouse=warehouse).failed()
    firn("table", "partition", "shop.ours", "rename", "shard", warehouse=warehouse).usage_error()


def test_sorted_files(warehouse):
    firn("table", "create", TABLE, "id long, s string, x double", "--partition", "truncate(1, s)", warehouse=warehouse).ok()
    source = random.Random(3)
    rows = [{"id": n, "s": source.choice(["ab", "a", "b", None]), "x": source.choice([None, 0.5, -1.0, 2.0])} for n in range(500)]  # fmt: skip
    firn("ingest", TABLE, "-", warehouse=warehouse, stdin=ndjson(rows)).ok()
    firn("table", "sort", TABLE, "x desc nulls first, id", warehouse=warehouse).ok()
    firn("ingest", TABLE, "-", warehouse=warehouse, stdin=ndjson(rows)).ok()
    assert "x desc nulls first" in firn("table", "sort", TABLE, warehouse=warehouse).ok().stdout
    table = sql_catalog(warehouse).load_table(TABLE)
    assert table.sort_order().order_id == 1
    kinds = set()
    for task in table.scan().plan_files():
        file = pq.ParquetFile(task.file.file_path.removeprefix("file://"))
        found = [(row["x"] is not None, -(row["x"] or 0), row["id"]) for row in file.read().to_pylist()]
        kinds.add(task.file.sort_order_id)
        sorting = file.metadata.row_group(0).sorting_columns
        if task.file.sort_order_id == 1:
            assert found == sorted(found)
            assert [(c.column_index, c.descending, c.nulls_first) for c in sorting] == [(2, True, True), (0, False, True)]
        else:
            assert not sorting
    assert kinds == {None, 1}
    for name, read in READERS.items():
        assert read(warehouse, TABLE).num_rows == 1000, name
