"""G2 for attached tables: answers that are lost, gateways that fail, and servers that are killed between two catalogs.

`FIRN_KILLS` sets the number of kills (10), `FIRN_FAULT_ROUNDS` that of batches through a gateway that fails by chance,
`FIRN_SEED` where they fall. `FIRN_FAULTS=all` runs everything with a hub that knows idempotency keys, too.
"""

import itertools
import json
import os
import threading
import time

import pyarrow as pa
import pytest
import requests

from support import chaos
from support.account import Account
from support.attached import TABLE, Pair, Strikes, state
from support.chaos import Killer
from support.cli import firn
from support.client import Producer, ndjson
from support.litter import assert_no_litter
from support.proxy import Cut, Delay, Dice, Drop, Half, Hang, Instead, Late, Mask, Proxy, Refuse, Script
from support.records import SCHEMA
from support.rest import path, pyiceberg_catalog
from support.senders import HttpxTransport, KeySender, Names, RequestsTransport, SequenceSender

THOROUGH = os.environ.get("FIRN_FAULTS") == "all"
ROUNDS = int(os.environ.get("FIRN_FAULT_ROUNDS", "40"))
COLUMNS = "id long required, value string"

ONE_AFTER_THE_OTHER = {
    "lost answer": [Cut()],
    "answer lost three times": [Cut(), Cut(), Cut()],
    "half an answer": [Half()],
    "500": [Refuse(500), Refuse(500)],
    "502": [Refuse(502)],
    "503": [Refuse(503), Refuse(503)],
    "504": [Refuse(504)],
    "429": [Refuse(429), Refuse(429)],
    "500 for a commit": [Mask(500)],
    "502 for a commit": [Mask(502)],
    "504 for a commit": [Mask(504), Refuse(502)],
    "dropped": [Drop(), Drop()],
    "slow": [Delay(0.5)],
    "hangs": [Hang(0.8)],
    "arrives later": [Late(0.6)],
    "arrives later, and is refused meanwhile": [Late(0.9), Refuse(401), Refuse(503), Refuse(429), Refuse(403)],
    "arrives later, and is not found meanwhile": [Late(0.9), Refuse(404), Refuse(400), Refuse(422)],
    "lost, then not let in": [Cut(), Refuse(401), Refuse(403)],
    "lost, then a conflict that is none": [Cut(), Refuse(409)],
}  # fmt: skip


@pytest.fixture
def pair(make_server, tmp_path) -> Pair:
    return Pair(make_server, tmp_path)


@pytest.fixture(params=["without keys", "with keys"] if THOROUGH else ["without keys"])
def proxy(request, pair):
    """Without keys: a remote that does not know what the header means, as most do not."""
    with Proxy(pair.hub, strip=("idempotency-key",) if request.param == "without keys" else ()) as proxy:
        yield proxy


@pytest.fixture
def attached(pair, proxy) -> Pair:
    # In the background it might leave nothing to do for a command.
    pair.create(COLUMNS, properties={"firn.compaction.enabled": "false"})
    pair.attach(uri=f"{proxy.url}/iceberg").ok()
    return pair


def rows(*ids) -> bytes:
    return ndjson({"id": n, "value": f"v{n}"} for n in ids)


class Down:
    """The first `faults` as a script, then nobody gets through until `up`."""

    def __init__(self, *faults):
        self.script = Script(*faults)
        self.up = False

    def __call__(self, request):
        if self.up:
            return None
        waiting = bool(self.script.faults)
        return self.script(request) if waiting else Refuse(503)


def until(condition, what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


def append(pair: Pair, number: int) -> None:
    """A commit of somebody else at the hub."""
    table = pyiceberg_catalog(pair.hub).load_table(TABLE)
    table.append(pa.table({"id": [number], "value": ["foreign"]}).cast(table.schema().as_arrow()))


def with_an_open_intent(pair: Pair, proxy: Proxy, *ids) -> Down:
    """A commit that took place, whose edge was killed before it heard of it; the way there is closed now."""
    before = len(proxy.commits)
    proxy.fault = down = Down(Cut())
    pair.at_edge.records(TABLE, rows(*ids)).ok()
    until(lambda: any(request.status == 200 for request in proxy.commits[before:]), "a commit went through")
    pair.edge.kill()
    return down


@pytest.mark.limit(240)
def test_one_fault_after_the_other(attached, proxy):
    numbers = itertools.count()
    for name, faults in ONE_AFTER_THE_OTHER.items():
        met = proxy.faults.total()
        proxy.fault = Script(*faults)
        # Where a look at the table decides, the later faults meet the later commits.
        for _ in range(2):
            attached.at_edge.records(TABLE, rows(next(numbers))).ok()
            attached.drain()
        late = [request for request in proxy.commits if isinstance(request.fault, Late)]
        until(lambda: all(request.status for request in late), f"{name}: what was late arrives")
        assert proxy.faults.total() > met, name
        found = sorted(attached.remote.pyiceberg().column("id").to_pylist())
        assert found == list(range(len(found))) and len(found) == 2 * (1 + list(ONE_AFTER_THE_OTHER).index(name)), name
    proxy.fault = lambda request: None
    attached.at_edge.records(TABLE, rows(next(numbers)), headers={"Prefer": "wait=committed"}).ok()
    assert attached.remote.ids() == list(range(next(numbers)))
    proxy.check_intents()


@pytest.mark.parametrize("fault", [Cut(), Late(0.5), Mask(502), Drop()], ids=str)
def test_somebody_else_commits_meanwhile(attached, proxy, fault):
    """Before it is looked for, main has moved: the first try has won, or lost, or comes too late."""
    attached.at_edge.records(TABLE, rows(1), headers={"Prefer": "wait=committed"}).ok()
    tried, appended = [], []

    def course(request):
        if request.commits and not tried:
            tried.append(request)
            return fault
        if tried and not appended:
            appended.append(request)
            append(attached, 1000)
        return None

    proxy.fault = course
    attached.at_edge.records(TABLE, rows(2)).ok()
    attached.drain()
    attached.at_edge.records(TABLE, rows(3), headers={"Prefer": "wait=committed"}).ok()
    until(lambda: tried[0].status or isinstance(fault, Drop), "the first try has arrived")
    assert attached.remote.ids() == [1, 2, 3, 1000]
    assert len(proxy.commits) >= 3


@pytest.mark.parametrize("look", [1, 2, 3])
def test_it_arrives_between_two_looks(attached, proxy, look):
    """The connection ends, and the request reaches the catalog right before somebody looks at the table again."""
    attached.at_edge.records(TABLE, rows(1), headers={"Prefer": "wait=committed"}).ok()
    held, looks = [], []

    def fault(request):
        if request.commits and not held:
            held.append(request)
            return Drop()
        if held and request.method == "GET" and "/tables/" in request.path:
            looks.append(request)
            if len(looks) == look:
                proxy.forward(held[0])
        return Refuse(409) if request.commits and len(looks) < look else None

    proxy.fault = fault
    attached.at_edge.records(TABLE, rows(2)).ok()
    until(lambda: held and held[0].status == 200, "the request arrives")
    attached.drain()
    assert attached.remote.ids() == [1, 2]


def test_a_look_that_shows_an_older_state(attached, proxy):
    """A cache or a replica that lags: main is not at the base there either, which says nothing."""
    attached.at_edge.records(TABLE, rows(0), headers={"Prefer": "wait=committed"}).ok()
    older = requests.get(f"{attached.hub.url}/iceberg/v1{path(TABLE)}", timeout=30)
    older = Instead(200, {"Content-Type": "application/json", "ETag": older.headers["ETag"]}, older.content)
    attached.at_edge.records(TABLE, rows(1), headers={"Prefer": "wait=committed"}).ok()
    tried, shown = [], []

    def course(request):
        if request.commits and not tried:
            tried.append(request)
            return Cut()
        if tried and not shown and request.method == "GET":
            shown.append(request)
            return older
        return None

    proxy.fault = course
    for number in (2, 3):
        attached.at_edge.records(TABLE, rows(number)).ok()
        attached.drain()
    assert shown and tried[0].status == 200
    assert attached.remote.ids() == [0, 1, 2, 3]


@pytest.mark.limit(120 + ROUNDS)
def test_a_gateway_that_fails_by_chance(attached, proxy):
    faults = [
        Cut(), Cut(), Half(), Mask(500), Mask(502), Mask(504), Refuse(500), Refuse(503), Refuse(429), Refuse(401),
        Drop(), Delay(0.2), Hang(0.3), Late(0.3),
    ]  # fmt: skip
    commits = Dice(chaos.SEED, 0.5, faults, lambda request: request.commits)
    loads = Dice(chaos.SEED, 0.05, faults, lambda request: not request.commits)
    proxy.fault = lambda request: commits(request) or loads(request)
    producer = Producer(attached.at_edge, TABLE, "steady")
    stop = threading.Event()

    def others():
        number = 100_000
        while not stop.wait(0.4):
            number += 1
            append(attached, number)

    other = threading.Thread(target=others)
    other.start()
    try:
        for number in range(ROUNDS):
            producer.send(rows(*range(10 * number, 10 * number + 10)))
            time.sleep(0.1)
    finally:
        stop.set()
        other.join()
    proxy.fault = lambda request: None
    attached.drain()
    time.sleep(0.4)
    assert [n for n in attached.remote.ids() if n < 100_000] == list(range(10 * ROUNDS))
    proxy.check_intents()
    # Fewer than batches: a commit takes many of them while the gateway fails.
    assert proxy.faults.total() >= ROUNDS / 20, proxy.faults
    print(f"{len(proxy.commits)} commits sent, faults: {dict(proxy.faults)}")


def test_a_commit_that_nobody_heard_of(attached, proxy):
    """Roll forward: the next life sends the same request again."""
    down = with_an_open_intent(attached, proxy, 1, 2)
    attached.edge.start()
    attached.at_edge.records(TABLE, rows(3)).ok()
    # Nothing that may be part of the table may be collected.
    attached.command("gc")
    down.up = True
    attached.drain()
    assert attached.remote.ids() == [1, 2, 3]
    attached.command("gc").ok()
    firn("verify", TABLE, "--data", warehouse=attached.hub.warehouse).ok()
    proxy.check_intents()


def test_a_commit_whose_snapshot_expired(attached, proxy):
    """Others went on: main has moved and the snapshot is in no list any more."""
    down = with_an_open_intent(attached, proxy, 1, 2)
    for number in (1000, 1001):
        append(attached, number)
    firn("compact", TABLE, warehouse=attached.hub.warehouse).ok()
    firn("expire", TABLE, "--older-than", "1ms", "--retain-last", "1", warehouse=attached.hub.warehouse).ok()
    firn("gc", warehouse=attached.hub.warehouse).ok()
    assert len(attached.at()["snapshots"]) == 1
    down.up = True
    attached.edge.start()
    attached.at_edge.records(TABLE, rows(3), headers={"Prefer": "wait=committed"}).ok()
    attached.drain()
    assert attached.remote.ids() == [1, 2, 3, 1000, 1001]


def test_a_commit_that_was_rolled_back(attached, proxy):
    """Main is where the intent wants it, but what it would commit was committed, and somebody took it back."""
    attached.at_edge.records(TABLE, rows(0), headers={"Prefer": "wait=committed"}).ok()
    base = attached.at()["current-snapshot-id"]
    down = with_an_open_intent(attached, proxy, 1, 2)
    firn("rollback", TABLE, base, warehouse=attached.hub.warehouse).ok()
    down.up = True
    attached.edge.start()
    attached.at_edge.records(TABLE, rows(3), headers={"Prefer": "wait=committed"}).ok()
    attached.drain()
    assert attached.remote.ids() == [0, 3]


def test_the_other_catalog_is_killed_before_its_answer(attached, proxy):
    """It has committed, it is gone, and its next life knows."""
    proxy.fault = Script(Cut())
    attached.at_edge.records(TABLE, rows(1)).ok()
    until(lambda: proxy.commits and proxy.commits[0].status == 200, "a commit")
    attached.hub.restart_after_kill()
    attached.drain()
    assert attached.remote.ids() == [1]


def test_detaching_waits_for_what_is_unclear(attached, proxy):
    """The commit may have happened: its records are the edge's until it knows."""
    down = with_an_open_intent(attached, proxy, 1)
    attached.edge.start()
    refusal = attached.command("table", "detach", TABLE).failed()
    assert TABLE in refusal, refusal
    assert attached.query("SELECT 1 AS one") == [{"one": 1}]
    down.up = True
    attached.drain()
    before = state(attached.at())
    attached.command("table", "detach", TABLE).ok()
    assert state(attached.at()) == before
    assert attached.remote.ids() == [1]


def test_row_changes_through_a_gateway_that_fails(attached, proxy):
    """A delete, a compaction and an expiry take place once, though each first answer is lost."""
    for number in range(8):
        attached.at_edge.records(TABLE, rows(number), headers={"Prefer": "wait=committed"}).ok()
    steps = [
        (["delete", TABLE, "--where", "id % 4 = 1"], [Cut()]),
        (["delete", TABLE, "--where", "id % 4 = 2"], [Late(0.3), Refuse(503)]),
        (["compact", TABLE], [Mask(502)]),
        (["expire", TABLE, "--older-than", "1ms", "--retain-last", "1"], [Half()]),
        (["schema", "add", TABLE, "note", "string"], [Cut(), Refuse(500)]),
    ]
    for arguments, faults in steps:
        before = attached.at()
        proxy.fault = script = Script(*faults)
        if arguments[0] == "delete":
            report = json.loads(attached.command(*arguments, "--output", "json").ok().stdout)
            assert report["rows-deleted"] == 2
        else:
            attached.command(*arguments).ok()
        assert len(script.faults) < len(faults), arguments
        assert attached.at() != before, arguments
    time.sleep(0.4)
    assert attached.remote.ids() == [0, 3, 4, 7]
    assert [f["name"] for f in attached.at()["schemas"][-1]["fields"]] == ["id", "value", "note"]
    attached.command("gc").ok()
    firn("verify", TABLE, "--data", warehouse=attached.hub.warehouse).ok()
    proxy.check_intents()


@pytest.mark.limit(300 + 5 * chaos.KILLS)
@pytest.mark.parametrize("whom", ["edge", "hub", "both"])
def test_kills(pair, whom):
    """Whoever is killed: everything acknowledged is there once, and no file is left that belongs to nobody."""
    pair.create(SCHEMA)
    chance = Dice(chaos.SEED, 0.1, [Cut(), Refuse(503), Mask(502)], lambda request: request.commits)
    with Proxy(pair.hub, chance if whom == "both" else lambda request: None) as proxy:
        pair.attach(uri=f"{proxy.url}/iceberg").ok()
        account, names = Account(), Names(TABLE)
        senders = [
            SequenceSender("sequence", pair.edge, names, account, RequestsTransport(), chaos.SEED),
            KeySender("key", pair.edge, names, account, HttpxTransport(), chaos.SEED),
        ]
        kills = max(2, chaos.KILLS // 2)
        killer = Killer(pair.hub if whom == "hub" else pair.edge, chaos.SEED, kills)
        actors = list(senders)
        if whom == "both":
            actors.append(Strikes(Killer(pair.hub, chaos.SEED + 1, 1_000_000)))
        killer.run_beside(actors)
        pair.edge.restart_after_kill()
        proxy.fault = lambda request: None
        pair.drain()
        found = pair.remote.check(account)
        for sender in senders:
            for batch in sender.history[-20:]:
                sender.repeat(batch)
        pair.drain()
        assert pair.remote.check(account) == found
        proxy.check_intents()
    # Nobody is in the middle of a compaction when the files are counted.
    assert pair.edge.stop() == 0
    pair.command("gc").ok()
    assert pair.hub.stop() == 0
    firn("gc", warehouse=pair.hub.warehouse).ok()
    firn("verify", TABLE, "--data", warehouse=pair.hub.warehouse).ok()
    assert_no_litter(pair.hub.warehouse)
    print(f"{whom}: {killer.kills} kills, {found} rows, {len(proxy.commits)} commits sent")
