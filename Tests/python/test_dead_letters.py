"""G8: every record sent is in the table, in its dead letters with the reason, or back with its sender; never in two."""

import json
import signal
import subprocess
import time
from collections import Counter

import pytest

from support.cli import firn
from support.client import Client, table_path
from support.readers import read_duckdb, read_pyiceberg, sql_catalog
from support.server import BINARY, clean_environment

TABLE = "shop.orders"
LETTERS = TABLE + "$dead_letters"
SCHEMA = "id long required, at timestamptz, note string"
KEEP = {"firn.dead-letters.enabled": "true"}
BODY = b'{"id":1}\n{"id":"two"}\n\n{"id":3,"extra":true}\n{"id":\n{"id":5}\n'


def query(client, sql) -> list[dict]:
    answer = client.once("POST", "/v1/query", data=sql)
    return [json.loads(line) for line in answer.ok().text.splitlines()]


def test_refused_records_are_kept_with_their_reasons(client, warehouse):
    client.create_table(TABLE, SCHEMA, properties=KEEP)
    headers = {"Firn-Producer": "till-7", "Firn-Epoch": "2", "Firn-Sequence": "40"}
    body = client.records(TABLE, BODY, headers=headers).ok().json
    assert (body["accepted"], body["dead-lettered"]) == (2, 3)
    assert [(r["line"], r["code"]) for r in body["rejected"]] == [
        (2, "wrong_type"), (4, "unknown_column"), (5, "malformed_json"),
    ]  # fmt: skip
    client.flush(TABLE)
    for read in (read_pyiceberg, read_duckdb):
        rows = sorted(read(warehouse, LETTERS).to_pylist(), key=lambda row: row["line"])
        assert [row["payload"] for row in rows] == ['{"id":"two"}', '{"id":3,"extra":true}', '{"id":']
        assert [row["column_path"] for row in rows] == ["id", "extra", None]
        assert {(row["producer"], row["epoch"], row["sequence"]) for row in rows} == {("till-7", 2, 40)}
        assert {row["position"] for row in rows} == {body["position"]}
        assert sorted(read(warehouse, TABLE)["id"].to_pylist()) == [1, 5]


def test_bytes_that_are_no_text_are_kept_as_they_are(client, warehouse):
    client.create_table(TABLE, SCHEMA, properties=KEEP)
    client.records(TABLE, b'{"id":1,"note":"\xff\xfe"}\n').ok()
    client.flush(TABLE)
    (row,) = read_pyiceberg(warehouse, LETTERS).to_pylist()
    assert (row["code"], row["payload"], row["payload_bytes"]) == ("invalid_utf8", None, b'{"id":1,"note":"\xff\xfe"}')


def test_a_retry_keeps_a_letter_once_also_after_a_kill(server, client, warehouse):
    client.create_table(TABLE, SCHEMA, properties=KEEP)
    headers = {"Idempotency-Key": "k"}
    first = client.records(TABLE, BODY, headers=headers).ok().json
    server.kill()
    server.start()
    again = client.records(TABLE, BODY, headers=headers).ok().json
    assert again["duplicate"] and again["dead-lettered"] == first["dead-lettered"] == 3
    client.flush(TABLE)
    assert read_pyiceberg(warehouse, LETTERS).num_rows == 3 and read_pyiceberg(warehouse, TABLE).num_rows == 2


def test_without_the_property_the_sender_hears_and_nothing_is_kept(client):
    client.create_table(TABLE, SCHEMA)
    body = client.records(TABLE, BODY).ok().json
    assert body["accepted"] == 2 and "dead-lettered" not in body
    client.once("POST", table_path(TABLE) + "/dead-letters/redrive").problem(404, "no_dead_letters")
    client.records(TABLE, b'{"id":"x"}\n').problem(422, "all_records_rejected")


def test_replay_keeps_to_the_settings_of_its_time(make_server, warehouse):
    """A property changed between the acknowledgement and the replay changes nothing about what was acknowledged."""
    server = make_server(warehouse, flush_interval_ms=3_600_000).start()
    client = Client(server)
    client.create_table(TABLE, SCHEMA, properties=KEEP)
    client.records(TABLE, BODY).ok()
    client.once("PATCH", table_path(TABLE), body={"set-properties": {"firn.ingest.unknown-columns": "ignore"}}).ok()
    client.once("PATCH", table_path(TABLE), body={"remove-properties": ["firn.dead-letters.enabled"]}).ok()
    server.kill()
    server.start()
    client.flush(TABLE)
    assert sorted(read_pyiceberg(warehouse, TABLE)["id"].to_pylist()) == [1, 5]
    assert read_pyiceberg(warehouse, LETTERS).num_rows == 3


def test_redrive_moves_what_fits_by_now(server, client, warehouse):
    client.create_table(TABLE, SCHEMA, properties=KEEP)
    client.records(TABLE, BODY).ok()
    path = table_path(TABLE) + "/dead-letters"
    assert client.once("POST", path + "/redrive").ok().json["moved"] == 0
    client.once("PATCH", table_path(TABLE), body={"set-properties": {"firn.ingest.unknown-columns": "ignore"}}).ok()
    report = client.once("POST", path + "/redrive").ok().json
    assert (report["moved"], report["still-rejected"]) == (1, 2)
    assert {r["code"] for r in report["reasons"]} == {"wrong_type", "malformed_json"}
    assert client.once("POST", path + "/redrive").ok().json["moved"] == 0
    assert sorted(read_duckdb(warehouse, TABLE)["id"].to_pylist()) == [1, 3, 5]
    assert read_duckdb(warehouse, LETTERS).num_rows == 2
    # A reader of either table's older snapshot still finds it there.
    letters = sql_catalog(warehouse).load_table(LETTERS)
    first = letters.metadata.snapshots[0].snapshot_id
    assert letters.scan(snapshot_id=first).to_arrow().num_rows == 3


def test_the_command_line(server, client, warehouse):
    client.create_table(TABLE, SCHEMA, properties=KEEP)
    client.records(TABLE, BODY).ok()
    client.flush(TABLE)
    counts = {row["code"]: row["letters"] for row in firn("dlq", "list", warehouse=warehouse).rows()}
    assert counts == {"wrong_type": 1, "unknown_column": 1, "malformed_json": 1}
    shown = firn("dlq", "show", TABLE, "--code", "wrong_type", warehouse=warehouse).rows()
    assert [(row["line"], row["column"], row["payload"]) for row in shown] == [(2, "id", '{"id":"two"}')]
    gone = firn("dlq", "discard", TABLE, "--code", "wrong_type", warehouse=warehouse).rows()
    assert gone[0]["moved"] == 1
    firn("table", "alter", TABLE, "--set", "firn.ingest.unknown-columns=ignore", warehouse=warehouse).ok()
    assert firn("dlq", "redrive", TABLE, warehouse=warehouse).rows()[0]["moved"] == 1
    assert query(client, f'SELECT code FROM "{LETTERS}"') == [{"code": "malformed_json"}]
    assert "no dead letters" in firn("dlq", "show", "shop.nothing", warehouse=warehouse).failed()


def test_letters_follow_their_table(client, warehouse):
    client.create_table(TABLE, SCHEMA, properties=KEEP)
    client.records(TABLE, BODY).ok()
    client.flush(TABLE)
    client.once("PATCH", table_path(TABLE), body={"rename-to": "shop.sales"}).ok()
    assert query(client, 'SELECT count(*) AS n FROM "shop.sales$dead_letters"') == [{"n": 3}]
    client.records("shop.sales", BODY).ok()
    assert query(client, 'SELECT count(*) AS n FROM "shop.sales$dead_letters"') == [{"n": 6}]
    client.once("DELETE", table_path("shop.sales")).ok()
    assert client.once("GET", "/v1/tables").json["tables"] == []


def test_nobody_writes_letters_by_hand(client):
    client.create_table(TABLE, SCHEMA, properties=KEEP)
    client.records(TABLE, BODY).ok()
    client.records(LETTERS, b'{"position":1}\n').problem(400, "dead_letter_table")


@pytest.mark.parametrize(
    "properties",
    [
        {"firn.dead-letters.enabled": "yes"},
        {"firn.dead-letters.enable": "true"},
        {"firn.schema.policy": "loose"},
        {"firn.ingest.unknown-columns": "drop"},
        {"firn.ingest.idempotency-window-ms": "0"},
        {"firn.event-time.column": "nothing"},
        {"firn.column.at.epoch-unit": "h"},
    ],
)
def test_properties_that_mean_nothing_are_refused(client, properties):
    body = {"namespace": "shop", "name": "orders", "schema": SCHEMA, "properties": properties}
    client.once("POST", "/v1/tables", body=body).problem(400, "bad_property")
    client.create_table(TABLE, SCHEMA)
    client.once("PATCH", table_path(TABLE), body={"set-properties": properties}).problem(400, "bad_property")


@pytest.mark.limit(120)
def test_redrives_killed_at_any_moment_move_each_letter_once(make_server, warehouse):
    server = make_server(warehouse, flush_interval_ms=50).start()
    client = Client(server)
    client.create_table(TABLE, SCHEMA, properties=KEEP)
    sent = 0
    for round_number in range(6):
        body = b"".join(b'{"id":%d,"extra":1}\n' % (sent + n) for n in range(500))
        client.records(TABLE, body).ok()
        sent += 500
    client.flush(TABLE)
    client.once("PATCH", table_path(TABLE), body={"set-properties": {"firn.ingest.unknown-columns": "ignore"}}).ok()
    command = [str(BINARY), "dlq", "redrive", TABLE, "--warehouse", str(warehouse)]
    for delay_ms in (5, 10, 15, 20, 25, 30, 40, 60):
        # Two at once, one of them killed: they must not both move a letter.
        pair = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment())
            for _ in range(2)
        ]
        time.sleep(delay_ms / 1000)
        pair[0].send_signal(signal.SIGKILL)
        for process in pair:
            process.communicate(timeout=60)
        if delay_ms == 20:
            body = b"".join(b'{"id":%d,"note":5}\n' % (sent + n) for n in range(200))
            client.records(TABLE, body).ok()
            sent += 200
    firn("dlq", "redrive", TABLE, warehouse=warehouse).ok()
    client.flush(TABLE)
    moved = read_pyiceberg(warehouse, TABLE)["id"].to_pylist()
    kept = [json.loads(p)["id"] for p in read_pyiceberg(warehouse, LETTERS)["payload"].to_pylist()]
    assert Counter(moved + kept) == Counter(range(sent))
    assert len(kept) == 200
