"""G1, G2, G4: 336,776 real rows over HTTP, `kill -9` in the middle, and three engines that return just the source."""

import random
import sqlite3
from contextlib import closing

import pyarrow as pa
import pytest

from support import chaos
from support.client import Client, Producer
from support.flights import SHORT_SCHEMA
from support.readers import READERS, assert_same_rows, sql_catalog

TABLE = "nyc.flights"
BATCH_ROWS = 2000
KILLS = 10


@pytest.mark.limit(240)
def test_every_flight_arrives_once_through_ten_kills(flights, make_server, warehouse):
    server = make_server(warehouse, flush_interval_ms=200).start()
    client = Client(server)
    client.create_table(TABLE, SHORT_SCHEMA)
    bodies = list(flights.batches(BATCH_ROWS))
    killed_at = set(random.Random(chaos.SEED).sample(range(5, len(bodies) - 5), KILLS))
    killer = chaos.KillDuringRequest(server, chaos.SEED, delay_max_s=0.04)

    producer = Producer(client, TABLE, "flights")
    retried = duplicates = acknowledged = 0
    for index, body in enumerate(bodies):
        if index in killed_at:
            killer.arm()
        answer = producer.send(body)
        assert answer.json["rejected"] == []
        assert answer.json["accepted"] == body.count(b"\n")
        acknowledged += answer.json["accepted"]
        retried += answer.attempts > 1
        duplicates += answer.json["duplicate"]
    killer.settle()
    assert killer.kills == KILLS and server.lives == KILLS + 1
    assert acknowledged == flights.table.num_rows
    assert retried, "no kill hit a request: nothing was proven"

    # A retry of the newest batch after everything is still recognised, and the producer can ask where it stands.
    assert client.records(TABLE, bodies[-1], headers=producer.stamp()).ok().json["duplicate"] is True
    client.flush(TABLE)
    state = client.once("GET", "/v1/tables/nyc/flights/producers/flights").ok().json
    assert state["durable-sequence"] == state["committed-sequence"] == len(bodies)
    assert server.stop() == 0

    for engine, read in READERS.items():
        assert_same_rows(read(warehouse, TABLE), flights.table, engine)
    summary = sql_catalog(warehouse).load_table(TABLE).current_snapshot().summary
    assert summary["total-records"] == str(flights.table.num_rows)
    print(f"{KILLS} kills, {retried} batches retried, {duplicates} of them already durable")


def test_a_clean_stop_commits_everything(flights, make_server, warehouse):
    """SIGTERM drains: rows acknowledged a moment before are in the table, though no flush interval has passed."""
    server = make_server(warehouse, flush_interval_ms=60_000).start()
    client = Client(server)
    client.create_table(TABLE, SHORT_SCHEMA)
    producer = Producer(client, TABLE, "flights")
    rows = 5000
    for body in flights.batches(1000, stop=rows):
        assert producer.send(body).json["state"] == "durable"
    assert server.stop() == 0
    for engine, read in READERS.items():
        assert_same_rows(read(warehouse, TABLE), flights.table.slice(0, rows), engine)


def test_uncommitted_rows_survive_a_kill(flights, make_server, warehouse):
    """G1 alone: nothing was flushed before the kill, so everything comes from the log's replay."""
    server = make_server(warehouse, flush_interval_ms=60_000).start()
    client = Client(server)
    client.create_table(TABLE, SHORT_SCHEMA)
    producer = Producer(client, TABLE, "flights")
    rows = 20_000
    for body in flights.batches(1000, stop=rows):
        producer.send(body)
    assert client.snapshots(TABLE) == []
    server.restart_after_kill()
    client.flush(TABLE)
    for engine, read in READERS.items():
        assert_same_rows(read(warehouse, TABLE), flights.table.slice(0, rows), engine)


def test_waiting_for_the_commit(flights, server, client, warehouse):
    """`Prefer: wait=committed` answers with a snapshot that holds the rows."""
    client.create_table(TABLE, SHORT_SCHEMA)
    body = next(flights.batches(500))
    answer = Producer(client, TABLE, "flights").send(body, wait_committed=True)
    assert answer.json["state"] == "committed"
    snapshot_id = answer.json["snapshot-id"]
    for engine, read in READERS.items():
        assert_same_rows(read(warehouse, TABLE, snapshot_id), flights.table.slice(0, 500), engine)


def test_json_arrays_and_compressed_bodies(flights, server, client, warehouse):
    """The same records as an array, as one object, gzipped and as zstd frames."""
    import gzip

    import zstandard

    client.create_table(TABLE, SHORT_SCHEMA)
    lines = [line.rstrip(b"\n") for line in flights.lines[:400]]
    array = b"[" + b",\n".join(lines[:100]) + b"]"
    json_type = "application/json"
    assert client.records(TABLE, array, content_type=json_type).ok().json["accepted"] == 100
    assert client.records(TABLE, lines[100], content_type=json_type).ok().json["accepted"] == 1
    packed = gzip.compress(b"\n".join(lines[101:200]))
    assert client.records(TABLE, packed, headers={"Content-Encoding": "gzip"}).ok().json["accepted"] == 99
    packed = zstandard.compress(b"\n".join(lines[200:400]))
    assert client.records(TABLE, packed, headers={"Content-Encoding": "zstd"}).ok().json["accepted"] == 200
    client.flush(TABLE)
    for engine, read in READERS.items():
        assert_same_rows(read(warehouse, TABLE), flights.table.slice(0, 400), engine)


def test_senders_are_told_apart(server, client, warehouse):
    """Sequences, epochs and idempotency keys: repeated is recognised, older is fenced, each exactly once."""
    table = "app.events"
    client.create_table(table, "id long required, text string")
    row = b'{"id":%d,"text":"x"}\n'

    producer = Producer(client, table, "one")
    first = producer.send(row % 1)
    assert first.json["duplicate"] is False
    again = client.records(table, row % 1, headers=producer.stamp(1)).ok()
    assert again.json["duplicate"] is True and again.json["accepted"] == 1
    producer.sequence = 999  # Gaps are allowed: a source's offset serves as the sequence.
    assert producer.send(row % 2).json["duplicate"] is False
    assert client.records(table, row % 3, headers=producer.stamp(500)).ok().json["duplicate"] is True

    successor = Producer(client, table, "one", epoch=2, sequence=1000)
    assert successor.send(row % 4).json["duplicate"] is False
    producer.sequence = 5000
    client.records(table, row % 5, headers=producer.stamp()).problem(409, "producer_fenced")

    key = {"Idempotency-Key": "a3f1"}
    assert client.records(table, row % 6, headers=key).ok().json["duplicate"] is False
    repeated = client.records(table, row % 6, headers=key).ok()
    assert repeated.json["duplicate"] is True and repeated.json["accepted"] == 1

    client.flush(table)
    server.restart_after_kill()
    assert client.records(table, row % 6, headers=key).ok().json["duplicate"] is True
    assert client.records(table, row % 4, headers=successor.stamp()).ok().json["duplicate"] is True
    client.records(table, row % 5, headers=producer.stamp()).problem(409, "producer_fenced")
    client.flush(table)
    expected = pa.table({"id": pa.array([1, 2, 4, 6], pa.int64()), "text": ["x"] * 4})
    for engine, read in READERS.items():
        found = read(warehouse, table).cast(pa.schema([("id", pa.int64()), ("text", pa.string())]))
        assert_same_rows(found, expected, engine)


@pytest.mark.parametrize(
    "headers",
    [
        {"Firn-Producer": "p"},
        {"Firn-Producer": "p", "Firn-Epoch": "1", "Firn-Sequence": "one"},
        {"Firn-Producer": "p", "Firn-Epoch": "-1", "Firn-Sequence": "1"},
        {"Firn-Producer": "p" * 300, "Firn-Epoch": "1", "Firn-Sequence": "1"},
        {"Firn-Producer": "p", "Firn-Epoch": "1", "Firn-Sequence": "1", "Idempotency-Key": "k"},
        {"Firn-Sequence": "1"},
        {"Idempotency-Key": ""},
        {"Idempotency-Key": "k" * 300},
    ],
    ids=["half", "text", "negative", "long-producer", "both", "no-producer", "empty-key", "long-key"],
)
def test_a_malformed_identity_is_refused(server, client, headers):
    client.create_table("app.events", "id long")
    client.records("app.events", b'{"id":1}', headers=headers).problem(400, "bad_header")
    assert client.snapshots("app.events") == []


def test_memory_bound_answers_429(make_server, warehouse):
    """G7: more uncommitted bytes than the limit get `Retry-After`, and a patient client loses nothing."""
    table = "app.events"
    server = make_server(warehouse, flush_interval_ms=2000, options=("--memory-limit-mb", "16")).start()
    client = Client(server)
    client.create_table(table, "id long required, text string")
    refused = sent = 0
    # However slow the sender is: nothing is committed, and so nothing let go, while somebody else writes the catalog.
    with closing(sqlite3.connect(warehouse / "catalog.db", timeout=60, isolation_level=None)) as catalog:
        catalog.execute("BEGIN IMMEDIATE")
        for first in range(0, 40_000, 1000):
            rows = [b'{"id":%d,"text":"%s"}\n' % (first + i, b"y" * 2000) for i in range(1000)]
            headers = {"Idempotency-Key": f"batch-{first}"}
            answer = client.records(table, b"".join(rows), headers=headers)
            if answer.status == 429:
                refused += 1
                assert int(answer.headers["retry-after"]) >= 1
                answer.problem(429)
                if catalog.in_transaction:
                    catalog.execute("ROLLBACK")
                answer = client.records(table, b"".join(rows), headers=headers, retry=True)
            sent += answer.ok().json["accepted"]
    assert refused, "80 MB into a 16 MB budget and nobody was asked to wait"
    client.flush(table)
    ids = sorted(READERS["pyiceberg"](warehouse, table).column("id").to_pylist())
    assert ids == list(range(sent)) and sent == 40_000
