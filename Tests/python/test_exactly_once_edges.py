"""G2 where it is thin: names that change hands, producers that change hands, and what a retry meets afterwards."""

import threading
import time

import pyarrow as pa
import pytest

from support.cli import firn
from support.client import Client, Producer
from support.readers import read_pyiceberg, sql_catalog

TABLE = "app.events"
SCHEMA = "id long required"


def ids(warehouse, table) -> list[int]:
    return sorted(read_pyiceberg(warehouse, table).column("id").to_pylist())


def row(number: int) -> bytes:
    return b'{"id":%d}\n' % number


@pytest.fixture
def table(client) -> str:
    client.create_table(TABLE, SCHEMA)
    return TABLE


def test_a_renamed_table_gets_no_records_of_its_old_name(table, client, warehouse):
    """A new table takes the name at once: what is sent from then on is the new table's."""
    client.records(table, row(1)).ok()
    client.once("PATCH", "/v1/tables/app/events", body={"rename-to": "app.past"}).ok()
    client.create_table(table, SCHEMA)
    client.records(table, row(2)).ok()
    client.flush("app.past")
    client.flush(table)
    assert (ids(warehouse, "app.past"), ids(warehouse, table)) == ([1], [2])


def test_a_renamed_table_is_not_known_under_its_old_name(table, client, warehouse):
    client.records(table, row(1)).ok()
    client.once("PATCH", "/v1/tables/app/events", body={"rename-to": "app.past"}).ok()
    client.records(table, row(2)).problem(404, "table_not_found")
    client.flush("app.past")
    assert ids(warehouse, "app.past") == [1]


@pytest.mark.parametrize("change", ["rename", "drop"])
def test_a_name_that_another_process_gives_to_a_new_table(table, client, warehouse, change):
    """The command line renames or drops the table beside the server and makes another one."""
    client.records(table, row(1), headers={"Prefer": "wait=committed"}).ok()
    if change == "rename":
        firn("table", "rename", table, "app.past", warehouse=warehouse).ok()
    else:
        firn("table", "drop", table, warehouse=warehouse).ok()
    firn("table", "create", table, SCHEMA, warehouse=warehouse).ok()
    client.records(table, row(2)).ok()
    client.flush(table)
    assert ids(warehouse, table) == [2]
    if change == "rename":
        client.flush("app.past")
        assert ids(warehouse, "app.past") == [1]


def test_uncommitted_records_follow_their_table_not_its_name(make_server, warehouse):
    """Nothing is committed yet when the name goes to a table that looks just the same."""
    server = make_server(warehouse, flush_interval_ms=60_000).start()
    client = Client(server)
    client.create_table(TABLE, SCHEMA)
    client.records(TABLE, row(1), headers={"Idempotency-Key": "k"}).ok()
    client.once("PATCH", "/v1/tables/app/events", body={"rename-to": "app.past"}).ok()
    client.create_table(TABLE, SCHEMA)
    client.flush(TABLE)
    client.flush("app.past")
    assert (ids(warehouse, "app.past"), ids(warehouse, TABLE)) == ([1], [])
    server.restart_after_kill()
    client.flush("app.past")
    assert (ids(warehouse, "app.past"), ids(warehouse, TABLE)) == ([1], [])
    assert client.records("app.past", row(1), headers={"Idempotency-Key": "k"}).ok().json["duplicate"] is True


def test_a_rename_keeps_what_is_acknowledged_and_not_committed(make_server, warehouse):
    server = make_server(warehouse, flush_interval_ms=60_000).start()
    client = Client(server)
    client.create_table(TABLE, SCHEMA)
    for number in range(5):
        client.records(TABLE, row(number), headers={"Idempotency-Key": f"k{number}"}).ok()
    client.once("PATCH", "/v1/tables/app/events", body={"rename-to": "app.now"}).ok()
    client.records("app.now", row(5)).ok()
    server.restart_after_kill()
    for number in range(5):
        answer = client.records("app.now", row(number), headers={"Idempotency-Key": f"k{number}"}).ok()
        assert answer.json["duplicate"] is True
    client.flush("app.now")
    assert ids(warehouse, "app.now") == list(range(6))


def test_a_duplicate_under_a_higher_epoch_fences_for_good(table, server, client, warehouse):
    """A successor begins with the batch that its predecessor sent last. The answer is an acknowledgement, so the fence
    stands, whatever crash comes next."""
    old = Producer(client, table, "one", epoch=1)
    old.send(row(1))
    new = Producer(client, table, "one", epoch=2)
    assert new.send(row(1)).json["duplicate"] is True
    server.restart_after_kill()
    old.sequence = 1
    client.records(table, row(2), headers=old.stamp(2)).problem(409, "producer_fenced")
    assert new.send(row(3)).json["duplicate"] is False
    client.flush(table)
    assert ids(warehouse, table) == [1, 3]


def test_an_older_sequence_is_answered_as_the_first_time(table, server, client):
    """Not only the newest batch of a producer gets its first answer again."""
    producer = Producer(client, table, "one")
    first = [producer.send(row(number)).json for number in range(5)]
    server.restart_after_kill()
    for number, answer in enumerate(first):
        again = client.records(table, row(number), headers=producer.stamp(number + 1)).ok().json
        assert again["duplicate"] is True
        assert again["accepted"] == answer["accepted"] == 1
        assert again["position"] == answer["position"]


def test_a_dropped_and_recreated_table_starts_afresh(table, server, client, warehouse):
    """Keys and sequences belong to a table, not to its name."""
    key = {"Idempotency-Key": "k"}
    producer = Producer(client, table, "one")
    client.records(table, row(1), headers=key).ok()
    producer.send(row(2))
    assert client.once("DELETE", "/v1/tables/app/events").status == 204
    client.create_table(table, SCHEMA)
    assert client.records(table, row(1), headers=key).ok().json["duplicate"] is False
    producer.sequence = 0
    assert producer.send(row(2)).json["duplicate"] is False
    server.restart_after_kill()
    assert client.records(table, row(1), headers=key).ok().json["duplicate"] is True
    client.flush(table)
    assert ids(warehouse, table) == [1, 2]


def test_a_batch_of_rejects_leaves_its_identity_free(table, client, warehouse):
    """A batch of which nothing landed may be mended and sent under the same identity."""
    producer = Producer(client, table, "one")
    for headers in ({"Idempotency-Key": "k"}, producer.stamp(1)):
        client.records(table, b'{"id":"x"}\n', headers=headers).problem(422, "all_records_rejected")
        assert client.records(table, row(1), headers=headers).ok().json["duplicate"] is False
    client.flush(table)
    assert ids(warehouse, table) == [1, 1]


def test_rejects_are_told_again(table, server, client):
    """The first answer names the rejected records, and so does the answer to a retry, before and after a crash."""
    key = {"Idempotency-Key": "k"}
    body = b'{"id":1}\n{"id":"two"}\n{"id":3}\n'
    first = client.records(table, body, headers=key).ok().json
    assert first["accepted"] == 2 and [reject["line"] for reject in first["rejected"]] == [2]
    for _ in range(2):
        again = client.records(table, body, headers=key).ok().json
        assert again["duplicate"] is True
        assert (again["accepted"], again["rejected"]) == (first["accepted"], first["rejected"])
        server.restart_after_kill()
        again = client.records(table, body, headers=key).ok().json
        assert (again["accepted"], again["rejected"]) == (first["accepted"], first["rejected"])
        client.flush(table)


def test_one_batch_sent_by_many_at_once_lands_once(table, server, client, warehouse):
    """The reservation of a key and of a sequence: of forty senders one lands, the others hear its answer."""
    answers = []

    def send(headers, body):
        answers.append(Client(server).records(table, body, headers=headers, retry=True).ok().json)

    for headers, body in (({"Idempotency-Key": "k"}, row(1)), (Producer(client, table, "p").stamp(1), row(2))):
        answers.clear()
        threads = [threading.Thread(target=send, args=(headers, body)) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answer["duplicate"] for answer in answers) == [False] + [True] * 39
        assert len({answer["position"] for answer in answers}) == 1
    client.flush(table)
    assert ids(warehouse, table) == [1, 2]


def test_two_servers_cannot_share_a_warehouse(table, server, make_server, client, warehouse):
    client.records(table, row(1)).ok()
    second = make_server(warehouse)
    with pytest.raises(AssertionError, match="already running"):
        second.start()
    client.records(table, row(2)).ok()
    client.flush(table)
    assert ids(warehouse, table) == [1, 2]


def test_a_key_is_known_until_its_window_has_passed(make_server, warehouse):
    """Through restarts, compaction, expiry and foreign commits; and no longer than its table says."""
    server = make_server(warehouse, flush_interval_ms=50).start()
    client = Client(server)
    long, short = "app.long", "app.short"
    client.create_table(long, SCHEMA, properties={"firn.ingest.idempotency-window-ms": "3600000"})
    client.create_table(short, SCHEMA, properties={"firn.ingest.idempotency-window-ms": "1000"})
    key = {"Idempotency-Key": "k"}
    first = {}
    for table in (long, short):
        first[table] = client.records(table, row(0), headers=key).ok().json
        for number in range(1, 6):
            client.records(table, row(number), headers={"Prefer": "wait=committed"}).ok()
        client.compact(table)
        firn("expire", table, "--older-than", "1ms", "--retain-last", 1, warehouse=warehouse).ok()
        foreign = sql_catalog(warehouse).load_table(table)
        foreign.append(pa.table({"id": pa.array([100], pa.int64())}, schema=foreign.schema().as_arrow()))

    # Keys are looked over when a server starts, and then every few minutes.
    deadline = time.monotonic() + 60
    taken_again = False
    while not taken_again:
        assert time.monotonic() < deadline, "a key of a second is still known after a minute"
        time.sleep(1.1)
        server.restart_after_kill()
        time.sleep(0.3)
        taken_again = client.records(short, row(0), headers=key).ok().json["duplicate"] is False
    again = client.records(long, row(0), headers=key).ok().json
    assert again["duplicate"] is True and again["position"] == first[long]["position"]
    for table in (long, short):
        client.flush(table)
    assert ids(warehouse, long) == [0, 1, 2, 3, 4, 5, 100]
    assert ids(warehouse, short) == [0, 0, 1, 2, 3, 4, 5, 100]
