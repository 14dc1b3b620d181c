"""G6: the same table before and after compaction, under continuing ingest, in two engines and at every snapshot."""

import threading
import time

import pytest

from support.cli import firn
from support.client import Client, Producer
from support.flights import SHORT_SCHEMA
from support.readers import READERS, assert_same_rows, read_duckdb, read_pyiceberg, sql_catalog

TABLE = "nyc.flights"
# Only the compactions that a test asks for, so that it knows what was there before.
BY_HAND = {"firn.compaction.enabled": "false"}
ENGINES = {"pyiceberg": read_pyiceberg, "duckdb": read_duckdb}


class Stream(threading.Thread):
    """Sends the rest of the flights in the background, in source order, one batch after the other."""

    def __init__(self, server, bodies, producer_sequence):
        super().__init__()
        self.producer = Producer(Client(server), TABLE, "flights", sequence=producer_sequence)
        self.bodies = bodies
        self.sent = 0
        self.failure = None
        self.stopping = threading.Event()

    def run(self):
        try:
            for body in self.bodies:
                if self.stopping.wait(0.02):
                    return
                answer = self.producer.send(body)
                assert answer.json["accepted"] == body.count(b"\n")
                self.sent += answer.json["accepted"]
        except BaseException as failure:
            self.failure = failure

    def goes_on(self):
        """Returns when one more batch is on its way."""
        before, deadline = self.producer.sequence, time.monotonic() + 60
        while self.producer.sequence == before:
            assert self.is_alive(), f"the stream has ended: {self.failure!r}"
            assert time.monotonic() < deadline, "no batch in a minute"
            time.sleep(0.005)

    def finish(self):
        self.stopping.set()
        self.join()
        if self.failure is not None:
            raise self.failure


def operations(warehouse) -> list[tuple[int, int | None, str]]:
    """(snapshot id, parent id, operation) of every retained snapshot, oldest first, as PyIceberg reads them."""
    snapshots = sql_catalog(warehouse).load_table(TABLE).metadata.snapshots
    ordered = sorted(snapshots, key=lambda s: s.sequence_number)
    return [(s.snapshot_id, s.parent_snapshot_id, s.summary.operation.value) for s in ordered]


@pytest.mark.limit(180)
def test_compaction_under_ingest_changes_no_result(flights, make_server, warehouse):
    server = make_server(warehouse, flush_interval_ms=100).start()
    client = Client(server)
    client.create_table(TABLE, SHORT_SCHEMA, properties=BY_HAND)
    batch, before = 500, 60_000
    producer = Producer(client, TABLE, "flights")
    for number, body in enumerate(flights.batches(batch, stop=before)):
        producer.send(body)
        # However fast it goes, there are small files of several snapshots to compact.
        if number % 20 == 19:
            client.flush(TABLE)
    client.flush(TABLE)

    def rows_at(snapshot_id):
        """What the first reads found; a single producer's rows are committed in order, so a count names a prefix."""
        return read_pyiceberg(warehouse, TABLE, snapshot_id)

    earlier = {snapshot: rows_at(snapshot) for snapshot, _, _ in operations(warehouse)}
    assert len(earlier) >= 4, "too few snapshots to be worth compacting"
    files_before = len(client.files(TABLE))

    stream = Stream(server, flights.batches(batch, start=before), producer.sequence)
    stream.start()
    report = client.compact(TABLE).json
    by_cli = firn("compact", TABLE, warehouse=warehouse)
    stream.goes_on()
    stream.finish()
    client.flush(TABLE)
    by_cli.ok()

    assert report["files-before"] > report["files-after"] >= 1
    assert report["bytes-before"] > 0 and report["bytes-after"] > 0
    history = operations(warehouse)
    replaced = [(snapshot, parent) for snapshot, parent, operation in history if operation == "replace"]
    assert replaced, "no replace snapshot"
    first_replace = [snapshot for snapshot, _, _ in history].index(replaced[0][0])
    assert any(op == "append" for _, _, op in history[first_replace + 1 :]), "no ingest commit after the compaction"
    assert len(client.files(TABLE)) < files_before + len(history) - len(earlier)

    total = before + stream.sent
    for engine, read in ENGINES.items():
        assert_same_rows(read(warehouse, TABLE), flights.table.slice(0, total), engine)
        # Equal on both sides of each replace, which may have been rebased on ingest commits in between.
        for snapshot, parent in replaced:
            assert_same_rows(read(warehouse, TABLE, snapshot), read(warehouse, TABLE, parent), engine)
        # Every snapshot from before is still readable and still what it was.
        for snapshot, rows in earlier.items():
            assert_same_rows(read(warehouse, TABLE, snapshot), rows, f"{engine} at {snapshot}")
    for snapshot, rows in earlier.items():
        assert_same_rows(rows, flights.table.slice(0, rows.num_rows), f"snapshot {snapshot}")
    assert_same_rows(READERS["polars"](warehouse, TABLE), flights.table.slice(0, total), "polars")


@pytest.mark.limit(120)
def test_a_kill_during_compaction_is_harmless(flights, make_server, warehouse):
    """G6 and G2: whatever instant the compactor dies at, the rows are the same, and the next one succeeds."""
    server = make_server(warehouse, flush_interval_ms=50).start()
    client = Client(server, timeout=10)
    client.create_table(TABLE, SHORT_SCHEMA, properties=BY_HAND)
    producer = Producer(client, TABLE, "flights")
    rows = 0
    for index, body in enumerate(flights.batches(1000, stop=24_000)):
        rows += producer.send(body, wait_committed=True).json["accepted"]
        if index % 4 == 3:
            attempt = threading.Thread(target=lambda: _ignore_transport(client.server))
            attempt.start()
            threading.Event().wait(0.005 * index)
            server.restart_after_kill()
            attempt.join()
    client.compact(TABLE)
    assert server.stop() == 0
    for engine, read in READERS.items():
        assert_same_rows(read(warehouse, TABLE), flights.table.slice(0, rows), engine)


def _ignore_transport(server):
    from support.client import TRANSPORT_ERRORS

    try:
        Client(server, timeout=10).once("POST", "/v1/tables/nyc/flights/compact")
    except TRANSPORT_ERRORS:
        pass


@pytest.mark.limit(120)
def test_partitioned_tables_are_compacted_per_partition(flights, make_server, warehouse):
    server = make_server(warehouse, flush_interval_ms=50).start()
    client = Client(server)
    client.create_table(TABLE, SHORT_SCHEMA, partition="origin", properties=BY_HAND)
    producer = Producer(client, TABLE, "flights")
    rows = 10_000
    for body in flights.batches(1000, stop=rows):
        producer.send(body, wait_committed=True)
    client.compact(TABLE)
    assert len(client.files(TABLE)) == 3, "EWR, JFK and LGA: one file each"
    for engine, read in READERS.items():
        assert_same_rows(read(warehouse, TABLE), flights.table.slice(0, rows), engine)
