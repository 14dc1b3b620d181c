"""Tables whose catalog is another Firn: the edge takes records for them, queries, changes and maintains them."""

import os
import threading
import time

import pyarrow as pa
import pytest

from support import chaos
from support.account import Account
from support.attached import AWAY, TABLE, Gardener, Pair, state
from support.chaos import check
from support.cli import firn
from support.client import Client, Producer, ndjson
from support.janitors import ForeignWriter
from support.litter import files_on_disk
from support.records import SCHEMA
from support.rest import Rest, duckdb_catalog, pyiceberg_catalog
from support.senders import FormatSender, HttpxTransport, KeySender, Names, RequestsTransport, SequenceSender

SECONDS = int(os.environ.get("FIRN_ATTACHED_SECONDS", "5"))
COLUMNS = "id long required, value string"
# Servers that compact in the background might leave nothing to do for a command.
BY_HAND = {"firn.compaction.enabled": "false"}


@pytest.fixture
def pair(make_server, tmp_path) -> Pair:
    return Pair(make_server, tmp_path)


@pytest.fixture
def attached(pair) -> Pair:
    pair.create(COLUMNS, identifier=["id"])
    pair.attach().ok()
    return pair


def rows(*ids, value="v") -> bytes:
    return ndjson({"id": n, "value": f"{value}{n}"} for n in ids)


def test_records_reach_the_other_catalog(attached):
    before = attached.at()
    answer = attached.at_edge.records(TABLE, rows(1, 2)).ok()
    assert (answer.json["accepted"], answer.json["state"]) == (2, "durable")
    assert attached.query(f'SELECT id, value FROM "{TABLE}" ORDER BY id') == [
        {"id": 1, "value": "v1"}, {"id": 2, "value": "v2"},
    ]  # fmt: skip
    committed = attached.at_edge.records(TABLE, rows(3), headers={"Prefer": "wait=committed"}).ok().json
    assert committed["state"] == "committed"
    after = attached.at()
    assert after["table-uuid"] == before["table-uuid"]
    assert after["current-snapshot-id"] == committed["snapshot-id"]
    assert attached.remote.ids() == [1, 2, 3]
    # The table's files lie in its own place; the edge keeps none of them.
    assert not [path for path in files_on_disk(attached.edge.warehouse) if path.endswith((".parquet", ".avro"))]


def test_under_another_name(pair):
    pair.create(COLUMNS)
    uri = f"{pair.hub.url}/iceberg/"
    pair.attach("local.mirror", "--remote-table", TABLE, "--remote-warehouse", "any", uri=uri).ok()
    pair.at_edge.records("local.mirror", rows(1)).ok()
    assert pair.query("SELECT id FROM local.mirror") == [{"id": 1}]
    assert pair.remote.ids() == [1]
    listed = pair.command("table", "list", "--output", "ndjson").rows()
    assert [(row["table"], row["records"]) for row in listed] == [("local.mirror", 1)]
    assert pair.hub.url in pair.command("table", "show", "local.mirror").ok().stdout


def test_readers_of_the_edge_see_what_it_acknowledged(attached):
    """G5, through the edge's own REST catalog and through a command beside it."""
    for number in range(5):
        attached.at_edge.records(TABLE, rows(number)).ok()
        found = attached.command("query", f"SELECT count(*) AS n FROM {TABLE}", "--output", "ndjson").rows()
        assert found == [{"n": number + 1}]
    for number in range(5, 10):
        attached.at_edge.records(TABLE, rows(number)).ok()
        assert pyiceberg_catalog(attached.edge).load_table(TABLE).scan().count() == number + 1


def test_the_edge_sees_what_others_commit(attached):
    table = pyiceberg_catalog(attached.hub).load_table(TABLE)
    schema = table.schema().as_arrow()
    for number in range(3):
        table.append(pa.table({"id": [number], "value": ["foreign"]}).cast(schema))
        assert attached.query(f"SELECT count(*) AS n FROM {TABLE}") == [{"n": 2 * number + 1}]
        attached.at_hub.records(TABLE, rows(100 + number)).ok()
        # What the hub has acknowledged is committed before anybody loads the table from it.
        assert attached.query(f"SELECT count(*) AS n FROM {TABLE}") == [{"n": 2 * number + 2}]


def test_rows_change_and_files_are_merged(pair):
    pair.create(COLUMNS, identifier=["id"], properties=BY_HAND)
    pair.attach().ok()
    for number in range(12):
        pair.at_edge.records(TABLE, rows(*range(10 * number, 10 * number + 10))).ok()
        pair.drain()
    expected = set(range(120))
    pair.command("delete", TABLE, "--where", "id % 7 = 3").ok()
    expected -= {n for n in expected if n % 7 == 3}
    assert pair.remote.ids() == sorted(expected)
    pair.command("upsert", TABLE, "-", stdin=rows(1, 5, 1000, value="new").decode()).ok()
    expected |= {1000}
    assert pair.remote.ids() == sorted(expected)
    files = len(pyiceberg_catalog(pair.hub).load_table(TABLE).inspect.data_files())
    pair.command("compact", TABLE).ok()
    table = pyiceberg_catalog(pair.hub).load_table(TABLE)
    assert table.current_snapshot().summary.operation.value == "replace"
    assert len(table.inspect.data_files()) < files
    pair.command("expire", TABLE, "--older-than", "1ms", "--retain-last", "1").ok()
    pair.command("gc").ok()
    pair.command("schema", "add", TABLE, "note", "string").ok()
    assert len(pair.at()["snapshots"]) == 1
    assert pair.remote.ids() == sorted(expected)
    found = {row["id"]: row["value"] for row in pair.remote.duckdb().to_pylist()}
    assert [found[n] for n in (1, 5, 1000, 2)] == ["new1", "new5", "new1000", "v2"]
    assert "note" in pair.remote.duckdb().column_names
    for warehouse in (pair.edge.warehouse, pair.hub.warehouse):
        firn("verify", TABLE, "--data", warehouse=warehouse).ok()


@pytest.mark.parametrize("version", ["2", "3"])
def test_partitions_and_both_versions(pair, version):
    """In a namespace of several levels, sorted and partitioned, changed by deletion files or vectors."""
    table = "lab.north.readings"
    pair.create(
        "id long required, kind string, v double", table, partition="kind, bucket(4, id)", sort="id",
        properties=BY_HAND | {"format-version": version},
    )  # fmt: skip
    pair.attach(table).ok()
    for number in range(4):
        lines = ({"id": n, "kind": "ab"[n % 2], "v": n / 4} for n in range(50 * number, 50 * number + 50))
        pair.at_edge.records(table, ndjson(lines), headers={"Prefer": "wait=committed"}).ok()
    pair.command("delete", table, "--where", "id % 10 = 3").ok()
    expected = [n for n in range(200) if n % 10 != 3]
    loaded = pyiceberg_catalog(pair.hub).load_table(table)
    assert loaded.metadata.format_version == int(version)
    assert len(loaded.spec().fields) == 2
    assert pair.query(f'SELECT count(*) AS n, sum(id) AS s FROM "{table}"') == [{"n": 180, "s": sum(expected)}]
    pair.command("compact", table).ok()
    assert pair.query(f'SELECT count(*) AS n, sum(id) AS s FROM "{table}"') == [{"n": 180, "s": sum(expected)}]
    with duckdb_catalog(pair.hub) as lake:
        rows_found = lake.execute("SELECT id FROM lake.\"lab.north\".readings ORDER BY id").fetchall()
    assert [name for (name,) in rows_found] == expected
    for warehouse in (pair.edge.warehouse, pair.hub.warehouse):
        firn("verify", table, "--data", warehouse=warehouse).ok()


def test_a_schema_grows_with_the_records(pair):
    pair.create(COLUMNS, properties={"firn.schema.policy": "additive"})
    pair.attach().ok()
    answer = pair.at_edge.records(TABLE, ndjson([{"id": 1, "value": "a", "weight": 1.5}])).ok()
    assert answer.json["accepted"] == 1 and not answer.json["rejected"]
    pair.drain()
    (found,) = pair.remote.duckdb().to_pylist()
    assert found == {"id": 1, "value": "a", "weight": 1.5}


def test_a_schema_that_changed_at_the_other_catalog(attached):
    attached.at_edge.records(TABLE, rows(1)).ok()
    firn("schema", "add", TABLE, "note", "string", warehouse=attached.hub.warehouse).ok()
    attached.query(f"SELECT count(*) FROM {TABLE}")
    attached.at_edge.records(TABLE, ndjson([{"id": 2, "value": "b", "note": "n"}])).ok()
    firn("schema", "rename", TABLE, "value", "name", warehouse=attached.hub.warehouse).ok()
    assert attached.query(f"SELECT id, name, note FROM {TABLE} ORDER BY id") == [
        {"id": 1, "name": "v1", "note": None}, {"id": 2, "name": "b", "note": "n"},
    ]  # fmt: skip
    # Records that came under the old schema and were not committed when it changed.
    attached.hub.stop()
    attached.at_edge.records(TABLE, ndjson([{"id": 3, "name": "c", "note": "m"}])).ok()
    firn("schema", "add", TABLE, "more", "int", warehouse=attached.hub.warehouse).ok()
    attached.hub.start()
    attached.drain()
    assert attached.query(f"SELECT id, name, note, more FROM {TABLE} WHERE id = 3") == [
        {"id": 3, "name": "c", "note": "m", "more": None}
    ]  # fmt: skip
    assert attached.remote.ids() == [1, 2, 3]


def test_properties_of_the_table_hold_at_the_edge(pair):
    """Limits and types are the table's, whoever ingests. Refused records are answered and not kept."""
    pair.create(COLUMNS, properties={"firn.dead-letters.enabled": "true"})
    pair.attach().ok()
    answer = pair.at_edge.records(TABLE, b'{"id": 1, "value": "a"}\n{"id": "no"}\n{"value": "none"}\n').ok().json
    assert answer["accepted"] == 1
    assert [(r["line"], r["code"]) for r in answer["rejected"]] == [(2, "wrong_type"), (3, "missing_required")]
    pair.drain()
    assert pair.remote.ids() == [1]
    for server in (pair.hub, pair.edge):
        assert [name for _, name in pyiceberg_catalog(server).list_tables("shop")] == ["orders"]


def test_requests_over_several_tables_are_refused(attached):
    attached.at_edge.create_table("shop.own", COLUMNS)
    before = state(attached.at())
    lines = [{"table": name, "record": {"id": 1, "value": "a"}} for name in ("shop.own", TABLE)]
    answer = attached.at_edge.once(
        "POST", "/v1/records", data=ndjson(lines), headers={"Content-Type": "application/x-ndjson"}
    )
    assert answer.problem(answer.status, "attached_table") and 400 <= answer.status < 500
    changes = [
        {"identifier": {"namespace": ["shop"], "name": name}, "requirements": [],
         "updates": [{"action": "set-properties", "updates": {"k": "v"}}]}
        for name in ("own", "orders")
    ]  # fmt: skip
    answer = Rest(attached.edge).call("POST", "/transactions/commit", {"table-changes": changes})
    assert 400 <= answer.status < 500, answer.text
    attached.at_edge.flush("shop.own")
    attached.drain()
    assert attached.query("SELECT count(*) AS n FROM shop.own") == [{"n": 0}]
    assert state(attached.at()) == before
    assert "k" not in attached.at()["properties"] | Rest(attached.edge).load("shop.own")["metadata"]["properties"]


def test_the_other_catalog_is_away(attached):
    """Records are acknowledged into the log; whoever would read the table is told why it cannot be."""
    attached.at_edge.records(TABLE, rows(0)).ok()
    attached.drain()
    attached.hub.stop()
    producer = Producer(attached.at_edge, TABLE, "steady")
    for number in range(1, 20):
        assert producer.send(rows(number)).json["state"] == "durable"
    refusal = attached.at_edge.once("POST", "/v1/query", body={"sql": f"SELECT count(*) FROM {TABLE}"})
    assert refusal.problem(503, AWAY)["detail"]
    assert "retry-after" in refusal.headers
    assert Rest(attached.edge).call("GET", f"/namespaces/shop/tables/{TABLE.split('.')[1]}").status == 503
    assert attached.command("compact", TABLE).failed()
    # A restart needs nobody: what was acknowledged is in the log, and more is taken.
    attached.edge.restart_after_kill()
    for number in range(20, 25):
        producer.send(rows(number))
    attached.at_edge.create_table("shop.own", COLUMNS)
    attached.at_edge.records("shop.own", rows(1), headers={"Prefer": "wait=committed"}).ok()
    attached.hub.start()
    attached.drain()
    assert attached.remote.ids() == list(range(25))
    assert attached.query(f"SELECT count(*) AS n FROM {TABLE}") == [{"n": 25}]


@pytest.mark.parametrize("again", [False, True], ids=["dropped", "replaced"])
def test_the_table_is_gone(attached, again):
    """Its records must not go into another table of its name."""
    attached.at_edge.records(TABLE, rows(1)).ok()
    attached.drain()
    firn("table", "drop", TABLE, warehouse=attached.hub.warehouse).ok()
    if again:
        attached.create(COLUMNS)
    try:
        attached.at_edge.records(TABLE, rows(2), headers={"Prefer": "wait=committed"}, timeout=5)
    except Exception as error:
        assert "timed out" in str(error), error
    answer = attached.at_edge.once("POST", "/v1/query", body={"sql": f"SELECT count(*) FROM {TABLE}"})
    problem = answer.problem(answer.status)
    assert problem["code"] == ("remote_table_replaced" if again else "remote_table_not_found"), problem
    attached.edge.restart_after_kill()
    time.sleep(0.5)
    if again:
        assert attached.at()["last-sequence-number"] == 0
    # The way out: forget the old one and what was sent to it, take the new one.
    assert TABLE in attached.command("table", "detach", TABLE).failed()
    attached.command("table", "detach", TABLE, "--force").ok()
    if again:
        attached.attach().ok()
        attached.at_edge.until_answered("POST", f"/v1/tables/shop/orders/records", data=rows(3)).ok()
        attached.drain()
        assert attached.remote.ids() == [3]


def test_detaching_changes_nothing_there(attached):
    attached.at_edge.records(TABLE, rows(1, 2)).ok()
    attached.drain()
    before = state(attached.at())
    attached.command("table", "detach", TABLE).ok()
    assert attached.command("table", "list", "--output", "ndjson").rows() == []
    attached.at_edge.records(TABLE, rows(3)).problem(404, "table_not_found")
    attached.command("gc").ok()
    assert state(attached.at()) == before


@pytest.mark.parametrize("restart", ["never", "between", "after"])
def test_attached_again(attached, restart):
    """It is the same table, and the log has the records that it holds already."""
    attached.at_edge.records(TABLE, rows(1, 2), headers={"Idempotency-Key": "first"}).ok()
    attached.drain()
    attached.command("table", "detach", TABLE).ok()
    if restart == "between":
        attached.edge.restart_after_kill()
    attached.attach().ok()
    if restart == "after":
        attached.edge.restart_after_kill()
    attached.at_edge.records(TABLE, rows(3)).ok()
    attached.drain()
    assert attached.remote.ids() == [1, 2, 3]


def test_what_is_not_committed_may_go_with_the_table(attached):
    """When that is wished, as with a table that is dropped, unless the next attachment comes before the server notices; never twice."""
    attached.at_edge.records(TABLE, rows(1)).ok()
    attached.drain()
    attached.hub.stop()
    attached.at_edge.records(TABLE, rows(2)).ok()
    assert "--force" in attached.command("table", "detach", TABLE).failed()
    attached.command("table", "detach", TABLE, "--force").ok()
    attached.hub.start()
    attached.attach().ok()
    attached.at_edge.records(TABLE, rows(3)).ok()
    attached.drain()
    attached.edge.restart_after_kill()
    attached.at_edge.records(TABLE, rows(4)).ok()
    attached.drain()
    assert attached.remote.ids() in ([1, 3, 4], [1, 2, 3, 4])


def test_what_waits_in_a_killed_servers_log_is_not_let_go(attached):
    """There is no server to ask, so the log itself tells."""
    attached.at_edge.records(TABLE, rows(1)).ok()
    attached.drain()
    attached.hub.stop()
    attached.at_edge.records(TABLE, rows(2)).ok()
    attached.edge.kill()
    refusal = attached.command("table", "detach", TABLE).failed()
    assert "are in the log and not in the table: start the server" in refusal
    attached.hub.start()
    attached.edge.start()
    attached.drain()
    attached.edge.kill()
    # Its records are in the log still, and in the table as well.
    attached.command("table", "detach", TABLE).ok()
    assert attached.remote.ids() == [1, 2]


def other_edge(make_server, tmp_path, pair: Pair):
    edge = make_server(tmp_path / "edge2", flush_interval_ms=70).start()
    firn("table", "attach", TABLE, "--uri", f"{pair.hub.url}/iceberg", warehouse=edge.warehouse).ok()
    return edge


@pytest.mark.limit(240 + 2 * SECONDS)
def test_streams_and_everybody_else(make_server, tmp_path, pair):
    """Two edges and the hub take records for one table, each with positions of its own log. Beside them rows are
    deleted, files merged and snapshots expired at both ends, and PyIceberg appends and deletes."""
    pair.create(SCHEMA, properties={"firn.compaction.min-input-files": "3"})
    pair.attach().ok()
    second = other_edge(make_server, tmp_path, pair)
    account, names, seed = Account(), Names(TABLE), chaos.SEED
    senders = [
        SequenceSender("edge-seq", pair.edge, names, account, RequestsTransport(), seed),
        KeySender("edge-key", pair.edge, names, account, HttpxTransport(), seed),
        FormatSender("edge-formats", pair.edge, names, account, HttpxTransport(), seed),
        SequenceSender("second-seq", second, names, account, RequestsTransport(), seed),
        KeySender("hub-key", pair.hub, names, account, RequestsTransport(), seed),
    ]
    others = [ForeignWriter(pair.hub.warehouse, names, account, seed), Gardener(pair, account, seed)]
    for actor in senders + others:
        actor.start()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(0.2)
        check(senders + others, "meanwhile")
    for actor in senders + others:
        actor.stopping.set()
    for actor in senders + others:
        actor.join(timeout=120)
    check(senders + others, "at the end")
    pair.drain()
    Client(second).flush(TABLE)
    pair.at_hub.flush(TABLE)
    found = pair.remote.check(account)
    for sender in senders:
        sender.repeat(sender.history[-1])
    assert pair.query(f"SELECT count(*) AS n FROM {TABLE}") == [{"n": found}]
    firn("verify", TABLE, "--data", warehouse=pair.edge.warehouse).ok()
    assert all(sender.tally.batches for sender in senders)
    foreign, gardener = others
    print(f"{found} rows; {foreign.appends} appends, {foreign.deletes} deletes of PyIceberg; {dict(gardener.tally)}")


def test_of_two_edges_with_one_producer_each_counts_for_itself(make_server, tmp_path, attached):
    """The marks of an edge are its own: two producers of one name at two edges are two producers."""
    second = other_edge(make_server, tmp_path, attached)
    producers = [Producer(Client(server), TABLE, "same") for server in (attached.edge, second)]
    for number in range(6):
        threads = [
            threading.Thread(target=producer.send, args=(rows(100 * place + number),), kwargs={"wait_committed": True})
            for place, producer in enumerate(producers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for producer in producers:
        assert producer.client.records(TABLE, rows(0), headers=producer.stamp()).ok().json["duplicate"] is True
    assert attached.remote.ids() == [*range(6), *range(100, 106)]
