"""Money moves between two tables in transactions of the REST catalog while the server is killed again and again.

Whoever looks at both tables at one moment finds the same total, and in the end every account has what its owner was
told. `FIRN_BANK_SECONDS` sets how long; `FIRN_SEED` when the kills come.
"""

import os
import random
import threading
import time
import uuid
from collections import Counter

import pyarrow as pa
import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField

from support.chaos import SEED
from support.client import RETRY_STATUS, TRANSPORT_ERRORS, Client
from support.readers import READERS
from support.rest import Rest, duckdb_catalog, path, pyiceberg_catalog

SECONDS = int(os.environ.get("FIRN_BANK_SECONDS", "12"))
ONE, TWO = TABLES = ("bank.one", "bank.two")
INITIAL = 1_000_000
SCHEMA = Schema(NestedField(1, "id", LongType(), required=False), NestedField(2, "balance", LongType(), required=False))
ARROW = pa.schema([("id", pa.int64()), ("balance", pa.int64())])
# How long somebody waits for a server that is killed all the time, before that is a failure of its own.
PATIENCE_S = 60


class Actor(threading.Thread):
    """Does one thing again and again until told to stop; only it changes its account."""

    def __init__(self, server, account: int):
        super().__init__(name=f"{type(self).__name__}-{account}")
        self.server = server
        self.account = account
        self.stopping = threading.Event()
        self.count = Counter()
        self.failure: BaseException | None = None

    def run(self):
        try:
            while not self.stopping.is_set():
                self.act()
        except BaseException as failure:
            self.failure = failure

    def patiently(self, ask, passing=TRANSPORT_ERRORS):
        """Asks until the server is there to answer."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return ask()
            except passing:
                self.count["asked again"] += 1
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


class PyIcebergTeller(Actor):
    """Writes its files with PyIceberg and commits both tables in one request, the same one until it is answered."""

    def act(self):
        rest = Rest(self.server)
        tables = self.patiently(lambda: [pyiceberg_catalog(self.server).load_table(name) for name in TABLES])
        amount = random.randint(1, 100)
        changes = [self.change(*pair) for pair in zip(tables, TABLES, (-amount, amount))]
        key = {"Idempotency-Key": str(uuid.uuid4())}
        answer = rest.client.until_answered(
            "POST", rest.prefix + "/transactions/commit", body={"table-changes": changes}, headers=key,
            deadline_s=PATIENCE_S,
        )  # fmt: skip
        assert answer.status in (204, 409), f"HTTP {answer.status}: {answer.text}"
        if answer.status == 204:
            self.count["moved"] += amount
        self.count["committed" if answer.status == 204 else "conflicts"] += 1

    def change(self, table, name: str, amount: int) -> dict:
        rows = table.scan().to_arrow().select(ARROW.names).cast(ARROW).to_pylist()
        for row in rows:
            row["balance"] += amount if row["id"] == self.account else 0
        transaction = table.transaction()
        transaction.overwrite(pa.Table.from_pylist(rows, schema=ARROW))
        namespace, short = name.split(".")
        as_json = {"mode": "json", "by_alias": True, "exclude_none": True}
        return {
            "identifier": {"namespace": [namespace], "name": short},
            # What the transaction has found; PyIceberg adds the identity when it commits by itself.
            "requirements": [r.model_dump(**as_json) for r in transaction._requirements]
            + [{"type": "assert-table-uuid", "uuid": str(table.metadata.table_uuid)}],
            "updates": [u.model_dump(**as_json) for u in transaction._updates],
        }


class DuckDBTeller(Actor):
    """BEGIN, two updates, COMMIT.

    DuckDB deletes the files of a commit that it gets no answer to, though it may have happened. So nobody kills the
    server while it commits.
    """

    lake = None
    committing = threading.Lock()

    def act(self):
        # It is so much faster than PyIceberg that the others would meet conflicts only.
        time.sleep(random.uniform(0, 0.5))
        self.lake = self.lake or self.patiently(lambda: duckdb_catalog(self.server), Exception)
        amount = random.randint(1, 100)
        try:
            self.lake.execute("BEGIN")
            for name, signed in zip(TABLES, (-amount, amount)):
                self.lake.execute(
                    f"UPDATE lake.{name} SET balance = balance + ({signed}) WHERE id = {self.account}"
                )
            with self.committing:
                self.lake.execute("COMMIT")
        except Exception:
            self.lake.close()
            self.lake = None
            self.count["asked again"] += 1
            return
        self.count["moved"] += amount
        self.count["committed"] += 1


class Auditor(Actor):
    """Loads both tables as of one moment, which is when the first has not changed around the second."""

    def act(self):
        rest = Rest(self.server)
        first = self.patiently(lambda: self.load(rest, ONE))
        second = self.patiently(lambda: self.load(rest, TWO))
        again = self.patiently(lambda: self.load(rest, ONE))
        if not first or not second or not again or again != first:
            self.count["not at one moment"] += 1
            return
        found = total(first) + total(second)
        assert found == self.expected, f"the total is {found} in {first} and {second}, not {self.expected}"
        self.count["audits"] += 1

    def load(self, rest, name: str) -> str | None:
        answer = rest.call("GET", path(name))
        assert answer.status == 200 or answer.status in RETRY_STATUS, f"HTTP {answer.status}: {answer.text}"
        return answer.json["metadata-location"] if answer.status == 200 else None


class SQLAuditor(Actor):
    """One query of both tables in the server."""

    def act(self):
        client = Client(self.server)
        sql = " + ".join(f'(SELECT sum(balance) FROM "{name}")' for name in TABLES)
        body = {"sql": f"SELECT {sql} AS total"}
        found = client.until_answered("POST", "/v1/query", body=body, deadline_s=PATIENCE_S).ok().text
        assert str(self.expected) in found, f"the total is {found}, not {self.expected}"
        self.count["audits"] += 1
        time.sleep(0.05)


def total(metadata_location: str) -> int:
    from pyiceberg.table import StaticTable

    return sum(StaticTable.from_metadata(metadata_location).scan().to_arrow()["balance"].to_pylist())


@pytest.mark.limit(120 + 3 * SECONDS)
def test_the_total_never_changes(make_server, warehouse):
    server = make_server(warehouse, keeps_port=True).start()
    catalog = pyiceberg_catalog(server)
    catalog.create_namespace("bank")
    tellers = [PyIcebergTeller(server, 0), PyIcebergTeller(server, 1), DuckDBTeller(server, 2)]
    for name in TABLES:
        rows = [{"id": teller.account, "balance": INITIAL} for teller in tellers]
        catalog.create_table(name, SCHEMA).append(pa.Table.from_pylist(rows, schema=ARROW))
    auditors = [Auditor(server, 0), SQLAuditor(server, 1)]
    actors = tellers + auditors
    for actor in actors:
        actor.expected = 2 * INITIAL * len(tellers)
        actor.start()
    chance = random.Random(SEED)
    end, kills = time.monotonic() + SECONDS, 0
    while time.monotonic() < end and not any(actor.failure for actor in actors):
        # Long enough for a transaction, and one in four is hit early.
        time.sleep(chance.choice([chance.uniform(0, 0.3), *[chance.uniform(0.5, 2.5)] * 3]))
        with DuckDBTeller.committing:
            server.restart_after_kill()
        kills += 1
    # Without kills, and with ever fewer others in the way, everybody gets there once.
    end = time.monotonic() + PATIENCE_S
    while any(not actor.stopping.is_set() for actor in actors):
        for actor in actors:
            if actor.count["committed"] + actor.count["audits"] or actor.failure or time.monotonic() > end:
                actor.stopping.set()
        time.sleep(0.1)
    for actor in actors:
        actor.join()
    print(f"{kills} kills;", *(f"{actor.name}: {dict(actor.count)};" for actor in actors))
    for actor in actors:
        if actor.failure:
            raise actor.failure
    for name, sign in zip(TABLES, (-1, 1)):
        expected = {teller.account: INITIAL + sign * teller.count["moved"] for teller in tellers}
        for engine, read in READERS.items():
            found = {row["id"]: row["balance"] for row in read(warehouse, name).to_pylist()}
            assert found == expected, f"{engine}: {name}"
    assert all(teller.count["committed"] for teller in tellers)
    assert all(auditor.count["audits"] for auditor in auditors)
