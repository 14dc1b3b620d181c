"""G1, G2, G9: rounds of `kill -9` at random points under ingest, flush, compaction and expiry, then a full account.

Every record carries a unique id. Each sender retries a batch until it is acknowledged, so in the end the table must
hold exactly what was sent; one more sender never retries, and its batches must be there once when acknowledged and at
most once when not. `FIRN_SOAK_ROUNDS` sets the number of rounds (`make soak`: 200), `FIRN_SEED` the random points.
"""

import itertools
import os
import random
import threading
import time
import uuid
from collections import Counter

import pytest

from support import chaos
from support.cli import firn
from support.client import TRANSPORT_ERRORS, Client, Producer, ndjson
from support.litter import assert_no_litter
from support.readers import READERS, read_pyiceberg

ROUNDS = int(os.environ.get("FIRN_SOAK_ROUNDS", "8"))
TABLE = "soak.events"
SCHEMA = "id string required, sender string, n long, at timestamptz, payload string, tags list<string>"
EXPIRE_EVERY = 10


class Sender(threading.Thread):
    """Sends batches of unique rows until told to stop; keeps the account of what must be in the table."""

    def __init__(self, server, name: str, seed: int):
        super().__init__(name=name)
        self.client = Client(server, timeout=20)
        self.random = random.Random(f"{seed}-{name}")
        self.stopping = threading.Event()
        self.acknowledged: list[str] = []
        self.unknown: list[str] = []
        self.duplicates = 0
        self.failure: BaseException | None = None

    def run(self):
        try:
            for number in itertools.count():
                if self.stopping.is_set():
                    return
                ids = [f"{self.name}-{number}-{n}" for n in range(self.random.randint(1, 300))]
                self.send(ids, self.body(ids))
                time.sleep(self.random.uniform(0, 0.02))
        except BaseException as failure:
            self.failure = failure

    def body(self, ids) -> bytes:
        moment = f"2026-01-01T00:00:{self.random.randint(0, 59):02}.000001Z"
        filler = "x" * self.random.randint(0, 200)
        return ndjson(
            {"id": name, "sender": self.name, "n": n, "at": moment, "payload": filler, "tags": [str(n % 3), None]}
            for n, name in enumerate(ids)
        )

    def account(self, answer, ids):
        assert answer.json["accepted"] == len(ids) and not answer.json["rejected"], answer.text
        self.duplicates += answer.json["duplicate"]
        self.acknowledged += ids


class SequenceSender(Sender):
    def __init__(self, server, name, seed):
        super().__init__(server, name, seed)
        self.producer = Producer(self.client, TABLE, name)

    def send(self, ids, body):
        self.producer.sequence += self.random.randint(0, 5)  # Gaps, as source offsets have them.
        wait = self.random.random() < 0.1
        self.last_body = body
        self.account(self.producer.send(body, wait_committed=wait, deadline_s=120), ids)


class KeySender(Sender):
    def send(self, ids, body):
        self.last_key, self.last_body = str(uuid.UUID(int=self.random.getrandbits(128))), body
        headers = {"Idempotency-Key": self.last_key}
        answer = self.client.records(TABLE, body, headers=headers, retry=True, deadline_s=120).ok()
        self.account(answer, ids)


class OnceSender(Sender):
    """Without an identity a retry would be a new batch, so it never retries."""

    def send(self, ids, body):
        try:
            answer = self.client.records(TABLE, body)
        except TRANSPORT_ERRORS:
            self.unknown += ids
            return
        if answer.status == 429 or answer.status == 503:
            return  # Refused before anything happened.
        self.account(answer.ok(), ids)


class Compactor(threading.Thread):
    def __init__(self, server):
        super().__init__(name="compactor")
        self.client = Client(server, timeout=120)
        self.stopping = threading.Event()
        self.runs = 0
        self.failure = None

    def run(self):
        try:
            while not self.stopping.wait(0.1):
                try:
                    answer = self.client.once("POST", "/v1/tables/soak/events/compact")
                except TRANSPORT_ERRORS:
                    continue
                # Another compaction of the table under way, or a server on its way down, is no failure.
                assert answer.status in (200, 409, 429, 503), f"HTTP {answer.status}: {answer.text}"
                self.runs += answer.status == 200
        except BaseException as failure:
            self.failure = failure


def one_round(server, dice) -> None:
    """Lets the server live for a random moment, kills it, and sometimes kills the next life before it is ready."""
    time.sleep(dice.choice([dice.uniform(0, 0.15), dice.uniform(0.1, 0.8)]))
    server.kill()
    while dice.random() < 0.25:
        server.spawn()
        time.sleep(dice.uniform(0, 0.2))
        server.kill()
    server.start()


def check_account(warehouse, senders, engines) -> int:
    expected = Counter(name for sender in senders for name in sender.acknowledged)
    maybe = {name for sender in senders for name in sender.unknown}
    assert max(expected.values()) == 1
    for engine in engines:
        found = Counter(READERS[engine](warehouse, TABLE).column("id").to_pylist())
        lost = expected.keys() - found.keys()
        assert not lost, f"{engine}: {len(lost)} acknowledged records lost: {sorted(lost)[:5]}"
        doubled = {name: count for name, count in found.items() if count > 1}
        assert not doubled, f"{engine}: {len(doubled)} records more than once: {dict(list(doubled.items())[:5])}"
        strange = found.keys() - expected.keys() - maybe
        assert not strange, f"{engine}: {len(strange)} records nobody acknowledged: {sorted(strange)[:5]}"
    return sum(expected.values())


@pytest.mark.limit(120 + 15 * ROUNDS)
def test_random_kills_lose_nothing_double_nothing_leave_nothing(make_server, warehouse):
    dice = random.Random(chaos.SEED)
    server = make_server(warehouse, flush_interval_ms=60).start()
    client = Client(server, timeout=60)
    client.create_table(TABLE, SCHEMA)
    sequenced = [SequenceSender(server, f"seq{n}", chaos.SEED) for n in range(3)]
    keyed = KeySender(server, "key", chaos.SEED)
    senders = [*sequenced, keyed, OnceSender(server, "once", chaos.SEED)]
    threads = [*senders, Compactor(server)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, ROUNDS + 1):
            one_round(server, dice)
            failed = [thread for thread in threads if thread.failure is not None]
            assert not failed, f"round {number}: {failed[0].name}: {failed[0].failure!r}"
            if number % EXPIRE_EVERY == 0:
                firn("expire", TABLE, "--older-than", "1ms", "--retain-last", 3, warehouse=warehouse).ok()
                firn("gc", warehouse=warehouse).ok()
            if number % 50 == 0:
                print(f"round {number}: {sum(len(s.acknowledged) for s in senders)} records acknowledged", flush=True)
    finally:
        for thread in threads:
            thread.stopping.set()
        for thread in threads:
            thread.join(timeout=150)
    for thread in threads:
        assert not thread.is_alive(), f"{thread.name} hangs"
        if thread.failure is not None:
            raise thread.failure

    # One last crash with whatever is in flight, then the account.
    server.restart_after_kill()
    client.flush(TABLE)
    records = check_account(warehouse, senders, READERS)

    # Snapshots expired, files collected: retries from before are still recognised, the rows are still the same.
    firn("expire", TABLE, "--older-than", "1ms", "--retain-last", 1, warehouse=warehouse).ok()
    for sender in sequenced:
        answer = client.records(TABLE, sender.last_body, headers=sender.producer.stamp())
        assert answer.ok().json["duplicate"] is True
    answer = client.records(TABLE, keyed.last_body, headers={"Idempotency-Key": keyed.last_key})
    assert answer.ok().json["duplicate"] is True
    client.flush(TABLE)
    assert server.stop() == 0
    firn("gc", warehouse=warehouse).ok()
    check_account(warehouse, senders, READERS)
    assert_no_litter(warehouse)
    duplicates = sum(sender.duplicates for sender in senders)
    print(f"{ROUNDS} rounds, {server.lives} lives, {records} records, {duplicates} retries recognised")


def test_dropped_tables_leave_nothing(server, client, warehouse):
    client.create_table("soak.gone", "id long")
    client.create_table("soak.stays", "id long")
    for table in ("soak.gone", "soak.stays"):
        client.records(table, b'{"id":1}\n').ok()
        client.flush(table)
    answer = client.once("DELETE", "/v1/tables/soak/gone")
    assert answer.status == 204, answer.text
    client.records("soak.gone", b'{"id":2}\n').problem(404, "table_not_found")
    assert server.stop() == 0
    firn("gc", warehouse=warehouse).ok()
    assert_no_litter(warehouse)
    assert read_pyiceberg(warehouse, "soak.stays").num_rows == 1


def test_gc_dry_run_only_tells(server, client, warehouse):
    client.create_table("soak.events", "id long")
    for number in range(5):
        client.records("soak.events", b'{"id":%d}\n' % number, headers={"Prefer": "wait=committed"}).ok()
    client.compact("soak.events")
    firn("expire", "soak.events", "--older-than", "1ms", "--retain-last", 1, warehouse=warehouse).ok()
    before = sorted(p for p in warehouse.rglob("*.parquet"))
    firn("gc", "--dry-run", warehouse=warehouse).ok()
    assert sorted(warehouse.rglob("*.parquet")) == before
    firn("gc", warehouse=warehouse).ok()
    assert len(list(warehouse.rglob("*.parquet"))) == 1
    assert server.stop() == 0
    assert_no_litter(warehouse)
