"""The command line: what it prints in every format, how it fails, and what it shows of every file it wrote."""

import csv
import io
import json
import os
import subprocess
from collections import Counter

import pyarrow.compute as pc
import pytest

from support.cli import firn
from support.client import Client, Producer
from support.flights import SHORT_SCHEMA
from support.readers import sql_catalog
from support.server import BINARY

TABLE = "shop.orders"
SCHEMA = "id long required, price decimal(9,2), at timestamptz, who string, tags list<string>, box struct<w int, h int>"
ORDERS = [
    {"id": 1, "price": "10.50", "at": "2026-11-21T10:00:00Z", "who": "Ann", "tags": ["a", "b"],
     "box": {"w": 1, "h": 2}},
    {"id": 2, "price": "0.99", "at": "2026-11-21T11:00:00.5Z", "who": 'Bo "the, one"', "tags": [], "box": None},
    {"id": 3, "price": None, "at": None, "who": None, "tags": None, "box": {"w": None, "h": 4}},
]  # fmt: skip


def lines(rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def orders(warehouse):
    """A table with two snapshots, made by the command line alone."""

    def cli(*arguments, **keywords):
        return firn(*arguments, warehouse=warehouse, **keywords)

    cli("table", "create", TABLE, SCHEMA).ok()
    cli("ingest", TABLE, "-", stdin=lines(ORDERS[:2])).ok()
    cli("ingest", TABLE, "-", stdin=lines(ORDERS[2:])).ok()
    return cli


def test_help_everywhere(warehouse):
    top = firn("--help").ok().stdout
    for command in ("serve", "demo", "table", "ingest", "query", "snapshots", "files", "compact", "schedule", "expire",
                    "gc", "inspect", "bench"):  # fmt: skip
        assert command in top, f"{command} is missing from firn --help"
        help_text = firn(command, "--help").ok().stdout
        assert "USAGE" in help_text and len(help_text.splitlines()) >= 5, command
    for command in ("create", "list", "show", "drop", "rename"):
        assert "USAGE" in firn("table", command, "--help").ok().stdout
    assert firn("--version").ok().stdout.strip()


def test_usage_errors(warehouse):
    assert "nonsense" in firn("nonsense").usage_error()
    assert "--sideways" in firn("table", "list", "--sideways", warehouse=warehouse).usage_error()
    firn("query", warehouse=warehouse).usage_error()
    firn("table", "create", "a.b", warehouse=warehouse).usage_error()
    firn("query", "SELECT 1", "--output", "papyrus", warehouse=warehouse).usage_error()
    assert not warehouse.exists(), "a usage error made a warehouse"


def test_errors_are_one_line(orders, tmp_path, warehouse):
    assert "shop.nothing" in orders("table", "show", "shop.nothing").failed()
    assert "shop.nothing" in orders("query", "SELECT * FROM shop.nothing").failed()
    assert "nope" in orders("query", "SELECT nope FROM shop.orders").failed()
    orders("query", "SELEC 1").failed()
    orders("query", "DELETE FROM shop.orders").failed()
    orders("query", "SELECT * FROM shop.orders FOR VERSION AS OF 12345").failed()
    orders("table", "create", TABLE, "id long").failed()
    orders("table", "create", "../evil", "id long").failed()
    orders("table", "create", "a.b", "id nonsense").failed()
    orders("table", "drop", "shop.nothing").failed()
    orders("compact", "shop.nothing").failed()
    orders("ingest", "shop.nothing", "-", stdin='{"id":1}\n').failed()
    firn("inspect", tmp_path / "missing.parquet").failed()
    (tmp_path / "noise.parquet").write_bytes(b"PAR1" + b"\0" * 100 + b"PAR1")
    firn("inspect", tmp_path / "noise.parquet").failed()
    assert str(tmp_path / "empty") in firn("table", "list", warehouse=tmp_path / "empty").failed()
    assert not (tmp_path / "empty").exists(), "a read-only command made a warehouse"


def test_create_list_show_rename_drop(warehouse):
    def cli(*arguments):
        return firn(*arguments, warehouse=warehouse)

    cli("table", "create", "a.events", SCHEMA, "--partition", "day(at)", "--property",
        "write.target-file-size-bytes=1048576").ok()  # fmt: skip
    iceberg_schema = {"type": "struct", "fields": [{"id": 1, "name": "x", "required": True, "type": "long"}]}
    cli("table", "create", "b.points", json.dumps(iceberg_schema)).ok()
    assert {row["table"] for row in cli("table", "list").rows()} == {"a.events", "b.points"}
    assert {row["table"] for row in json.loads(cli("table", "list", "--output", "json").ok().stdout)} == {
        "a.events", "b.points",
    }  # fmt: skip
    shown = cli("table", "show", "a.events", "--output", "table").ok().stdout
    for word in ("a.events", "price", "decimal(9, 2)", "timestamptz", "day", "write.target-file-size-bytes"):
        assert word in shown, word
    assert json.loads(cli("table", "show", "a.events", "--output", "json").ok().stdout)

    created = sql_catalog(warehouse).load_table("a.events")
    assert str(created.spec().fields[0].transform) == "day"
    assert created.properties["write.target-file-size-bytes"] == "1048576"

    cli("table", "rename", "b.points", "b.dots").ok()
    assert {row["table"] for row in cli("table", "list").rows()} == {"a.events", "b.dots"}
    cli("table", "drop", "b.dots").ok()
    assert {row["table"] for row in cli("table", "list").rows()} == {"a.events"}
    cli("table", "create", "a.events", "x long", "--if-not-exists").ok()
    cli("table", "show", "b.dots").failed()


def test_the_warehouse_from_the_environment(orders, warehouse):
    done = firn("query", f"SELECT count(*) AS n FROM {TABLE}", env={"FIRN_WAREHOUSE": str(warehouse)})
    assert done.rows() == [{"n": 3}]


def test_query_formats(orders):
    sql = f"SELECT id, price, who, tags, box FROM {TABLE} ORDER BY id"
    piped = orders("query", sql).rows()
    assert [row["id"] for row in piped] == [1, 2, 3]
    assert [row["who"] for row in piped] == ["Ann", 'Bo "the, one"', None]
    assert [float(row["price"]) for row in piped[:2]] == [10.5, 0.99] and piped[2]["price"] is None
    assert piped[0]["tags"] == ["a", "b"] and piped[0]["box"] == {"w": 1, "h": 2}
    assert piped[2]["tags"] is None and piped[2]["box"] == {"w": None, "h": 4}
    assert orders("query", sql, "--output", "ndjson").rows() == piped
    assert json.loads(orders("query", sql, "--output", "json").ok().stdout) == piped

    table = orders("query", sql, "--output", "csv").ok().stdout
    parsed = list(csv.reader(io.StringIO(table)))
    assert parsed[0] == ["id", "price", "who", "tags", "box"]
    assert [row[0] for row in parsed[1:]] == ["1", "2", "3"] and parsed[2][2] == 'Bo "the, one"'
    assert parsed[3][2] == ""

    aligned = orders("query", sql, "--output", "table").ok().stdout.splitlines()
    assert aligned[0].split()[:3] == ["id", "price", "who"]
    assert "Ann" in aligned[2] and "NULL" in aligned[4] and aligned[-1] == "(3 rows)"


def test_query_without_rows(orders):
    sql = f"SELECT id FROM {TABLE} WHERE id > 100"
    assert orders("query", sql).rows() == []
    assert json.loads(orders("query", sql, "--output", "json").ok().stdout) == []
    assert orders("query", sql, "--output", "csv").ok().stdout.split() == ["id"]
    assert "(0 rows)" in orders("query", sql, "--output", "table").ok().stdout


def test_time_travel(orders):
    snapshots = orders("query", f'SELECT * FROM "{TABLE}$snapshots" ORDER BY committed_at').rows()
    assert [s["operation"] for s in snapshots] == ["append", "append"]
    assert snapshots[0]["parent_id"] is None and snapshots[1]["parent_id"] == snapshots[0]["snapshot_id"]

    def ids(clause):
        return [row["id"] for row in orders("query", f"SELECT id FROM {TABLE} {clause} ORDER BY id").rows()]

    assert ids("") == [1, 2, 3]
    assert ids(f"FOR VERSION AS OF {snapshots[0]['snapshot_id']}") == [1, 2]
    assert ids(f"FOR VERSION AS OF {snapshots[1]['snapshot_id']}") == [1, 2, 3]
    assert ids(f"FOR TIMESTAMP AS OF '{snapshots[0]['committed_at']}'") == [1, 2]
    assert ids("FOR TIMESTAMP AS OF '2100-01-01T00:00:00Z'") == [1, 2, 3]
    before = orders("query", f"SELECT id FROM {TABLE} FOR TIMESTAMP AS OF '2000-01-01T00:00:00Z'")
    assert before.failed()

    listed = orders("snapshots", TABLE).rows()
    assert [s["snapshot-id"] for s in listed] == [s["snapshot_id"] for s in snapshots]


def test_files(orders, warehouse):
    by_sql = orders("query", f'SELECT file_path, record_count, file_size_in_bytes FROM "{TABLE}$files"').rows()
    assert sorted(row["record_count"] for row in by_sql) == [1, 2]
    for row in by_sql:
        assert (warehouse / row["file_path"].removeprefix(f"file://{warehouse}/")).stat().st_size == (
            row["file_size_in_bytes"]
        )
    by_command = orders("files", TABLE).rows()
    assert {row["file_path"] for row in by_command} == {row["file_path"] for row in by_sql}
    theirs = sql_catalog(warehouse).load_table(TABLE).inspect.files().column("file_path").to_pylist()
    assert {row["file_path"] for row in by_sql} == set(theirs)


def test_compact_reports_before_and_after(orders, warehouse):
    report = json.loads(orders("compact", TABLE).ok().stdout)
    assert (report["files-before"], report["files-after"], report["rows"]) == (2, 1, 3)
    assert report["bytes-before"] > report["bytes-after"] > 0
    assert len(orders("files", TABLE).rows()) == 1
    assert [row["id"] for row in orders("query", f"SELECT id FROM {TABLE} ORDER BY id").rows()] == [1, 2, 3]
    assert orders("query", f'SELECT operation FROM "{TABLE}$snapshots" ORDER BY committed_at').rows()[-1] == {
        "operation": "replace"
    }
    orders("compact", TABLE).ok()  # Nothing left to do is no failure.


def test_expire_keeps_the_newest(orders):
    newest = orders("query", f'SELECT snapshot_id FROM "{TABLE}$snapshots" ORDER BY committed_at DESC LIMIT 1').rows()
    orders("expire", TABLE, "--older-than", "1h", "--retain-last", 1).ok()
    assert len(orders("snapshots", TABLE).rows()) == 2, "both are younger than an hour"
    orders("expire", TABLE, "--older-than", "1ms", "--retain-last", 1).ok()
    assert [row["snapshot-id"] for row in orders("snapshots", TABLE).rows()] == [newest[0]["snapshot_id"]]
    assert [row["id"] for row in orders("query", f"SELECT id FROM {TABLE} ORDER BY id").rows()] == [1, 2, 3]
    orders("expire", TABLE, "--older-than", "soon").failed()


def test_inspect_every_kind_of_file(orders, warehouse):
    root = warehouse / "shop" / "orders"
    metadata = sorted(root.glob("metadata/*.metadata.json"))[-1]
    assert TABLE.split(".")[1] in firn("inspect", metadata).ok().stdout

    table = sql_catalog(warehouse).load_table(TABLE)
    snapshot = table.current_snapshot()
    manifest_list = snapshot.manifest_list.removeprefix("file://")
    manifests = [m.manifest_path.removeprefix("file://") for m in snapshot.manifests(table.io)]
    data = [task.file.file_path.removeprefix("file://") for task in table.scan().plan_files()]

    assert "manifest_path" in firn("inspect", manifest_list).ok().stdout
    rows = firn("inspect", manifest_list, "--rows").rows()
    assert sorted(row["manifest_path"] for row in rows) == sorted(f"file://{path}" for path in manifests)
    entries = [row for path in manifests for row in firn("inspect", path, "--rows").rows()]
    assert sorted(entry["data_file"]["file_path"] for entry in entries) == sorted(f"file://{path}" for path in data)

    for path in data:
        shown = firn("inspect", path).ok().stdout
        for word in ("price", "ZSTD"):
            assert word.lower() in shown.lower(), word
    rows = sorted((row for path in data for row in firn("inspect", path, "--rows").rows()), key=lambda r: r["id"])
    assert [row["who"] for row in rows] == [order["who"] for order in ORDERS]
    assert [row["tags"] for row in rows] == [order["tags"] for order in ORDERS]
    assert [row["box"] for row in rows] == [order["box"] for order in ORDERS]

    segments = [path for path in (warehouse / "wal").iterdir() if path.is_file() and path.stat().st_size > 4096]
    assert segments, "no log segment on disk"
    assert "position" in firn("inspect", segments[0]).ok().stdout.lower()


def test_ingest_reports_bad_lines(orders):
    done = orders("ingest", TABLE, "-", stdin='{"id":7}\n{nope}\n{"id":"x"}\n{"id":8}\n')
    assert done.code == 1
    assert "accepted 2, rejected 2" in done.stdout
    assert "line 2" in done.stderr and "line 3" in done.stderr and "id" in done.stderr
    found = orders("query", f"SELECT id FROM {TABLE} WHERE id > 3 ORDER BY id").rows()
    assert [row["id"] for row in found] == [7, 8]


def test_ingest_a_file_and_query_it(flights, warehouse, tmp_path):
    """60,000 real records from a file; SQL answers equal Arrow's."""
    source = tmp_path / "flights.ndjson"
    count = 60_000
    source.write_bytes(b"".join(flights.lines[:count]))
    expected = flights.table.slice(0, count)

    def cli(*arguments):
        return firn(*arguments, warehouse=warehouse)

    cli("table", "create", "nyc.flights", SHORT_SCHEMA).ok()
    cli("ingest", "nyc.flights", source, "--producer", "file").ok()
    cli("ingest", "nyc.flights", source, "--producer", "file").ok()  # Goes on where it stopped: at the end.

    def query(sql):
        return cli("query", sql).rows()

    assert query("SELECT count(*) AS n, count(dep_delay) AS d FROM nyc.flights") == [
        {"n": count, "d": count - expected["dep_delay"].null_count}
    ]
    by_carrier = query("SELECT carrier, count(*) AS n FROM nyc.flights GROUP BY carrier")
    assert {row["carrier"]: row["n"] for row in by_carrier} == Counter(expected["carrier"].to_pylist())
    late = query("SELECT sum(distance) AS s FROM nyc.flights WHERE dep_delay > 60 AND origin = 'JFK'")
    mask = pc.and_(pc.greater(expected["dep_delay"], 60), pc.equal(expected["origin"], "JFK"))
    assert late == [{"s": pc.sum(expected.filter(mask)["distance"]).as_py()}]
    sql = "SELECT count(*) AS n FROM nyc.flights WHERE time_hour >= '2013-01-15T00:00:00Z'"
    moments = [moment.isoformat() >= "2013-01-15T00:00:00+00:00" for moment in expected["time_hour"].to_pylist()]
    assert query(sql) == [{"n": sum(moments)}]
    joined = query(
        "SELECT count(*) AS n FROM nyc.flights a JOIN (SELECT DISTINCT tailnum FROM nyc.flights WHERE month = 1"
        " AND day = 1) b ON a.tailnum = b.tailnum"
    )
    first = expected.filter(pc.and_(pc.equal(expected["month"], 1), pc.equal(expected["day"], 1)))
    tails = set(first["tailnum"].drop_null().to_pylist())
    assert joined == [{"n": sum(tail in tails for tail in expected["tailnum"].to_pylist())}]


def test_input_that_cannot_be_read_is_no_end(server, client, warehouse):
    """Else a disk that fails in the middle of a file would end it there."""
    client.create_table(TABLE, "id long")
    command = [BINARY, "ingest", TABLE, "-", "--url", server.url]
    folder = os.open(warehouse, os.O_RDONLY)
    try:
        done = subprocess.run(command, stdin=folder, capture_output=True, text=True, timeout=60)
    finally:
        os.close(folder)
    assert done.returncode == 1 and "cannot read standard input: Is a directory" in done.stderr


def test_through_a_server(server, client, warehouse, tmp_path):
    """--url: the log belongs to the running server, so records go through it; a direct ingest says so."""
    client.create_table(TABLE, SCHEMA)
    line = firn("ingest", TABLE, "-", stdin='{"id":1}\n', warehouse=warehouse).failed()
    assert "running" in line
    firn("ingest", TABLE, "-", "--url", server.url, stdin='{"id":1}\n', warehouse=warehouse).ok()
    client.flush(TABLE)
    assert firn("query", f"SELECT id FROM {TABLE}", warehouse=warehouse).rows() == [{"id": 1}]
    # A second server on the same warehouse refuses at once.
    assert "running" in firn("serve", "--port", "0", warehouse=warehouse).failed()


def test_queries_over_http_see_what_was_acknowledged(make_server, warehouse):
    """G5: a reader that comes through the server sees every record acknowledged before it asked, flushed or not."""
    server = make_server(warehouse, flush_interval_ms=60_000).start()
    client = Client(server)
    client.create_table(TABLE, SCHEMA)
    producer = Producer(client, TABLE, "p")
    for number in range(1, 6):
        producer.send(b'{"id":%d}\n' % number)
        answer = client.once("POST", "/v1/query", body={"sql": f"SELECT count(*) AS n FROM {TABLE}"}).ok()
        assert [json.loads(line) for line in answer.text.splitlines()] == [{"n": number}]
    headers = {"Accept": "text/csv"}
    answer = client.once("POST", "/v1/query", body={"sql": f"SELECT max(id) AS m FROM {TABLE}"}, headers=headers)
    assert answer.ok().text.split() == ["m", "5"]
    client.once("POST", "/v1/query", body={"sql": "SELEC"}).problem(400)
    client.once("POST", "/v1/query", body={"sql": "SELECT * FROM shop.none"}).problem(404)


def test_health_and_description(server, client):
    assert client.once("GET", "/healthz").status == 200
    assert client.once("GET", "/readyz").status == 200
    assert "# TYPE" in client.once("GET", "/metrics").ok().text
    assert client.once("GET", "/openapi.yaml").ok().text.startswith("openapi:")


@pytest.mark.limit(240)
def test_demo_runs_twice(warehouse):
    """The newcomer's first command: it ends by itself with exit code 0, also on a warehouse it has used before."""
    for _ in range(2):
        done = firn("demo", "--seconds", 3, warehouse=warehouse, timeout=110).ok()
        assert "none lost" in done.stdout and "pyiceberg" in done.stdout.lower()


@pytest.mark.limit(120)
def test_bench_prints_its_two_numbers():
    done = firn("bench", "ingest", "--rows", 50_000, "--workload", "flights", timeout=100).ok()
    assert "MB/s" in done.stdout and "p99" in done.stdout
