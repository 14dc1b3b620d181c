"""Tables of a catalog that is not ours: PyIceberg's SqlCatalog behind the protocol's bare minimum.

It knows no idempotency keys, no ETags and no `snapshots=refs`, and its errors are its own.
"""

import time

import pyarrow as pa
import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import LongType, NestedField, StringType
from sqlalchemy.exc import OperationalError

from support import chaos
from support.chaos import Killer
from support.cli import firn
from support.client import Client, Producer, ndjson
from support.proxy import Cut, Dice, Drop, Late, Mask, Proxy, Refuse
from support.readers import duckdb_connection, sql_catalog
from support.rest_catalog import RestCatalog
from support.senders import Actor

TABLE = "lake.events"
SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=False), NestedField(2, "kind", StringType(), required=False)
)  # fmt: skip
BY_KIND = PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "kind"))


@pytest.fixture
def lake(tmp_path):
    (tmp_path / "lake").mkdir()
    catalog = sql_catalog(tmp_path / "lake")
    catalog.create_namespace("lake")
    catalog.create_table(TABLE, SCHEMA, partition_spec=BY_KIND, properties={"format-version": "2"})
    with RestCatalog(catalog) as remote:
        yield remote
    assert not [failure for failure in remote.failures if "locked" not in failure], remote.failures


@pytest.fixture
def edge(make_server, tmp_path):
    return make_server(tmp_path / "edge", flush_interval_ms=100).start()


def attach(edge, url: str):
    return firn("table", "attach", TABLE, "--uri", url, warehouse=edge.warehouse).ok()


def records(*ids) -> bytes:
    return ndjson({"id": n, "kind": "abc"[n % 3]} for n in ids)


def ids(lake) -> list[int]:
    """PyIceberg and DuckDB, from the metadata file that the catalog names."""
    table = lake.catalog.load_table(TABLE)
    found = sorted(table.scan().to_arrow().column("id").to_pylist())
    with duckdb_connection() as duck:
        rows = duck.execute(f"SELECT id, kind FROM iceberg_scan('{table.metadata_location}') ORDER BY id").fetchall()
    assert [name for name, _ in rows] == found
    assert all(kind == "abc"[name % 3] for name, kind in rows)
    return found


def drain(edge) -> None:
    client = Client(edge)
    deadline = time.monotonic() + 60
    while (answer := client.until_answered("POST", "/v1/tables/lake/events/flush")).status != 200:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)


class Appender(Actor):
    """PyIceberg, straight at its own catalog."""

    def __init__(self, lake, seed: int):
        super().__init__("appender", seed)
        self.lake = lake
        self.ids: list[int] = []

    def turn(self) -> None:
        name = 1_000_000 + len(self.ids)
        new = pa.table({"id": pa.array([name], pa.int64()), "kind": ["abc"[name % 3]]})
        while True:
            try:
                self.lake.catalog.load_table(TABLE).append(new)
                break
            except CommitFailedException:
                pass
            except OperationalError as error:
                # PyIceberg waits 5 s for SQLite's lock and then gives up; nothing was written.
                assert "locked" in str(error), error
        self.ids.append(name)
        self.stopping.wait(0.3)


class Steady(Actor):
    def __init__(self, edge, seed: int):
        super().__init__("steady", seed)
        self.producer = Producer(Client(edge), TABLE, self.name)
        self.ids: list[int] = []

    def turn(self) -> None:
        new = range(len(self.ids), len(self.ids) + self.random.randint(1, 20))
        self.producer.send(records(*new))
        self.ids += new
        time.sleep(0.02)


def test_records_changes_and_maintenance(lake, edge):
    with lake.catalog.load_table(TABLE).transaction() as change:
        # In the background it might leave nothing to do for the command.
        change.set_properties({"firn.compaction.enabled": "false"})
    attach(edge, lake.url)
    client = Client(edge)
    for number in range(6):
        client.records(TABLE, records(*range(10 * number, 10 * number + 10))).ok()
        drain(edge)
    expected = set(range(60))
    assert ids(lake) == sorted(expected)
    firn("delete", TABLE, "--where", "id % 5 = 1", warehouse=edge.warehouse).ok()
    expected -= {n for n in expected if n % 5 == 1}
    assert ids(lake) == sorted(expected)
    firn("compact", TABLE, warehouse=edge.warehouse).ok()
    assert lake.catalog.load_table(TABLE).current_snapshot().summary.operation.value == "replace"
    firn("expire", TABLE, "--older-than", "1ms", "--retain-last", "1", warehouse=edge.warehouse).ok()
    firn("gc", warehouse=edge.warehouse).ok()
    assert len(lake.catalog.load_table(TABLE).metadata.snapshots) == 1
    assert ids(lake) == sorted(expected)
    with lake.catalog.load_table(TABLE).update_schema() as update:
        update.add_column("note", StringType())
    counted = Client(edge).once("POST", "/v1/query", body={"sql": f"SELECT count(note) AS n FROM {TABLE}"}).ok()
    assert counted.text == '{"n":0}\n'
    client.records(TABLE, ndjson([{"id": 60, "kind": "a", "note": "seen"}])).ok()
    drain(edge)
    assert ids(lake) == sorted(expected | {60})
    firn("verify", TABLE, "--data", warehouse=edge.warehouse).ok()


@pytest.mark.limit(180 + 5 * chaos.KILLS)
def test_kills_and_faults_beside_appends(lake, edge):
    """Nothing but the table itself says whether a commit took place."""
    chance = Dice(
        chaos.SEED, 0.25, [Cut(), Cut(), Mask(502), Mask(500), Refuse(503), Refuse(401), Drop(), Late(0.2)],
        lambda request: request.commits,
    )  # fmt: skip
    with Proxy(lake, chance) as proxy:
        attach(edge, proxy.url)
        steady, appender = Steady(edge, chaos.SEED), Appender(lake, chaos.SEED)
        Killer(edge, chaos.SEED, chaos.KILLS).run_beside([steady, appender])
        proxy.fault = lambda request: None
        edge.restart_after_kill()
        drain(edge)
        time.sleep(0.3)
        proxy.check_intents()
    assert ids(lake) == steady.ids + appender.ids
    assert appender.ids and proxy.faults["Cut"]
    print(f"{len(steady.ids)} rows beside {len(appender.ids)} appends; faults: {dict(proxy.faults)}")


def test_an_own_commit_below_another_one(lake, edge):
    """The answer is lost, and before the table is looked at somebody builds on the commit."""
    tried, appended = [], []

    def course(request):
        if request.commits and not tried:
            tried.append(request)
            return Cut()
        if tried and not appended:
            appended.append(request)
            new = pa.table({"id": pa.array([1_000_000], pa.int64()), "kind": ["b"]})
            lake.catalog.load_table(TABLE).append(new)
        return None

    with Proxy(lake, course) as proxy:
        attach(edge, proxy.url)
        for number in range(3):
            Client(edge).records(TABLE, records(number)).ok()
            drain(edge)
    assert tried[0].status == 200 and appended
    assert ids(lake) == [0, 1, 2, 1_000_000]


class Prefixed(RestCatalog):
    """As catalogs with several warehouses are: `config` says under which prefix this one's tables are found."""

    def route(self, method, parts, body):
        if parts == ["config"]:
            return 200, {"defaults": {"prefix": "not-this"}, "overrides": {"prefix": "one"}}
        if parts[0] != "one":
            return 404, {"error": {"message": "no such warehouse", "type": "NoSuchWarehouseException", "code": 404}}
        return super().route(method, parts[1:], body)


def test_a_warehouse_of_several(lake, edge):
    with Prefixed(lake.catalog) as several, Proxy(several) as proxy:
        options = ("--uri", proxy.url, "--remote-warehouse", "north & south", "--remote-table", TABLE)
        firn("table", "attach", "own.name", *options, warehouse=edge.warehouse).ok()
        Client(edge).records("own.name", records(0, 1), headers={"Prefer": "wait=committed"}).ok()
        asked = [request.path for request in proxy.requests]
    assert all(path == "/v1/config?warehouse=north%20%26%20south" for path in asked if "/config" in path)
    assert all(path.startswith("/v1/one/namespaces/lake/tables/events") for path in asked if "/config" not in path)
    assert ids(lake) == [0, 1]
