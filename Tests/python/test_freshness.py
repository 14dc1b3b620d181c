"""G5: what was acknowledged before a reader asked is what it sees."""

import json
import signal
import threading

from support.cli import firn
from support.client import Client, ndjson

TABLE = "app.fresh"


def prepare(client):
    client.once("POST", "/v1/namespaces", body={"namespace": "app"}).ok()
    client.once("POST", "/v1/tables", body={"namespace": "app", "name": "fresh", "schema": "id long"}).ok()


def count(warehouse, *options) -> int:
    return firn("query", f"SELECT count(*) AS n FROM {TABLE}", *options, warehouse=warehouse).rows()[0]["n"]


def test_the_command_line_sees_what_was_acknowledged(make_server, warehouse):
    """The flush interval is far longer than the test: only asking makes the rows visible."""
    server = make_server(warehouse, flush_interval_ms=600_000).start()
    client = Client(server)
    prepare(client)
    record = json.loads((warehouse / "wal" / "server.json").read_text())
    assert record == {"url": server.url, "pid": server.process.pid}
    sent = 0
    for number in range(25):
        client.records(TABLE, ndjson({"id": sent + n} for n in range(number + 1))).ok()
        sent += number + 1
        assert count(warehouse) == sent
    client.records(TABLE, ndjson([{"id": -1}])).ok()
    assert count(warehouse, "--no-flush") == sent
    assert count(warehouse) == sent + 1


def test_a_server_that_stands_still_is_waited_for(make_server, warehouse):
    """However slow it is, what it has acknowledged counts."""
    server = make_server(warehouse, flush_interval_ms=600_000).start()
    client = Client(server)
    prepare(client)
    client.records(TABLE, ndjson([{"id": 1}])).ok()
    server.process.send_signal(signal.SIGSTOP)
    going_on = threading.Timer(4, server.process.send_signal, [signal.SIGCONT])
    going_on.start()
    try:
        assert count(warehouse) == 1
    finally:
        going_on.join()


def test_queries_over_http_see_what_was_acknowledged(make_server, warehouse):
    server = make_server(warehouse, flush_interval_ms=600_000).start()
    client = Client(server)
    prepare(client)
    for number in range(25):
        client.records(TABLE, ndjson([{"id": number}])).ok()
        answer = client.once("POST", "/v1/query", data=f"SELECT count(*) AS n FROM {TABLE}").ok()
        assert json.loads(answer.text) == {"n": number + 1}


def test_flushing_everything_commits_every_table(make_server, warehouse):
    server = make_server(warehouse, flush_interval_ms=600_000).start()
    client = Client(server)
    prepare(client)
    client.once("POST", "/v1/tables", body={"namespace": "app", "name": "other", "schema": "id long"}).ok()
    client.records(TABLE, ndjson([{"id": 1}])).ok()
    client.records("app.other", ndjson([{"id": 1}])).ok()
    flushed = client.once("POST", "/v1/flush").ok().json["tables"]
    assert sorted(flushed) == [TABLE, "app.other"] and all(flushed.values())
    assert client.once("POST", "/v1/flush").ok().json == {"tables": {}}


def test_what_a_killed_server_left_is_told(make_server, warehouse):
    server = make_server(warehouse, flush_interval_ms=600_000).start()
    client = Client(server)
    prepare(client)
    client.records(TABLE, ndjson([{"id": 1}])).ok()
    server.kill()
    sql = f"SELECT count(*) AS n FROM {TABLE}"
    for arguments in [["query", sql], ["delete", TABLE, "--where", "id = 1"]]:
        done = firn(*arguments, warehouse=warehouse).ok()
        assert "records that are not in their tables yet" in done.stderr and done.stderr.count("\n") == 1
    server.start()
    client.flush(TABLE)
    server.kill()
    # The log has the record still, and the table too.
    done = firn("query", sql, warehouse=warehouse)
    assert done.rows() == [{"n": 1}] and done.stderr == ""


def test_a_dead_servers_record_is_ignored(make_server, warehouse):
    server = make_server(warehouse, flush_interval_ms=100).start()
    client = Client(server)
    prepare(client)
    client.records(TABLE, ndjson([{"id": 1}]), headers={"Prefer": "wait=committed"}).ok()
    server.kill()
    assert (warehouse / "wal" / "server.json").exists()
    assert count(warehouse) == 1
    # Somebody else's server on the same port must not be asked either.
    record = warehouse / "wal" / "server.json"
    record.write_text(json.dumps({"url": "http://127.0.0.1:1", "pid": 1}))
    assert count(warehouse) == 1
    record.write_text("nonsense")
    assert count(warehouse) == 1
