"""Schemas change while files of the old ones stay: every engine reads old and new snapshots alike."""

import datetime
import decimal
import sqlite3
import time

import pyarrow as pa
import pytest
from pyiceberg.types import DoubleType, IntegerType, ListType, LongType, NestedField, StringType, StructType

from support.cli import firn
from support.client import Client, ndjson, table_path
from support.readers import READERS, MapOf, assert_same_records, sql_catalog

TABLE = "shop.orders"
SCHEMA = (
    "id long required, n int, f float, price decimal(5,2), name string required, day date,"
    " device struct<os string required, v int>, lines list<struct<sku string, qty int>>, attrs map<string, int>"
)
DAY = datetime.date(2026, 1, 2)


def old_record(number: int) -> dict:
    return {
        "id": number, "n": number - 5, "f": number / 4, "price": f"{number}.25", "name": f"name {number}",
        "day": str(DAY), "device": {"os": "linux", "v": number}, "lines": [{"sku": "a", "qty": number}],
        "attrs": {"k": number},
    }  # fmt: skip


def old_row(number: int) -> dict:
    return old_record(number) | {
        "price": decimal.Decimal(f"{number}.25"), "day": DAY, "attrs": MapOf({"k": number}),
    }  # fmt: skip


def new_record(number: int) -> dict:
    return {
        "id": number, "n": 3_000_000_000 + number, "f": 1e300, "price": f"12345678{number}.50", "name": None,
        "day": str(DAY), "device": {"v": 5_000_000_000, "model": "m"},
        "lines": [{"sku": "b", "qty": 4_000_000_000, "note": ["x"]}], "attrs": {"k": None, "l": 6_000_000_000},
        "extra": {"a": number, "at": "2026-01-02T03:04:05Z"},
    }  # fmt: skip


def new_row(number: int) -> dict:
    record = new_record(number)
    extra = {"a": number, "at": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)}
    return record | {
        "price": decimal.Decimal(record["price"]), "day": DAY, "extra": extra, "attrs": MapOf(record["attrs"]),
        "device": {"os": None} | record["device"],
    }  # fmt: skip


def evolved(row: dict) -> dict:
    """An old row as the new schema shows it."""
    return row | {
        "device": row["device"] | {"model": None}, "lines": [line | {"note": None} for line in row["lines"]],
        "extra": None,
    }  # fmt: skip


CHANGES = [
    ("widen", "n", "long"), ("widen", "f", "double"), ("widen", "price", "decimal(12,2)"),
    ("widen", "device.v", "long"), ("widen", "lines.element.qty", "long"), ("widen", "attrs.value", "long"),
    ("optional", "name"), ("optional", "device.os"), ("add", "device.model", "string"),
    ("add", "lines.note", "list<string>"), ("add", "extra", "struct<a long, at timestamptz>", "--doc", "more"),
]  # fmt: skip


def ingest(warehouse, records) -> None:
    firn("ingest", TABLE, "-", warehouse=warehouse, stdin=ndjson(records)).ok()


@pytest.mark.limit(240)
@pytest.mark.parametrize("partition", [None, "identity(n), bucket(2, price)", "truncate(3, n), day"])
def test_old_files_under_a_new_schema(warehouse, partition):
    options = ["--partition", partition] if partition else []
    firn("table", "create", TABLE, SCHEMA, *options, warehouse=warehouse).ok()
    old, new = [old_row(n) for n in range(1, 9)], [new_row(n) for n in range(11, 15)]
    ingest(warehouse, [old_record(n) for n in range(1, 9)])
    before = sql_catalog(warehouse).load_table(TABLE).current_snapshot().snapshot_id
    for change in CHANGES:
        assert firn("schema", change[0], TABLE, *change[1:], warehouse=warehouse).ok().stdout.startswith("schema ")
    for change in CHANGES:
        assert firn("schema", change[0], TABLE, *change[1:], warehouse=warehouse).ok().stdout == "nothing to change\n"
    expected = [evolved(row) for row in old]
    for name, read in READERS.items():
        assert_same_records(read(warehouse, TABLE), expected, "id", f"{name} before new files")
    ingest(warehouse, [new_record(n) for n in range(11, 15)])
    expected += new
    for name, read in READERS.items():
        assert_same_records(read(warehouse, TABLE), expected, "id", name)
        assert_same_records(read(warehouse, TABLE, before), old, "id", f"{name} at the old snapshot")
    queries(warehouse, before)

    firn("compact", TABLE, warehouse=warehouse).ok()
    for name, read in READERS.items():
        assert_same_records(read(warehouse, TABLE), expected, "id", f"{name} after compaction")
        assert_same_records(read(warehouse, TABLE, before), old, "id", f"{name} at the old snapshot, compacted")
    queries(warehouse, before)


def queries(warehouse, before: int) -> None:
    """Predicates on promoted columns, which old bounds, dictionaries and partitions must answer rightly."""

    def ids(where: str, version: str = "") -> list[int]:
        sql = f"SELECT id FROM {TABLE} {version} WHERE {where} ORDER BY id"
        return [row["id"] for row in firn("query", sql, warehouse=warehouse).rows()]

    assert ids("n = -2") == [3]
    assert ids("n > 2") == [8, 11, 12, 13, 14]
    assert ids("n = 3000000012") == [12]
    assert ids("f = 0.75") == [3]
    assert ids("f < 1") == [1, 2, 3]
    assert ids("f >= 1e300") == [11, 12, 13, 14]
    assert ids("price = 3.25") == [3]
    assert ids("price > 8") == [8, 11, 12, 13, 14]
    assert ids("name IS NULL") == [11, 12, 13, 14]
    assert ids("extra IS NULL") == [1, 2, 3, 4, 5, 6, 7, 8]
    assert ids("n > 2", f"FOR VERSION AS OF {before}") == [8]
    columns = firn("query", f"SELECT * FROM {TABLE} FOR VERSION AS OF {before} LIMIT 1", warehouse=warehouse).rows()
    assert "extra" not in columns[0]


def test_schema_is_what_pyiceberg_makes_of_it(warehouse):
    """PyIceberg evolves an equal table in the same steps; fields, ids and order come out alike."""
    for name in ("shop.ours", "shop.theirs"):
        firn("table", "create", name, SCHEMA, warehouse=warehouse).ok()
    steps = [
        ("add", "a", "struct<x int, y list<struct<z long>>>"), ("add", "device.model", "string"),
        ("widen", "n", "long"), ("widen", "f", "double"), ("optional", "name"), ("add", "lines.note", "string"),
        ("widen", "lines.element.qty", "long"),
    ]  # fmt: skip
    for step in steps:
        firn("schema", step[0], "shop.ours", *step[1:], warehouse=warehouse).ok()
    catalog = sql_catalog(warehouse)
    theirs = catalog.load_table("shop.theirs")
    nested = ListType(9001, StructType(NestedField(9002, "z", LongType(), required=False)), element_required=False)
    added = StructType(
        NestedField(9000, "x", IntegerType(), required=False), NestedField(9003, "y", nested, required=False)
    )
    for change in (
        lambda update: update.add_column("a", added),
        lambda update: update.add_column(("device", "model"), StringType()),
        lambda update: update.update_column("n", LongType()),
        lambda update: update.update_column("f", DoubleType()),
        lambda update: update.make_column_optional("name"),
        lambda update: update.add_column(("lines", "note"), StringType()),
        lambda update: update.update_column(("lines", "element", "qty"), LongType()),
    ):
        with theirs.update_schema() as update:
            change(update)
    ours, theirs = catalog.load_table("shop.ours"), catalog.load_table("shop.theirs")
    assert ours.schema().as_struct() == theirs.schema().as_struct()
    assert ours.metadata.last_column_id == theirs.metadata.last_column_id
    assert [s.schema_id for s in ours.metadata.schemas] == [s.schema_id for s in theirs.metadata.schemas]


def test_refusals(warehouse):
    firn("table", "create", TABLE, SCHEMA, "--identifier", "id", "--partition", "day(day)", warehouse=warehouse).ok()
    for change, words in [
        (("widen", "name", "binary"), "cannot become"), (("widen", "n", "double"), "cannot become"),
        (("widen", "price", "decimal(9,3)"), "cannot become"), (("widen", "nope", "long"), "no column"),
        (("optional", "id"), "identifies rows"), (("add", "NAME", "int"), "clashes"),
        (("add", "name", "int"), "exists as string"), (("add", "n.x", "int"), "cannot have columns"),
        (("add", "attrs.key.x", "int"), "keys of a map"), (("add", "x", "nope"), "nope"),
        (("add", "x", "timestamp_ns"), "version 3"), (("add", "day_day", "int"), "partition field"),
    ]:  # fmt: skip
        error = firn("schema", change[0], TABLE, *change[1:], warehouse=warehouse).failed()
        assert words in error, error
    assert len(sql_catalog(warehouse).load_table(TABLE).metadata.schemas) == 1


def test_over_http(client: Client, server, warehouse):
    client.create_table(TABLE, SCHEMA)
    path = table_path(TABLE) + "/schema"
    shown = client.once("GET", path).ok().json
    assert shown["schema-id"] == 0 and [item["snapshots"] for item in shown["history"]] == [0]
    client.records(TABLE, ndjson([old_record(1)])).ok()
    client.flush(TABLE)
    client.records(TABLE, ndjson([new_record(2)])).problem(422, "all_records_rejected")
    operations = [
        {"op": kind, "column": column} | ({"type": rest[0]} if rest else {}) for kind, column, *rest in CHANGES
    ]
    answer = client.once("PATCH", path, body={"operations": operations}).ok().json
    assert answer["changed"] is True and answer["schema-id"] == 1
    assert client.once("PATCH", path, body={"operations": operations}).ok().json["changed"] is False
    # The stream goes on with the new schema at once.
    client.records(TABLE, ndjson([new_record(2)])).ok()
    client.flush(TABLE)
    history = client.once("GET", path).ok().json["history"]
    assert [(item["schema-id"], item["snapshots"]) for item in history] == [(0, 1), (1, 1)]
    for name, read in READERS.items():
        assert_same_records(read(warehouse, TABLE), [evolved(old_row(1)), new_row(2)], "id", name)
    rows = firn("schema", "show", TABLE, "--url", server.url).rows()
    model = next(row for row in rows if row["column"] == "device.model")
    assert (model["schema-id"], model["type"], model["required"]) == (1, "string", False)
    assert rows == firn("schema", "show", TABLE, warehouse=warehouse).rows()
    assert len(firn("schema", "show", TABLE, "--history", warehouse=warehouse).rows()) > len(rows)

    client.once("PATCH", path, body={"operations": []}).problem(400, "bad_schema_change")
    client.once("PATCH", path, data=b"{").problem(400, "malformed_json")
    client.once("PATCH", path, body={"operations": [{"op": "widen", "column": "n", "type": "int"}]}).ok()
    client.once("PATCH", path, body={"operations": [{"op": "optional", "column": "x"}]}).problem(404, "unknown_column")
    client.once("GET", "/v1/tables/shop/nope/schema").problem(404, "table_not_found")


def test_proposals(client: Client, server, warehouse):
    client.create_table(TABLE, "id long required, n int")
    uuid = sql_catalog(warehouse).load_table(TABLE).metadata.table_uuid
    with sqlite3.connect(f"{warehouse}/catalog.db", timeout=30) as db:
        for column in ("a", "b", "c"):
            db.execute(
                "INSERT INTO firn_schema_proposals (table_uuid, change, state, records, sample, created_ms, seen_ms)"
                " VALUES (?, ?, 'open', 3, '{}', 1, 1)",
                (str(uuid), f'{{"operations":[{{"op":"add","column":"{column}","type":"long"}}]}}'),
            )
    path = table_path(TABLE) + "/schema/proposals"
    found = client.once("GET", path).ok().json["proposals"]
    assert [item["description"] for item in found] == [f"add column {c} long" for c in "abc"]
    assert {item["state"] for item in found} == {"open"} and found[0]["records"] == 3
    first, second, third = (item["id"] for item in found)
    assert client.once("POST", f"{path}/{first}/approve").ok().json["state"] == "approved"
    assert client.once("POST", f"{path}/{first}/approve").ok().json["state"] == "approved"
    client.once("POST", f"{path}/{first}/reject").problem(409, "proposal_approved")
    client.once("POST", f"{path}/99/approve").problem(404, "proposal_not_found")
    client.once("POST", f"{path}/x/approve").problem(404, "proposal_not_found")
    client.once("GET", f"{path}?state=nope").problem(400, "bad_state")
    assert firn("schema", "reject", TABLE, second, "--url", server.url).ok().stdout.startswith(f"rejected {second}")
    assert firn("schema", "approve", TABLE, third, warehouse=warehouse).ok().stdout.startswith(f"approved {third}")
    rejected = firn("schema", "proposals", TABLE, "--state", "rejected", warehouse=warehouse).rows()
    assert [row["id"] for row in rejected] == [second]
    assert len(firn("schema", "proposals", TABLE, "--url", server.url).rows()) == 3
    assert [field.name for field in sql_catalog(warehouse).load_table(TABLE).schema().fields] == ["id", "n", "a", "c"]
    firn("schema", "proposals", TABLE, "--state", "x", warehouse=warehouse).usage_error()
    # A change made beside the server is seen within its next looks at the catalog.
    deadline = time.monotonic() + 60
    while client.records(TABLE, ndjson([{"id": 1, "a": 2, "c": 3}])).status == 422:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    client.flush(TABLE)
    expected = pa.table({"id": [1], "n": pa.array([None], pa.int32()), "a": [2], "c": [3]}).to_pylist()
    for name, read in READERS.items():
        assert_same_records(read(warehouse, TABLE), expected, "id", name)
