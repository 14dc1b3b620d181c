"""G3, G2: a request for several tables lands in all of them or in none, is committed in one transaction, and once."""

import json
import sqlite3
import threading
import time

import pytest

from support.client import NDJSON, Client
from support.readers import duckdb_connection, read_duckdb, read_pyiceberg, sql_catalog

SCHEMA = "id long required, note string"
TABLES = ("shop.orders", "shop.lines", "audit.log")


@pytest.fixture
def tables(client):
    for table in TABLES:
        client.create_table(table, SCHEMA)
    return TABLES


def lines(*records) -> bytes:
    return b"".join(json.dumps({"table": t, "record": r}).encode() + b"\n" for t, r in records)


def post(client, data: bytes, *, content_type=NDJSON, retry=False, **headers):
    call = client.until_answered if retry else client.once
    return call("POST", "/v1/records", data=data, headers={"Content-Type": content_type} | headers)


def ids(client, table) -> list[int]:
    answer = client.once("POST", "/v1/query", data=f"SELECT id FROM {table} ORDER BY id")
    return [json.loads(line)["id"] for line in answer.ok().text.splitlines()]


def test_every_table_gets_its_records(client, tables):
    answer = post(client, lines(("shop.orders", {"id": 1}), ("shop.lines", {"id": 10}), ("shop.orders", {"id": 2})))
    body = answer.ok().json
    assert (body["accepted"], body["state"], body["duplicate"]) == (3, "durable", False)
    assert body["tables"] == {"shop.lines": {"accepted": 1}, "shop.orders": {"accepted": 2}}
    assert ids(client, "shop.orders") == [1, 2] and ids(client, "shop.lines") == [10]


def test_sections_of_a_json_body(client, tables):
    sections = [
        {"table": "shop.orders", "records": [{"id": 1, "note": "a\nb"}, {"id": 2}]},
        {"records": [{"id": 3}], "table": "audit.log"},
    ]
    body = post(client, json.dumps(sections, indent=1).encode(), content_type="application/json").ok().json
    assert body["accepted"] == 3 and body["tables"]["audit.log"] == {"accepted": 1}
    assert ids(client, "audit.log") == [3]


def test_one_bad_record_keeps_all_tables_as_they_were(client, tables):
    data = lines(("shop.orders", {"id": 1}), ("shop.lines", {"id": "x"}), ("audit.log", {"id": 3}))
    problem = post(client, data).problem(422, "records_rejected")
    assert [(r["line"], r["column"], r["code"]) for r in problem["rejected"]] == [(2, "id", "wrong_type")]
    assert all(ids(client, table) == [] for table in tables)


@pytest.mark.parametrize(
    "data, code",
    [
        (b'{"table":"shop.orders","record":{"id":1}', "malformed_json"),
        (b'{"table":"shop.orders","record":[1]}', "bad_section"),
        (b'{"table":"shop.orders"}', "bad_section"),
        (b'{"table":7,"record":{"id":1}}', "bad_section"),
        (b'{"table":"shop.orders","record":{"id":1},"x":1}', "bad_section"),
        (b'{"table":"orders","record":{"id":1}}', "bad_identifier"),
        (b'{"table":"shop.orders","record":{"id":1}}\n{"id":2}', "bad_section"),
        (b"\n\n", "empty_body"),
    ],
)
def test_a_broken_frame_is_refused(client, tables, data, code):
    post(client, data).problem(400, code)
    assert ids(client, "shop.orders") == []


def test_a_missing_table_keeps_the_others_as_they_were(client, tables):
    data = lines(("shop.orders", {"id": 1}), ("shop.nothing", {"id": 2}))
    post(client, data).problem(404, "table_not_found")
    assert ids(client, "shop.orders") == []


def test_a_retry_lands_once_also_after_a_kill(server, client, tables):
    data = lines(("shop.orders", {"id": 1}), ("shop.lines", {"id": 2}))
    first = post(client, data, **{"Idempotency-Key": "k"}).ok().json
    server.kill()
    server.start()
    again = post(client, data, **{"Idempotency-Key": "k"}).ok().json
    assert again["duplicate"] and again["position"] == first["position"] and again["tables"] == first["tables"]
    # The same key with other tables is not the same request.
    other = lines(("shop.orders", {"id": 1}), ("audit.log", {"id": 2}))
    post(client, other, **{"Idempotency-Key": "k"}).problem(409, "stamp_used")
    assert ids(client, "shop.orders") == [1] and ids(client, "audit.log") == []


def test_waiting_for_the_commit_names_the_snapshots(client, warehouse, tables):
    data = lines(("shop.orders", {"id": 1}), ("shop.lines", {"id": 2}))
    body = post(client, data, Prefer="wait=committed").ok().json
    assert body["state"] == "committed"
    catalog = sql_catalog(warehouse)
    for table in ("shop.orders", "shop.lines"):
        assert catalog.load_table(table).current_snapshot().snapshot_id == body["tables"][table]["snapshot-id"]


@pytest.mark.limit(120)
def test_no_reader_sees_half_a_request(make_server, warehouse):
    """While pairs stream in and the server is killed, both tables always hold the same ids in one catalog state."""
    server = make_server(warehouse, flush_interval_ms=20).start()
    client = Client(server)
    for table in ("pair.left", "pair.right"):
        # A reader that is slow to open what the catalog named must not find it collected after a hundred commits.
        client.create_table(table, SCHEMA, properties={"write.metadata.delete-after-commit.enabled": "false"})
    stop = threading.Event()
    sent, failures = [], []

    def send():
        mine = Client(server)
        try:
            while not stop.is_set():
                number = len(sent) + 1
                data = lines(*[(t, {"id": number}) for t in ("pair.left", "pair.right")])
                post(mine, data, retry=True, **{"Firn-Producer": "p", "Firn-Sequence": str(number)}).ok()
                sent.append(number)
                # What goes to one table alone must not tear the pairs apart.
                mine.records("pair.left", b'{"id":-1}\n', retry=True).ok()
        except BaseException as failure:
            failures.append(failure)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        for life in range(4):
            time.sleep(0.7)
            assert_pairs(warehouse)
            server.kill()
            assert_pairs(warehouse)
            server.start()
    finally:
        stop.set()
        sender.join()
    assert not failures, failures
    assert sent
    for table in ("pair.left", "pair.right"):
        client.flush(table)
    assert_pairs(warehouse)
    for read in (read_pyiceberg, read_duckdb):
        assert sorted(read(warehouse, "pair.right")["id"].to_pylist()) == sorted(sent)


def assert_pairs(warehouse):
    """Reads both tables' pointers in one statement of the catalog, then what they point to."""
    with sqlite3.connect(f"file:{warehouse}/catalog.db?mode=ro", uri=True, timeout=30) as catalog:
        rows = dict(
            catalog.execute("SELECT table_name, metadata_location FROM iceberg_tables WHERE table_namespace = 'pair'")
        )
    with duckdb_connection() as engine:
        left, right = (
            {i for (i,) in engine.execute(f"SELECT id FROM iceberg_scan('{rows[t]}') WHERE id >= 0").fetchall()}
            for t in ("left", "right")
        )
    assert left == right
