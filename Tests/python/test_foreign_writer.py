"""G2, G3: PyIceberg appends through the same SQLite catalog while Firn ingests; nobody's rows are lost or doubled."""

import threading
import time

import pyarrow as pa
import pytest
from pyiceberg.exceptions import CommitFailedException
from sqlalchemy.exc import OperationalError

from support.client import Client, Producer, ndjson
from support.readers import READERS, sql_catalog

TABLE = "shared.readings"
FOREIGN_COMMITS = 15
FOREIGN_ROWS = 100
# Attempts, each of five of its own.
POLITE_AFTER = 3


class ForeignWriter(threading.Thread):
    """A stock PyIceberg writer: append, and on a conflict reload and try again."""

    def __init__(self, warehouse):
        super().__init__()
        self.warehouse = warehouse
        self.conflicts = 0
        self.sources: list[str] = []
        self.failure = None
        # Closed while Firn lets it go first: a slow machine makes the writer that needs longer lose every time.
        self.gate = threading.Event()
        self.gate.set()

    def run(self):
        try:
            table = sql_catalog(self.warehouse).load_table(TABLE)
            schema = table.schema().as_arrow()
            for commit in range(FOREIGN_COMMITS):
                ids = [f"pyiceberg-{commit}-{n}" for n in range(FOREIGN_ROWS)]
                rows = pa.table({"id": ids, "value": pa.array(range(FOREIGN_ROWS), pa.float64())}).cast(schema)
                self.append(table, rows)
                self.sources += ids
                time.sleep(0.1)
        except BaseException as failure:
            self.failure = failure

    def append(self, table, rows):
        for attempt in range(200):
            if attempt == POLITE_AFTER:
                self.gate.clear()
            try:
                table.append(rows)
                self.gate.set()
                return
            except CommitFailedException:
                self.conflicts += 1
            except OperationalError as error:
                # PyIceberg waits 5 s for SQLite's lock and then gives up; nothing was written.
                assert "locked" in str(error), error
            table.refresh()
        raise AssertionError("PyIceberg could not commit in 200 attempts")


@pytest.mark.limit(180)
def test_two_writers_lose_nothing(make_server, warehouse):
    # Not much shorter: a writer that commits every 100 ms can starve one that needs longer than that for its own
    # optimistic commit, as any fast Iceberg writer can.
    server = make_server(warehouse, flush_interval_ms=500).start()
    client = Client(server)
    client.create_table(TABLE, "id string required, value double")
    producer = Producer(client, TABLE, "one")
    expected: list[str] = []

    def send():
        ids = [f"firn-{producer.sequence + 1}-{n}" for n in range(50)]
        answer = producer.send(ndjson({"id": name, "value": 0.5} for name in ids))
        assert answer.json["accepted"] == len(ids)
        expected.extend(ids)

    send()
    client.flush(TABLE)
    writer = ForeignWriter(warehouse)
    writer.start()
    batches = 0
    while writer.is_alive():
        writer.gate.wait(5)
        send()
        batches += 1
        if batches % 80 == 79:
            server.restart_after_kill()  # The guard must hold across a crash with a foreign commit in between.
        if batches % 100 == 99:
            client.until_answered("POST", "/v1/tables/shared/readings/compact").ok()
        time.sleep(0.01)
    writer.join()
    if writer.failure is not None:
        raise writer.failure
    for _ in range(3):
        send()
    client.flush(TABLE)

    history = sql_catalog(warehouse).load_table(TABLE).metadata.snapshots
    # The histories did interleave: Firn committed on top of PyIceberg's snapshots and the other way round.
    appends = [s for s in history if s.summary.operation.value == "append"]
    foreign = [s.sequence_number for s in appends if s.summary["firn.log-position"] is None]
    assert len(foreign) == FOREIGN_COMMITS
    between = [s for s in history if foreign[0] < s.sequence_number < foreign[-1] and s.sequence_number not in foreign]
    assert between, "the two writers never overlapped"

    expected_ids = sorted(expected + writer.sources)
    assert len(writer.sources) == FOREIGN_COMMITS * FOREIGN_ROWS
    for engine, read in READERS.items():
        assert sorted(read(warehouse, TABLE).column("id").to_pylist()) == expected_ids, engine
    print(f"{batches} batches beside {FOREIGN_COMMITS} foreign commits, {writer.conflicts} conflicts for PyIceberg")


def test_pyiceberg_sees_a_catalog_of_its_own(server, client, warehouse):
    """Namespaces and tables made by either side are listed and opened by the other."""
    client.create_table("one.by_firn", "id long")
    catalog = sql_catalog(warehouse)
    assert ("one",) in catalog.list_namespaces()
    assert catalog.list_tables("one") == [("one", "by_firn")]

    catalog.create_namespace("two")
    schema = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("name", pa.string())])
    foreign = catalog.create_table("two.by_pyiceberg", schema=schema)
    foreign.append(pa.table({"id": [1], "name": ["first"]}).cast(schema))
    answer = client.records("two.by_pyiceberg", b'{"id":2,"name":"second"}\n').ok()
    assert answer.json["accepted"] == 1
    client.flush("two.by_pyiceberg")
    for engine, read in READERS.items():
        rows = read(warehouse, "two.by_pyiceberg").sort_by("id").to_pylist()
        assert rows == [{"id": 1, "name": "first"}, {"id": 2, "name": "second"}], engine
    assert set(client.once("GET", "/v1/tables").ok().json["tables"]) == {"one.by_firn", "two.by_pyiceberg"}
