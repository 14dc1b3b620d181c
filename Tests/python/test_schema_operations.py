"""Columns are dropped, renamed and moved; old files, new files and records in the log all stay readable."""

import datetime
import time

import pytest
from pyiceberg.types import IntegerType, StringType

from support.cli import firn
from support.client import Client, ndjson, table_path
from support.readers import READERS, assert_same_records, sql_catalog

TABLE = "shop.orders"
SCHEMA = "id long required, n int, name string, device struct<os string, v int>, day date"

STEPS = [
    ("rename", "name", "title"), ("add", "name", "int", "--after", "id"), ("drop", "n"), ("move", "day", "--first"),
    ("rename", "device.os", "system"), ("drop", "device.v"), ("add", "device.model", "string", "--first"),
    ("doc", "title", "what it is called"), ("widen", "name", "long"), ("move", "title", "--before", "id"),
    ("identifier", "id"),
]  # fmt: skip


def record(number: int) -> dict:
    return {"id": number, "n": number, "name": f"n{number}", "device": {"os": "linux", "v": 1}, "day": "2026-01-02"}


def shown(number: int) -> dict:
    """A record of before, as the new schema shows it."""
    return {
        "id": number, "title": f"n{number}", "name": None, "day": datetime.date(2026, 1, 2),
        "device": {"model": None, "system": "linux"},
    }  # fmt: skip


def new(number: int) -> dict:
    return {"id": number, "title": "t", "name": 7, "day": "2026-01-03", "device": {"model": "m", "system": "s"}}


def new_shown(number: int) -> dict:
    return new(number) | {"day": datetime.date(2026, 1, 3)}


@pytest.mark.limit(180)
@pytest.mark.parametrize("partition", [None, "bucket(4, id), day"])
def test_every_reader_follows(warehouse, partition):
    options = ["--partition", partition] if partition else []
    firn("table", "create", TABLE, SCHEMA, *options, warehouse=warehouse).ok()
    firn("ingest", TABLE, "-", warehouse=warehouse, stdin=ndjson(map(record, range(5)))).ok()
    before = sql_catalog(warehouse).load_table(TABLE).current_snapshot().snapshot_id
    for step in STEPS:
        done = firn("schema", step[0], TABLE, *step[1:], warehouse=warehouse).ok().stdout
        assert done.startswith("schema "), done
    schema = sql_catalog(warehouse).load_table(TABLE).schema()
    assert [field.name for field in schema.fields] == ["day", "title", "id", "name", "device"]
    assert [field.field_id for field in schema.fields] == [5, 3, 1, 8, 4]
    assert schema.identifier_field_ids == [1] and schema.find_field("title").doc == "what it is called"
    expected = list(map(shown, range(5)))
    for name, read in READERS.items():
        assert_same_records(read(warehouse, TABLE), expected, "id", f"{name}, old files")
    firn("ingest", TABLE, "-", warehouse=warehouse, stdin=ndjson(map(new, range(10, 13)))).ok()
    expected += list(map(new_shown, range(10, 13)))
    for _ in range(2):
        for name, read in READERS.items():
            assert_same_records(read(warehouse, TABLE), expected, "id", name)
            assert set(read(warehouse, TABLE, before).column_names) == {"id", "n", "name", "device", "day"}
        found = firn("query", f"SELECT id, title, name FROM {TABLE} ORDER BY id", warehouse=warehouse).rows()
        assert [(r["id"], r["title"], r["name"]) for r in found] == [(r["id"], r["title"], r["name"]) for r in expected]
        firn("compact", TABLE, warehouse=warehouse).ok()


def test_schema_is_what_pyiceberg_makes_of_it(warehouse):
    for name in ("shop.ours", "shop.theirs"):
        firn("table", "create", name, SCHEMA, warehouse=warehouse).ok()
    catalog = sql_catalog(warehouse)
    for step in (
        ("rename", "name", "title"), ("drop", "n"), ("add", "extra", "int", "--after", "id"), ("move", "day", "--first"),
        ("add", "device.model", "string", "--before", "v"), ("move", "device.v", "--first"), ("doc", "title", "d"),
    ):  # fmt: skip
        firn("schema", step[0], "shop.ours", *step[1:], warehouse=warehouse).ok()
    theirs = catalog.load_table("shop.theirs")
    for change in (
        lambda update: update.rename_column("name", "title"), lambda update: update.delete_column("n"),
        lambda update: (update.add_column("extra", IntegerType()), update.move_after("extra", "id")),
        lambda update: update.move_first("day"),
        lambda update: (update.add_column(("device", "model"), StringType()),
                        update.move_before(("device", "model"), ("device", "v"))),
        lambda update: update.move_first(("device", "v")), lambda update: update.update_column("title", doc="d"),
    ):  # fmt: skip
        with theirs.update_schema() as update:
            change(update)
    ours, theirs = catalog.load_table("shop.ours"), catalog.load_table("shop.theirs")
    assert ours.schema().as_struct() == theirs.schema().as_struct()
    assert ours.metadata.last_column_id == theirs.metadata.last_column_id


def test_refusals(warehouse):
    firn("table", "create", TABLE, SCHEMA, "--identifier", "id", "--partition", "day", "--sort", "name",
         "--property", "firn.event-time.column=day", warehouse=warehouse).ok()  # fmt: skip
    for change, words in [
        (("drop", "id"), "identifies rows"), (("drop", "day"), "partition spec or the sort order"),
        (("drop", "name"), "partition spec or the sort order"), (("drop", "nope"), "no column"),
        (("rename", "n", "NAME"), "clashes"), (("required", "n"), "older rows"),
        (("default", "n", "1"), "version 3"), (("add", "x", "int", "--default", "1"), "version 3"),
        (("widen", "day", "timestamp"), "version 3"), (("move", "n", "--after", "os"), "no column"),
        (("identifier", "n"), "required"), (("add", "x", "int", "--required"), "default"),
    ]:  # fmt: skip
        error = firn("schema", change[0], TABLE, *change[1:], warehouse=warehouse).failed()
        assert words in error, error
    firn("schema", "move", TABLE, "n", warehouse=warehouse).usage_error()
    assert len(sql_catalog(warehouse).load_table(TABLE).metadata.schemas) == 1
    # What names a column follows it.
    firn("schema", "rename", TABLE, "day", "date", warehouse=warehouse).ok()
    assert sql_catalog(warehouse).load_table(TABLE).properties["firn.event-time.column"] == "date"


@pytest.mark.limit(180)
def test_records_in_the_log_survive(make_server, warehouse):
    """Acknowledged under the old schema, committed after columns were renamed and dropped, and after a crash."""
    server = make_server(warehouse, flush_interval_ms=3_600_000).start()
    client = Client(server)
    client.create_table(TABLE, SCHEMA)
    client.records(TABLE, ndjson(map(record, range(5)))).ok()
    operations = [
        {"op": "rename", "column": "name", "to": "title"}, {"op": "drop", "column": "n"},
        {"op": "drop", "column": "device.v"}, {"op": "move", "column": "day", "first": True},
    ]  # fmt: skip
    client.once("PATCH", table_path(TABLE) + "/schema", body={"operations": operations}).ok()
    client.records(TABLE, ndjson([{"id": 10, "title": "x"}])).ok()
    assert sql_catalog(warehouse).load_table(TABLE).current_snapshot() is None, "nothing is committed yet"
    server.kill()
    server = make_server(warehouse, flush_interval_ms=200).start()
    client = Client(server)
    client.flush(TABLE)
    expected = [
        {"day": datetime.date(2026, 1, 2), "id": n, "title": f"n{n}", "device": {"os": "linux"}} for n in range(5)
    ] + [{"day": None, "id": 10, "title": "x", "device": None}]
    for name, read in READERS.items():
        assert_same_records(read(warehouse, TABLE), expected, "id", name)


@pytest.mark.limit(180)
def test_partitions_change_beneath_a_stream(make_server, warehouse):
    """Rows that wait, and rows that come, find their place whatever the spec was when they were sent."""
    server = make_server(warehouse, flush_interval_ms=3_600_000).start()
    client = Client(server)
    client.create_table(TABLE, SCHEMA, partition="day")
    sent = 0

    def send(count=20):
        nonlocal sent
        client.records(TABLE, ndjson(map(record, range(sent, sent + count)))).ok()
        sent += count

    send()
    client.flush(TABLE)
    send()
    client.once("PATCH", table_path(TABLE), body={"partition": {"set": "bucket(4, id)"}, "sort": "id desc"}).ok()
    send()
    client.flush(TABLE)
    send()
    # Beside the server.
    firn("table", "partition", TABLE, "add", "truncate(2, name)", warehouse=warehouse).ok()
    firn("table", "partition", TABLE, "drop", "bucket(4, id)", warehouse=warehouse).ok()
    # The server sees it at one of its next looks at the catalog.
    deadline, specs = time.monotonic() + 60, set()
    while 3 not in specs:
        assert time.monotonic() < deadline, f"files of the specs {specs}"
        send()
        client.flush(TABLE)
        files = sql_catalog(warehouse).load_table(TABLE).inspect.files().to_pylist()
        specs = {file["spec_id"] for file in files}
    assert sum(file["record_count"] for file in files) == sent
    assert specs >= {0, 1, 3}
    for name, read in READERS.items():
        assert sorted(read(warehouse, TABLE).column("id").to_pylist()) == list(range(sent)), name
    found = firn("query", f"SELECT count(*) AS c FROM {TABLE} WHERE name = 'n7'", warehouse=warehouse).rows()
    assert found == [{"c": 1}]
