"""Two servers: the hub, whose catalog has the tables, and the edge, which takes records for them."""

import json
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa

from support.account import Account
from support.chaos import Killer
from support.cli import Result, firn
from support.client import Client, Producer
from support.records import body_of, rows_of
from support.rest import Rest, duckdb_catalog, pyiceberg_catalog
from support.senders import Actor
from support.server import Server

TABLE = "shop.orders"
# What the edge answers while it cannot reach the other catalog.
AWAY = "remote_unavailable"


class Remote:
    """The hub's tables as the engines of the world see them."""

    def __init__(self, hub: Server):
        self.hub = hub

    def pyiceberg(self, table: str = TABLE) -> pa.Table:
        return pyiceberg_catalog(self.hub).load_table(table).scan().to_arrow()

    def duckdb(self, table: str = TABLE) -> pa.Table:
        with duckdb_catalog(self.hub) as lake:
            return lake.execute(f"SELECT * FROM lake.{table}").to_arrow_table()

    def check(self, account: Account, table: str = TABLE) -> int:
        """Every row that was acknowledged is there once, whoever reads; returns their number."""
        for engine in ("pyiceberg", "duckdb"):
            rows = account.check(getattr(self, engine)(table).to_pylist(), engine)
        return rows

    def ids(self, table: str = TABLE) -> list:
        """Sorted, with every repetition; both engines agree."""
        found = [sorted(read(table).column("id").to_pylist()) for read in (self.pyiceberg, self.duckdb)]
        assert found[0] == found[1]
        return found[0]


class Pair:
    """`uri` is where the edge finds the hub; a proxy's in most tests."""

    def __init__(self, make_server, scratch: Path, *, flush_interval_ms: int = 100):
        self.hub = make_server(scratch / "hub", keeps_port=True)
        self.edge = make_server(scratch / "edge", keeps_port=True, flush_interval_ms=flush_interval_ms)
        self.hub.start()
        self.edge.start()
        self.at_hub = Client(self.hub)
        self.at_edge = Client(self.edge)
        self.remote = Remote(self.hub)

    def create(self, schema: str, table: str = TABLE, **settings) -> None:
        self.at_hub.create_table(table, schema, **settings)

    def attach(self, table: str = TABLE, *options, uri: str | None = None) -> Result:
        return firn(
            "table", "attach", table, "--uri", uri or f"{self.hub.url}/iceberg", *options, warehouse=self.edge.warehouse
        )  # fmt: skip

    def at(self, table: str = TABLE) -> dict:
        """The table's metadata at the hub."""
        return Rest(self.hub).load(table)["metadata"]

    def command(self, *arguments, stdin: str | None = None) -> Result:
        """A command on the edge's warehouse, beside its server."""
        return firn(*arguments, warehouse=self.edge.warehouse, stdin=stdin)

    def query(self, sql: str) -> list[dict]:
        """Through the edge's server."""
        answer = self.at_edge.until_answered("POST", "/v1/query", body={"sql": sql}).ok()
        return [json.loads(line) for line in answer.text.splitlines()]

    def drain(self, table: str = TABLE, deadline_s: float = 30) -> None:
        """Until everything that the edge has acknowledged is in a snapshot."""
        namespace, name = table.split(".")
        deadline = time.monotonic() + deadline_s
        while (answer := self.at_edge.until_answered("POST", f"/v1/tables/{namespace}/{name}/flush")).status != 200:
            assert time.monotonic() < deadline, f"HTTP {answer.status}: {answer.text}"
            time.sleep(0.1)


def state(metadata: dict) -> tuple:
    """What a test compares to see that a table has not changed."""
    return metadata["table-uuid"], metadata.get("current-snapshot-id"), metadata["last-sequence-number"]


class Gardener(Actor):
    """Compacts, expires, collects and deletes rows, by commands on the edge's warehouse."""

    # What a command may say beside writers that are faster than it, every row staying as it was.
    EXCUSES = (
        "other writers won", "others changed the table", "is busy", "locked", "maintaining the table", "lease",
        "no ancestor", "is gone", "are not live any more", "deletes were added",
    )  # fmt: skip

    def __init__(self, pair: Pair, account: Account, seed: int, rest_s: float = 0.05):
        super().__init__("gardener", seed)
        self.pair = pair
        self.account = account
        self.rest_s = rest_s
        self.producer = Producer(Client(pair.edge), TABLE, self.name)
        self.tally: Counter[str] = Counter()

    def turn(self) -> None:
        work = self.random.choice([self.compact, self.expire, self.collect, self.delete, self.delete])
        self.tally[f"{work.__name__} {'done' if work() else 'lost'}"] += 1
        self.stopping.wait(self.random.uniform(0, 2 * self.rest_s))

    def firn(self, *arguments) -> bool:
        result = self.pair.command(*arguments)
        if result.code == 1:
            assert any(excuse in result.stderr for excuse in self.EXCUSES), f"{arguments}: {result.stderr}"
        else:
            assert result.code == 0, f"{arguments}: {result.code}: {result.stderr}"
        return result.code == 0

    def compact(self) -> bool:
        return self.firn("compact", TABLE)

    def expire(self) -> bool:
        return self.firn("expire", TABLE, "--older-than", "1ms", "--retain-last", self.random.choice("1125"))

    def collect(self) -> bool:
        return self.firn("gc")

    def delete(self) -> bool:
        number = self.producer.sequence + 1
        rows = rows_of(self.name, number, 10)
        self.producer.send(body_of(rows))
        self.account.acknowledged(rows)
        if not self.firn("delete", TABLE, "--where", f"producer = '{self.name}' AND batch = {number}"):
            return False
        self.account.withdrawn(rows)
        return True


class Strikes(Actor):
    """A killer beside another one."""

    def __init__(self, killer: Killer):
        super().__init__("strikes", 0)
        self.killer = killer

    def turn(self) -> None:
        self.killer.strike()
