"""Two clients at once: one wins, the other is told so by 409, and its next attempt succeeds."""

import concurrent.futures
import os
import random
import threading

import pyarrow as pa
import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField

from support.client import Client, ndjson
from support.rest import SCHEMA, Rest, assert_error, follow, move_main, path, pyiceberg_catalog
from support.shop import TABLE, rest  # noqa: F401 (fixture)

CLIENTS = 4


def together(count: int, body) -> list:
    """Runs `body` in that many threads, which start at once."""
    barrier = threading.Barrier(count)

    def run(number):
        barrier.wait()
        return body(number)

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_of_racing_commits_exactly_one_wins(server, rest):
    rest.create_table(TABLE)
    for round_ in range(20):
        metadata = rest.load(TABLE)["metadata"]
        held = {"type": "assert-last-assigned-field-id", "last-assigned-field-id": metadata["last-column-id"]}
        field = {"id": metadata["last-column-id"] + 1, "name": f"c{round_}", "required": False, "type": "int"}
        current = next(s for s in metadata["schemas"] if s["schema-id"] == metadata["current-schema-id"])
        updates = [
            {"action": "add-schema", "schema": current | {"fields": current["fields"] + [field]}},
            {"action": "set-current-schema", "schema-id": -1},
        ]
        answers = together(CLIENTS, lambda _: Rest(server).commit(TABLE, updates, [held]))
        statuses = sorted(answer.status for answer in answers)
        assert statuses == [200] + [409] * (CLIENTS - 1), [a.text[:200] for a in answers]
        for answer in answers:
            if answer.status == 409:
                assert_error(answer, 409, "CommitFailedException")


def test_commits_that_do_not_touch_each_other_all_succeed(server, rest):
    uuid = rest.create_table(TABLE)["metadata"]["table-uuid"]
    held = {"type": "assert-table-uuid", "uuid": uuid}
    for round_ in range(5):
        answers = together(CLIENTS, lambda n: Rest(server).set_property(TABLE, f"k{round_}-{n}", "v", held))
        assert [a.status for a in answers] == [200] * CLIENTS, [a.text[:200] for a in answers]
    properties = rest.load(TABLE)["metadata"]["properties"]
    assert sum(key.startswith("k") for key in properties) == 5 * CLIENTS


def test_of_racing_creations_exactly_one_wins(server, rest):
    for round_ in range(10):
        answers = together(
            CLIENTS,
            lambda _: Rest(server).call(
                "POST", "/namespaces/shop/tables", {"name": f"t{round_}", "schema": SCHEMA}
            ),
        )
        assert sorted(a.status for a in answers) == [200] + [409] * (CLIENTS - 1), [a.text[:200] for a in answers]


def test_of_equal_keys_exactly_one_takes_effect(server, rest):
    rest.create_table(TABLE)
    rest.client.records(TABLE, ndjson([{"id": 1}])).ok()
    for round_ in range(10):
        metadata = rest.load(TABLE)["metadata"]
        add = follow(metadata)
        updates = [add, move_main(add["snapshot"]["snapshot-id"])]
        key = {"Idempotency-Key": f"round-{round_}"}
        answers = together(CLIENTS, lambda _: Rest(server).commit(TABLE, updates, headers=key))
        assert {a.status for a in answers} == {200}, [a.text[:200] for a in answers]
        assert len({a.text for a in answers}) == 1
        assert rest.load(TABLE)["metadata"]["last-sequence-number"] == metadata["last-sequence-number"] + 1


@pytest.mark.limit(180)
def test_a_key_makes_retries_safe_through_kills(make_server, warehouse):
    """A client that repeats each request until it has an answer, and a server that is killed all the time."""
    server = make_server(warehouse).start()
    rest = Rest(server)
    rest.create_namespace("shop")
    rest.create_table(TABLE)
    rest.client.records(TABLE, ndjson([{"id": 1}])).ok()
    metadata = rest.load(TABLE)["metadata"]
    stop, seed = threading.Event(), random.Random(int(os.environ.get("FIRN_SEED", "7")))

    def kill():
        kills = 0
        while not stop.wait(seed.uniform(0.05, 0.4)):
            before, kills = number, kills + 1
            # Some lives last until something was committed, however slow the disk is.
            while kills % 4 == 0 and number == before and not stop.wait(0.01):
                pass
            server.restart_after_kill()

    number = repeats = 0
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        # On a fast machine sixty commits are through before the second kill.
        while number < 60 or repeats < 5:
            add = follow(metadata)
            body = {"updates": [add, move_main(add["snapshot"]["snapshot-id"])], "requirements": []}
            answer = rest.client.until_answered(
                "POST", rest.prefix + path(TABLE), body=body, headers={"Idempotency-Key": f"k{number}"}
            )  # fmt: skip
            assert answer.status == 200, answer.text[:500]
            repeats += answer.attempts > 1
            after = answer.json["metadata"]
            assert after["last-sequence-number"] == metadata["last-sequence-number"] + 1
            metadata = after
            number += 1
    finally:
        stop.set()
        killer.join()
    assert rest.load(TABLE)["metadata"]["last-sequence-number"] == metadata["last-sequence-number"]


@pytest.mark.limit(180)
def test_writers_and_a_stream_lose_nothing(make_server, warehouse):
    """PyIceberg appends from several threads while records stream in: every row is there once."""
    server = make_server(warehouse, flush_interval_ms=100).start()
    catalog = pyiceberg_catalog(server)
    catalog.create_namespace("shop")
    schema = Schema(NestedField(1, "id", LongType(), required=False))
    patient = {"commit.retry.num-retries": "200", "commit.retry.max-wait-ms": "200"}
    catalog.create_table(TABLE, schema, properties=patient)

    def write(number):
        if number == 0:
            client = Client(server)
            for n in range(100):
                client.records(TABLE, ndjson([{"id": n}])).ok()
            return 100
        table = pyiceberg_catalog(server).load_table(TABLE)
        for n in range(5):
            for _ in range(200):
                try:
                    table.append(pa.table({"id": pa.array([1000 * number + n], pa.int64())}))
                    break
                except Exception as error:
                    assert "CommitFailed" in type(error).__name__, error
                    table.refresh()
            else:
                raise AssertionError("no attempt succeeded")
        return 5

    expected = sum(together(3, write))
    found = catalog.load_table(TABLE).scan().to_arrow()["id"].to_pylist()
    assert len(found) == len(set(found)) == expected
