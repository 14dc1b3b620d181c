"""G2, G3 for requests that name several tables: all of a request lands, or nothing, and readers see it so."""

import json
from collections import Counter

import pytest

from support import chaos
from support.account import Account
from support.cli import firn
from support.client import Client
from support.groups import GroupSender, KeyGroupSender, SequenceGroupSender, Watcher, half_groups
from support.litter import assert_no_litter
from support.readers import read_duckdb, read_pyiceberg
from support.records import SCHEMA, row_of, rows_in, wire
from support.senders import CurlTransport, HttpxTransport, Names, RequestsTransport

TABLES = ["groups.orders", "groups.lines", "groups.payments"]
ENGINES = {"pyiceberg": read_pyiceberg, "duckdb": read_duckdb}
KILLS = max(6, chaos.KILLS // 5)


@pytest.fixture
def tables(client) -> list[str]:
    for table in TABLES:
        client.create_table(table, SCHEMA)
    return TABLES


def lines(*pairs) -> bytes:
    return b"".join(json.dumps({"table": table, "record": wire(row)}).encode() + b"\n" for table, row in pairs)


def ids(warehouse, table) -> list[str]:
    return sorted(read_pyiceberg(warehouse, table).column("id").to_pylist())


@pytest.mark.limit(240 + 4 * KILLS)
def test_groups_are_whole_through_kills(make_server, warehouse):
    server = make_server(warehouse, flush_interval_ms=120).start()
    client = Client(server, timeout=60)
    for table in TABLES:
        client.create_table(table, SCHEMA, properties={"firn.compaction.min-input-files": "3"})
    account, names = Account(), Names(TABLES[0])
    GroupSender.tables = TABLES
    senders = [
        KeyGroupSender("req", server, names, account, RequestsTransport(), chaos.SEED),
        SequenceGroupSender("httpx", server, names, account, HttpxTransport(), chaos.SEED),
        SequenceGroupSender("curl", server, names, account, CurlTransport(), chaos.SEED),
    ]
    watcher = Watcher(warehouse, TABLES, chaos.SEED)
    killer = chaos.Killer(server, chaos.SEED, KILLS)
    killer.run_beside([*senders, watcher])

    server.restart_after_kill()
    for sender in senders:
        for batch in sender.history:
            sender.repeat(batch)
    for table in TABLES:
        client.flush(table)
    groups, halves = half_groups(warehouse, TABLES)
    assert not halves and groups == sum(sender.tally.batches for sender in senders)
    for engine, read in ENGINES.items():
        account.check((row for table in TABLES for row in rows_in(read(warehouse, table))), engine)
    for table in TABLES:
        path = "/v1/tables/" + table.replace(".", "/")
        for sender in senders[1:]:
            state = client.once("GET", f"{path}/producers/{sender.name}").ok().json
            assert state["durable-sequence"] == state["committed-sequence"] <= sender.sequence
        firn("expire", table, "--older-than", "1ms", "--retain-last", 1, warehouse=warehouse).ok()
    assert server.stop() == 0
    firn("gc", warehouse=warehouse).ok()
    assert_no_litter(warehouse)
    print(
        f"\n{killer.kills} kills ({killer.at_start} at start), {groups} groups, {account.promised} rows,"
        f" {sum(s.tally.unanswered for s in senders)} unanswered, {watcher.turns} looks at all tables"
    )


def test_one_bad_record_refuses_the_whole_request(tables, client, warehouse):
    good, bad = row_of("p", 1, 0), wire(row_of("p", 1, 1)) | {"batch": "many"}
    body = lines((TABLES[0], good)) + json.dumps({"table": TABLES[1], "record": bad}).encode() + b"\n"
    key = {"Idempotency-Key": "k", "Content-Type": "application/x-ndjson"}
    problem = client.once("POST", "/v1/records", data=body, headers=key).problem(422, "records_rejected")
    assert problem["rejected"][0]["line"] == 2
    # The mended request goes under the same key.
    body = lines((TABLES[0], good), (TABLES[1], row_of("p", 1, 1)))
    assert client.once("POST", "/v1/records", data=body, headers=key).ok().json["duplicate"] is False
    assert client.once("POST", "/v1/records", data=body, headers=key).ok().json["duplicate"] is True
    for table in TABLES:
        client.flush(table)
    assert [ids(warehouse, table) for table in TABLES] == [["p-1-0"], ["p-1-1"], []]


def test_a_missing_table_refuses_the_whole_request(tables, client, warehouse):
    headers = {"Content-Type": "application/x-ndjson"}
    body = lines((TABLES[0], row_of("p", 1, 0)), ("groups.nowhere", row_of("p", 1, 1)))
    client.once("POST", "/v1/records", data=body, headers=headers).problem(404, "table_not_found")
    client.flush(TABLES[0])
    assert ids(warehouse, TABLES[0]) == []


def test_a_group_survives_a_kill_before_any_commit(make_server, warehouse):
    """From the log alone, with the first answer to its retry."""
    server = make_server(warehouse, flush_interval_ms=60_000).start()
    client = Client(server)
    for table in TABLES:
        client.create_table(table, SCHEMA)
    headers = {"Content-Type": "application/x-ndjson", "Firn-Producer": "p", "Firn-Sequence": "1"}
    body = lines(*[(table, row_of(table, 1, n)) for n in range(3) for table in TABLES])
    first = client.once("POST", "/v1/records", data=body, headers=headers).ok().json
    assert first["accepted"] == 9 and first["duplicate"] is False
    server.restart_after_kill()
    again = client.once("POST", "/v1/records", data=body, headers=headers).ok().json
    assert again["duplicate"] is True
    assert {k: v for k, v in again.items() if k not in ("duplicate", "state")} == {
        k: v for k, v in first.items() if k not in ("duplicate", "state")
    }
    client.flush(TABLES[1])
    # Flushing one table commits what is tied to it.
    assert [len(ids(warehouse, table)) for table in TABLES] == [3, 3, 3]


def test_a_stamp_that_one_of_the_tables_has_seen(tables, client, warehouse):
    """A sequence that one table took already is no new group: nothing of it lands."""
    headers = {"Content-Type": "application/x-ndjson", "Firn-Producer": "p", "Firn-Sequence": "5"}
    client.once("POST", "/v1/records", data=lines((TABLES[0], row_of("p", 5, 0))), headers=headers).ok()
    both = lines((TABLES[0], row_of("p", 5, 1)), (TABLES[1], row_of("p", 5, 2)))
    client.once("POST", "/v1/records", data=both, headers=headers).problem(409, "stamp_used")
    headers["Firn-Sequence"] = "6"
    assert client.once("POST", "/v1/records", data=both, headers=headers).ok().json["accepted"] == 2
    for table in TABLES:
        client.flush(table)
    found = Counter(name for table in TABLES for name in ids(warehouse, table))
    assert found == {"p-5-0": 1, "p-5-1": 1, "p-5-2": 1}
