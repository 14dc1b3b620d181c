"""Traps of REST catalogs into which other servers have fallen, one test for each; every client named here fell in."""

import json
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid

import pyarrow as pa
import pytest

from support.cli import firn
from support.client import ndjson
from support.readers import read_pyiceberg, sql_catalog
from support.rest import SCHEMA, Rest, assert_error, duckdb_catalog, follow, move_main, path, pyiceberg_catalog
from support.shop import TABLE, ingest, rest, table  # noqa: F401 (fixtures)

# What ClickHouse adds its own numbers to.
TOTALS = {
    "total-records", "total-data-files", "total-delete-files", "total-files-size", "total-position-deletes",
    "total-equality-deletes",
}  # fmt: skip


def current(metadata: dict) -> dict:
    return next(s for s in metadata["snapshots"] if s["snapshot-id"] == metadata["current-snapshot-id"])


# Paths


def test_paths_come_back_to_the_letter(rest, table, warehouse):
    """Java compares the location in an answer with the one it has saved, as text."""
    ingest(rest, 1)
    add = follow(rest.load(TABLE)["metadata"])
    written = add["snapshot"]["manifest-list"]
    puffin = f"file://{warehouse}/shop/orders/metadata/a%20b.puffin"
    statistics = {
        "snapshot-id": add["snapshot"]["snapshot-id"], "statistics-path": puffin,
        "file-size-in-bytes": 1, "file-footer-size-in-bytes": 1, "blob-metadata": [],
    }  # fmt: skip
    updates = [add, move_main(add["snapshot"]["snapshot-id"]), {"action": "set-statistics", "statistics": statistics}]
    answer = rest.commit(TABLE, updates).ok().json
    for shown in (answer["metadata"], rest.load(TABLE)["metadata"]):
        assert current(shown)["manifest-list"] == written
        assert shown["statistics"][0]["statistics-path"] == statistics["statistics-path"]
    on_disk = json.loads(open(answer["metadata-location"].removeprefix("file://")).read())
    assert on_disk == answer["metadata"]
    # Tables made elsewhere may have another form in their files.
    odd = json.dumps(on_disk).replace("file:///", "file:/")
    copy = warehouse / "shop/orders/metadata/99999-odd.metadata.json"
    copy.write_text(odd)
    taken = rest.call("POST", "/namespaces/shop/register", {"name": "odd", "metadata-location": f"file://{copy}"})
    assert taken.status in (200, 400, 409), taken.text
    if taken.status == 200:
        assert taken.json["metadata"] == json.loads(odd)


def test_metadata_lies_below_the_location_as_text(rest, table):
    """ClickHouse cuts the one off the other."""
    staged = rest.create_table("shop.staged", **{"stage-create": True})
    assert staged["metadata"]["location"].startswith("file:///")
    ingest(rest, 1)
    rest.client.compact(TABLE)
    loaded = rest.load(TABLE)
    for text in (loaded["metadata-location"], *(s["manifest-list"] for s in loaded["metadata"]["snapshots"])):
        assert text.startswith(loaded["metadata"]["location"] + "/metadata/"), text
    assert loaded["metadata"]["location"].startswith("file:///")


# Totals


def test_every_snapshot_of_ours_has_all_totals(rest, table, warehouse):
    """ClickHouse inserts only after a snapshot that has them."""
    ingest(rest, 1, 2)
    ingest(rest, 3)
    firn("delete", TABLE, "--where", "id = 2", warehouse=warehouse).ok()
    rest.client.compact(TABLE)
    for snapshot in rest.load(TABLE)["metadata"]["snapshots"]:
        assert TOTALS <= set(snapshot["summary"]), snapshot["summary"]


def test_totals_are_found_again_after_a_snapshot_without(rest, table, warehouse):
    """DuckDB and Sail leave out the size."""
    ingest(rest, 1, 2)
    add = follow(rest.load(TABLE)["metadata"])
    rest.commit(TABLE, [add, move_main(add["snapshot"]["snapshot-id"])]).ok()
    assert "total-files-size" not in current(rest.load(TABLE)["metadata"])["summary"]
    ingest(rest, 3)
    summary = current(rest.load(TABLE)["metadata"])["summary"]
    assert TOTALS <= set(summary), summary
    files = rest.client.files(TABLE)
    assert int(summary["total-data-files"]) == len(files) and int(summary["total-records"]) == 3
    on_disk = sum(f.stat().st_size for f in (warehouse / "shop/orders/data").rglob("*.parquet"))
    assert int(summary["total-files-size"]) == on_disk


CLICKHOUSE_INSERT = """
import sys
from chdb.session import Session
session = Session()
session.query("SET allow_experimental_database_iceberg = 1")
session.query("SET allow_experimental_insert_into_iceberg = 1")
session.query(f"CREATE DATABASE lake ENGINE = DataLakeCatalog('{sys.argv[1]}/iceberg/v1')"
              " SETTINGS catalog_type = 'rest', warehouse = 'warehouse', vended_credentials = 0")
session.query("INSERT INTO lake.`shop.orders` VALUES (7, 'clickhouse')")
"""


def test_clickhouse_inserts_after_our_snapshots(rest, table, server, warehouse, tmp_path):
    pytest.importorskip("chdb", reason="chdb is not installed")
    ingest(rest, 1, 2)
    done = subprocess.run(
        [sys.executable, "-c", CLICKHOUSE_INSERT, server.url], capture_output=True, text=True, timeout=100, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ingest(rest, 8)
    assert sorted(read_pyiceberg(warehouse, TABLE)["id"].to_pylist()) == [1, 2, 7, 8]


# Folders and the catalog file


@pytest.mark.parametrize("stage", [False, True])
def test_a_new_table_has_its_folders(rest, warehouse, stage):
    """DuckDB writes into folders that nobody has made."""
    made = rest.create_table("shop.fresh", **{"stage-create": stage})
    folder = made["metadata"]["location"].removeprefix("file://")
    for name in ("data", "metadata"):
        assert (warehouse / "shop/fresh" / name).is_dir() and folder == f"{warehouse}/shop/fresh"


def test_a_busy_catalog_file_is_waited_for(rest, table, warehouse):
    """JdbcCatalog gives up with SQLITE_BUSY, and after an unknown outcome clients keep files for nothing."""
    other = sqlite3.connect(f"{warehouse}/catalog.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    released = []

    def release():
        released.append(True)
        other.execute("ROLLBACK")

    timer = threading.Timer(2, release)
    timer.start()
    rest.set_property(TABLE, "a", "b").ok()
    assert released, "the file was not busy"
    timer.join()
    other.close()
    assert rest.load(TABLE)["metadata"]["properties"]["a"] == "b"


def test_reads_do_not_wait_for_a_busy_catalog_file(rest, table, warehouse):
    ingest(rest, 1)
    with sqlite3.connect(f"{warehouse}/catalog.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        # Whoever waited would wait in vain: the file stays busy until these are answered.
        rest.load(TABLE)
        rest.ok("GET", "/namespaces/shop/tables")
        rest.ok("HEAD", path(TABLE))
        other.execute("ROLLBACK")


def test_pyiceberg_opens_the_catalog_file_beside_the_server(rest, table, server, warehouse):
    """The rows are those of PyIceberg's SqlCatalog and Java's JdbcCatalog; either side sees what the other commits."""
    direct = sql_catalog(warehouse)
    served = pyiceberg_catalog(server)
    direct.load_table(TABLE).append(pa.table({"id": pa.array([1], pa.int64()), "name": ["direct"]}))
    assert served.load_table(TABLE).scan().count() == 1
    served.load_table(TABLE).append(pa.table({"id": pa.array([2], pa.int64()), "name": ["rest"]}))
    assert direct.load_table(TABLE).scan().count() == 2
    direct.create_table("shop.direct", pa.schema([("a", pa.int64())]))
    assert rest.load("shop.direct")["metadata"]["schemas"]
    ingest(rest, 3)
    assert direct.load_table(TABLE).scan().count() == 3


# What clients send


def test_headers_and_queries_of_real_clients_are_put_up_with(rest, table):
    headers = {
        "X-Iceberg-Access-Delegation": "vended-credentials,remote-signing", "Authorization": "Bearer None",
        "X-Client-Version": "0.14.1", "User-Agent": "Java", "Accept": "*/*",
    }  # fmt: skip
    one = path(TABLE)
    for route in (one, one + "?snapshots=all", one + "?snapshots=refs", "/namespaces?pageToken=", "/config?warehouse=",
                  "/namespaces?parent=&pageToken=", "/namespaces/shop/tables?pageToken="):  # fmt: skip
        rest.ok("GET", route, headers=headers)
    prefixed = Rest(rest.client.server, prefix="some-prefix")
    assert prefixed.load(TABLE) == rest.load(TABLE)


@pytest.mark.parametrize("query", ["", "?purgeRequested=", "?purgeRequested=false", "?purgeRequested=False"])
def test_files_go_only_when_that_is_asked_for(rest, table, warehouse, query):
    """DuckDB and PyIceberg name the parameter whatever they want."""
    ingest(rest, 1)
    files = [*(warehouse / "shop/orders").rglob("*.parquet")]
    assert rest.ok("DELETE", path(TABLE) + query).status == 204
    assert files and all(file.exists() for file in files)


def test_the_lowest_namespace_has_nothing_below(rest):
    """ClickHouse walks down by `parent` and never ends on a server that ignores it."""
    rest.create_namespace("a", "b")
    seen, waiting = [], [[]]
    while waiting:
        parent = waiting.pop()
        query = "?parent=" + urllib.parse.quote("\x1f".join(parent)) if parent else ""
        below = rest.ok("GET", "/namespaces" + query).json["namespaces"]
        assert all(name[: len(parent)] == parent and len(name) == len(parent) + 1 for name in below)
        waiting += below
        seen += below
        assert len(seen) < 10
    assert sorted(seen) == [["a"], ["a", "b"], ["shop"]]


def test_looking_for_what_is_not_there_is_no_error_of_the_server(rest, table):
    """Sail and Spark look for a view before a table, and for tables in namespaces that do not exist."""
    rest.error("GET", "/namespaces/shop/views/orders", 404, "NoSuchViewException")
    rest.error("GET", "/namespaces/none/tables/orders", 404, "NoSuchTableException")
    for route in ("/namespaces/none", "/namespaces/none/tables/t", "/namespaces/shop/tables/none"):
        assert rest.call("HEAD", route).status == 404
    for name in ("orders$metrics", "orders.files", "%2e%2e", "a%2Fb", "a%00b", "%ff", "x" * 3000):
        assert rest.call("GET", f"/namespaces/shop/tables/{name}").status in (400, 404, 414)


# Commits as clients order them


NEW_PARTS = [
    {"action": "add-spec", "spec": {"spec-id": 1, "fields": [
        {"source-id": 3, "field-id": 1000, "name": "by", "transform": "identity"}]}},
    {"action": "set-default-spec", "spec-id": -1},
    {"action": "add-sort-order", "sort-order": {"order-id": 1, "fields": [
        {"source-id": 3, "transform": "identity", "direction": "asc", "null-order": "nulls-last"}]}},
    {"action": "set-default-sort-order", "sort-order-id": -1},
]  # fmt: skip
WIDER = SCHEMA | {"fields": SCHEMA["fields"] + [{"id": 3, "name": "day", "required": False, "type": "date"}]}


def assert_parts(metadata: dict) -> None:
    fields = metadata["schemas"][-1]["fields"]
    assert metadata["current-schema-id"] == metadata["schemas"][-1]["schema-id"] and fields[-1]["name"] == "day"
    spec = next(s for s in metadata["partition-specs"] if s["spec-id"] == metadata["default-spec-id"])
    assert [field["name"] for field in spec["fields"]] == ["by"] and metadata["default-sort-order-id"] == 1
    assert metadata["last-column-id"] == 3, "the deprecated number in add-schema is not believed"


def test_a_creation_binds_its_parts_to_the_schema_that_comes_with_them(rest):
    """DuckDB sends partitions and order before it says which schema is current."""
    staged = rest.create_table("shop.made", **{"stage-create": True})["metadata"]
    updates = [
        {"action": "assign-uuid", "uuid": staged["table-uuid"]},
        {"action": "upgrade-format-version", "format-version": 2},
        {"action": "add-schema", "schema": WIDER, "last-column-id": 77}, *NEW_PARTS,
        {"action": "set-location", "location": staged["location"]},
        {"action": "set-current-schema", "schema-id": -1},
    ]  # fmt: skip
    assert_parts(rest.commit("shop.made", updates, [{"type": "assert-create"}]).ok().json["metadata"])


def test_a_change_binds_its_parts_to_the_schema_that_comes_with_them(rest, table):
    updates = [
        {"action": "add-schema", "schema": WIDER | {"schema-id": 1}, "last-column-id": 77}, *NEW_PARTS,
        {"action": "set-current-schema", "schema-id": -1},
    ]  # fmt: skip
    assert_parts(rest.commit(TABLE, updates).ok().json["metadata"])


def test_one_commit_may_make_two_snapshots(rest, table):
    """PyIceberg's overwrite is a delete and an append."""
    ingest(rest, 1)
    metadata = rest.load(TABLE)["metadata"]
    first = follow(metadata)
    number = first["snapshot"]["snapshot-id"]
    behind = {"snapshot-id": number + 1, "parent-snapshot-id": number}
    second = follow(metadata, **behind, **{"sequence-number": metadata["last-sequence-number"] + 2})
    held = {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": metadata["current-snapshot-id"]}
    done = rest.commit(TABLE, [first, move_main(number), second, move_main(number + 1)], [held])
    shown = done.ok().json["metadata"]
    assert shown["current-snapshot-id"] == number + 1 and len(shown["snapshots"]) == len(metadata["snapshots"]) + 2
    assert current(shown)["parent-snapshot-id"] == number


@pytest.mark.parametrize("route", ["commit", "transaction"])
def test_a_stale_sequence_number_is_a_conflict_and_not_a_bad_request(rest, table, route):
    """A 400 or 500 keeps clients from trying again, and 500 makes Java keep its files."""
    ingest(rest, 1)
    stale = follow(rest.load(TABLE)["metadata"])
    ingest(rest, 2)
    change = {"identifier": {"namespace": ["shop"], "name": "orders"}, "requirements": [], "updates": [stale]}
    if route == "commit":
        answer = rest.call("POST", path(TABLE), change)
    else:
        answer = rest.call("POST", "/transactions/commit", {"table-changes": [change]})
    assert_error(answer, 409, "CommitFailedException")


def test_what_nobody_knows_is_refused_whole(rest, table):
    before = rest.load(TABLE)
    known = {"action": "set-properties", "updates": {"a": "b"}}
    for bad in ({"action": "set-future"}, {"action": None}, {}, {"action": "add-view-version"}):
        assert_error(rest.commit(TABLE, [known, bad]), 400, "BadRequestException")
    for bad in ({"type": "assert-future"}, {"type": None}, {}, {"type": "assert-view-uuid", "uuid": str(uuid.uuid4())}):
        assert_error(rest.commit(TABLE, [known], [bad]), 400, "BadRequestException")
    assert rest.load(TABLE) == before


def test_answers_that_nothing_changed_have_no_body_and_tags_tell_forms_apart(rest, table):
    tags = set()
    ingest(rest, 1)
    for query in ("", "?snapshots=refs"):
        answer = rest.ok("GET", path(TABLE) + query)
        tag = answer.headers["etag"]
        again = rest.call("GET", path(TABLE) + query, headers={"If-None-Match": tag})
        assert (again.status, again.text) == (304, "") and again.headers["etag"] == tag
        tags.add(tag)
    assert len(tags) == 2
    made = rest.ok("POST", "/namespaces/shop/tables", {"name": "t", "schema": SCHEMA})
    changed = rest.set_property("shop.t", "a", "b")
    assert made.headers["etag"] != changed.headers["etag"] == rest.ok("GET", path("shop.t")).headers["etag"]


def test_a_key_with_a_refusal_keeps_it_and_with_a_server_error_does_not(rest, table):
    """A definite answer comes again; a client may try again under the key of what was never decided."""
    key = {"Idempotency-Key": "0198c1d2-7e6f-7000-8000-000000000007"}
    body = {"name": "orders", "schema": SCHEMA}
    for _ in range(2):
        rest.error("POST", "/namespaces/shop/tables", 409, "AlreadyExistsException", body, headers=key)
    rest.ok("DELETE", path(TABLE))
    rest.error("POST", "/namespaces/shop/tables", 409, "AlreadyExistsException", body, headers=key)
    rest.ok("POST", "/namespaces/shop/tables", body)


def test_duckdb_makes_partitioned_tables_of_each_version(server, rest, warehouse):
    with duckdb_catalog(server) as lake:
        for version in (2, 3):
            name = f"lake.shop.v{version}"
            lake.execute(f"CREATE TABLE {name} (a INTEGER, b VARCHAR) WITH ('format-version' = '{version}')")
            lake.execute(f"INSERT INTO {name} SELECT i, 'r' || (i % 3) FROM range(9) r(i)")
            lake.execute(f"DELETE FROM {name} WHERE a = 4")
            assert lake.execute(f"SELECT count(*), sum(a) FROM {name}").fetchone() == (8, 32)
            ours = firn("query", f'SELECT sum(a) AS s FROM "shop.v{version}"', warehouse=warehouse)
            assert ours.rows() == [{"s": 32}]
    assert rest.load("shop.v3")["metadata"]["format-version"] == 3
