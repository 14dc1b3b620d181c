"""G8 through kills: every record sent ends in one place, its table or its dead letters, and is moved back once."""

import random
import subprocess
import time
from collections import Counter

import pytest

from support import chaos
from support.account import Account
from support.cli import firn
from support.client import Client
from support.letters import LATER, KeyLetterSender, SequenceLetterSender
from support.litter import assert_no_litter
from support.readers import read_duckdb, read_pyiceberg
from support.records import COLUMNS, SCHEMA, rows_in
from support.senders import Actor, HttpxTransport, Names, RequestsTransport
from support.server import BINARY, clean_environment

TABLE = "post.letters"
LETTERS = TABLE + "$dead_letters"
ENGINES = {"pyiceberg": read_pyiceberg, "duckdb": read_duckdb}
KILLS = max(6, chaos.KILLS // 5)


class Redriver(Actor):
    """Moves dead letters back, and is killed in the middle of half of its tries."""

    def __init__(self, warehouse, seed: int):
        super().__init__("redriver", seed)
        self.warehouse = warehouse
        self.done = self.killed = self.busy = 0

    def turn(self) -> None:
        process = subprocess.Popen(
            [str(BINARY), "dlq", "redrive", TABLE, "--warehouse", str(self.warehouse)], env=clean_environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        if self.random.random() < 0.5:
            time.sleep(self.random.uniform(0.02, 0.15))
            process.kill()
        _, errors = process.communicate(timeout=60)
        self.killed += process.returncode == -9
        self.done += process.returncode == 0
        if process.returncode == 1:
            text = errors.decode(errors="replace")
            assert any(excuse in text for excuse in ("no dead letters", "other commits", "other writers")), text
            self.busy += 1
        self.stopping.wait(0.2)


def payloads(warehouse) -> Counter:
    return Counter(read_pyiceberg(warehouse, LETTERS).column("payload").to_pylist())


@pytest.mark.limit(240 + 6 * KILLS)
def test_every_record_ends_in_one_place(make_server, warehouse):
    server = make_server(warehouse, flush_interval_ms=120).start()
    client = Client(server, timeout=60)
    client.create_table(TABLE, SCHEMA, properties={"firn.dead-letters.enabled": "true"})
    account, names = Account((*COLUMNS, LATER)), Names(TABLE)
    first = [
        KeyLetterSender("keys", server, names, account, RequestsTransport(), chaos.SEED),
        SequenceLetterSender("sequences", server, names, account, HttpxTransport(), chaos.SEED),
    ]
    killer = chaos.Killer(server, chaos.SEED, KILLS)
    killer.run_beside(first)
    for sender in first:
        for batch in sender.history[:50]:
            sender.repeat(batch)
    client.flush(TABLE)
    expected = sum((sender.letters for sender in first), Counter())
    assert expected and payloads(warehouse) == expected
    for engine, read in ENGINES.items():
        account.check(rows_in(read(warehouse, TABLE)), engine)

    # The column comes, and with it the letters that were waiting for it, while everything goes on and is killed.
    firn("schema", "add", TABLE, LATER, "string", warehouse=warehouse).ok()
    second = [KeyLetterSender("good", server, names, account, RequestsTransport(), chaos.SEED)]
    redriver = Redriver(warehouse, chaos.SEED)
    mover = chaos.Killer(server, chaos.SEED + 1, KILLS)
    mover.run_beside([*second, redriver])
    for _ in range(10):
        client.flush(TABLE)
        report = firn("dlq", "redrive", TABLE, warehouse=warehouse)
        if report.code == 0:
            break
    report.ok()
    hopeless = sum((sender.hopeless for sender in [*first, *second]), Counter())
    assert payloads(warehouse) == hopeless
    for sender in [*first, *second]:
        account.acknowledged(sender.later_rows)
    for engine, read in ENGINES.items():
        account.check(rows_in(read(warehouse, TABLE)), engine)

    # Retries of batches whose letters have moved move nothing again.
    for sender in first:
        for batch in sender.history[:30]:
            sender.repeat(batch)
    client.flush(TABLE)
    assert payloads(warehouse) == hopeless
    account.check(rows_in(read_pyiceberg(warehouse, TABLE)), "pyiceberg")
    for table in (TABLE, LETTERS):
        firn("expire", table, "--older-than", "1ms", "--retain-last", 1, warehouse=warehouse).ok()
    assert server.stop() == 0
    firn("gc", warehouse=warehouse).ok()
    assert_no_litter(warehouse)
    print(
        f"\n{killer.kills + mover.kills} kills; {account.promised} rows, {expected.total()} dead letters,"
        f" {sum(len(s.later_rows) for s in first)} of them moved back by {redriver.done} redrives beside"
        f" {redriver.killed} that were killed and {redriver.busy} that met others"
    )


def test_two_redrives_at_once_move_each_letter_once(server, client, warehouse):
    client.create_table(TABLE, SCHEMA, properties={"firn.dead-letters.enabled": "true"})
    dice = random.Random(chaos.SEED)
    sender = KeyLetterSender("keys", server, Names(TABLE), Account((*COLUMNS, LATER)), RequestsTransport(), 1)
    sender.random = dice
    for _ in range(30):
        sender.turn()
    client.flush(TABLE)
    firn("schema", "add", TABLE, LATER, "string", warehouse=warehouse).ok()
    command = [str(BINARY), "dlq", "redrive", TABLE, "--warehouse", str(warehouse)]
    both = [subprocess.Popen(command, env=clean_environment(), stdout=subprocess.DEVNULL) for _ in range(3)]
    assert {process.wait(timeout=60) for process in both} <= {0, 1}
    firn("dlq", "redrive", TABLE, warehouse=warehouse).ok()
    sender.account.acknowledged(sender.later_rows)
    for engine, read in ENGINES.items():
        sender.account.check(rows_in(read(warehouse, TABLE)), engine)
    assert payloads(warehouse) == sender.hopeless
