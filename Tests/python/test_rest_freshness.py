"""G5 through the REST catalog: who loads a table sees what was acknowledged before, at the price of few snapshots.

`FIRN_FRESHNESS_ROUNDS` sets how often each engine counts. A round takes at least as long as the interval between two
snapshots of readers, 200 ms; `FIRN_FRESHNESS_INTERVAL_MS` sets a shorter one, so that long runs end.
"""

import os
import statistics
import threading
import time

import pytest

from support.client import Client, ndjson
from support.rest import Rest, duckdb_catalog, path, pyiceberg_catalog

ROUNDS = int(os.environ.get("FIRN_FRESHNESS_ROUNDS", "20"))
INTERVAL_MS = os.environ.get("FIRN_FRESHNESS_INTERVAL_MS", "200")
TABLE = "app.fresh"
LOOK_EVERY = 100
# So that no snapshot expires between two looks, for a round makes one and a compaction perhaps another, and that the
# history of a long run stays short.
HISTORY = {"history.expire.min-snapshots-to-keep": str(5 * LOOK_EVERY), "history.expire.max-snapshot-age-ms": "1000"}


@pytest.fixture
def started(make_server, warehouse):
    """The flush interval is far longer than a test: only asking makes rows visible."""
    server = make_server(warehouse, flush_interval_ms=600_000).start()
    client = Client(server)
    client.create_table(TABLE, "id long")
    return server, client


def appends(client) -> list:
    """The snapshots that records made, without those of compactions."""
    return [s for s in client.snapshots(TABLE) if s["summary"]["operation"] == "append"]


def total(metadata: dict) -> int:
    current = [s for s in metadata["snapshots"] if s["snapshot-id"] == metadata["current-snapshot-id"]]
    return int(current[0]["summary"]["total-records"]) if current else 0


@pytest.mark.limit(60 + 2 * ROUNDS)
@pytest.mark.parametrize("engine", ["pyiceberg", "duckdb"])
def test_a_count_after_an_acknowledgement_is_complete(started, engine):
    server, client = started
    rest = Rest(server)
    for key, value in (HISTORY | {"firn.read.min-snapshot-interval-ms": INTERVAL_MS}).items():
        rest.set_property(TABLE, key, value).ok()
    # Commits without snapshots in between, whose times are later than those of records that wait.
    client.once("PUT", "/v1/tables/app/fresh/schedules/tidy", body={"every": "1s", "action": "expire"}).ok()
    if engine == "duckdb":
        lake = duckdb_catalog(server)

        def count():
            return lake.execute(f"SELECT count(*) FROM lake.{TABLE}").fetchone()[0]
    else:
        catalog = pyiceberg_catalog(server)

        def count():
            return catalog.load_table(TABLE).scan().count()

    sent, times, made = 0, [], {}
    for number in range(ROUNDS):
        began = time.monotonic()
        client.records(TABLE, ndjson({"id": sent + n} for n in range(number % 7 + 1))).ok()
        sent += number % 7 + 1
        assert count() == sent, f"round {number}"
        times.append(1000 * (time.monotonic() - began))
        if (number + 1) % LOOK_EVERY == 0 or number + 1 == ROUNDS:
            made |= {s["sequence-number"]: s["summary"]["operation"] for s in client.snapshots(TABLE)}
    assert sorted(made) == list(range(1, len(made) + 1)), "snapshots came and went between two looks"
    of_records = [*made.values()].count("append")
    assert 0 < of_records <= ROUNDS
    times.sort()
    print(
        f"\n{engine}: {ROUNDS} rounds, {of_records} snapshots of records and {len(made) - of_records} of compactions,"
        f" a round {statistics.median(times):.0f} ms, p99 {times[len(times) * 99 // 100]:.0f} ms"
    )


def test_reads_of_an_idle_table_make_nothing(started):
    server, client = started
    rest = Rest(server)
    client.records(TABLE, ndjson([{"id": 1}])).ok()
    first = rest.load(TABLE)
    for _ in range(50):
        assert rest.load(TABLE) == first
    assert len(client.snapshots(TABLE)) == 1


def test_only_loading_commits(started):
    server, client = started
    rest = Rest(server)
    client.records(TABLE, ndjson([{"id": 1}])).ok()
    rest.ok("HEAD", path(TABLE))
    rest.ok("GET", "/namespaces/app/tables")
    rest.set_property(TABLE, "a", "b").ok()
    assert client.snapshots(TABLE) == []
    assert total(rest.load(TABLE)["metadata"]) == 1


def test_readers_share_commits(started):
    """Many readers and a sender that never stops: every read is complete, and there are few snapshots."""
    server, client = started
    acknowledged, failures = [0], []
    stop = threading.Event()

    def send():
        sender = Client(server)
        while not stop.is_set():
            sender.records(TABLE, ndjson([{"id": acknowledged[0]}])).ok()
            acknowledged[0] += 1

    def read():
        reader = Rest(server)
        while not stop.is_set():
            before = acknowledged[0]
            seen = total(reader.load(TABLE)["metadata"])
            if seen < before:
                failures.append((before, seen))
                return
            reads.append(1)

    reads: list = []
    threads = [threading.Thread(target=send)] + [threading.Thread(target=read) for _ in range(8)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    time.sleep(3)
    stop.set()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    assert not failures
    snapshots = len(appends(client))
    assert len(reads) >= 2 * snapshots, "readers that come together must share a snapshot"
    assert snapshots <= seconds / 0.2 + 2, f"{snapshots} snapshots in {seconds:.1f} s"


def test_a_reader_may_put_up_with_older_records(started):
    server, client = started
    rest = Rest(server)
    client.records(TABLE, ndjson([{"id": 1}])).ok()
    assert total(rest.load(TABLE, headers={"Firn-Max-Staleness-Ms": "60000"})["metadata"]) == 0
    rest.set_property(TABLE, "firn.read.max-staleness-ms", "60000").ok()
    assert total(rest.load(TABLE)["metadata"]) == 0
    assert total(rest.load(TABLE, headers={"Firn-Max-Staleness-Ms": "0"})["metadata"]) == 1
    client.records(TABLE, ndjson([{"id": 2}])).ok()
    time.sleep(0.3)
    assert total(rest.load(TABLE, headers={"Firn-Max-Staleness-Ms": "250"})["metadata"]) == 2
    for value in ("-1", "x", "", "1e3"):
        rest.error("GET", path(TABLE), 400, "BadRequestException", headers={"Firn-Max-Staleness-Ms": value})


def test_the_interval_between_readers_snapshots_is_kept(started):
    server, client = started
    rest = Rest(server)
    rest.set_property(TABLE, "firn.read.min-snapshot-interval-ms", "1000").ok()
    rest.load(TABLE)
    client.records(TABLE, ndjson([{"id": 1}])).ok()
    began = time.monotonic()
    rest.load(TABLE)
    rest.load(TABLE)
    assert len(appends(client)) == 1, "nothing is missing"
    client.records(TABLE, ndjson([{"id": 2}])).ok()
    assert total(rest.load(TABLE)["metadata"]) == 2
    # Both snapshots were made in between.
    assert time.monotonic() - began >= 1
    assert len(appends(client)) == 2


def test_freshness_survives_a_rename(started):
    server, client = started
    rest = Rest(server)
    client.records(TABLE, ndjson([{"id": 1}])).ok()
    source, target = ({"namespace": ["app"], "name": name} for name in ("fresh", "other"))
    rest.ok("POST", "/tables/rename", {"source": source, "destination": target})
    assert total(rest.load("app.other")["metadata"]) == 1
