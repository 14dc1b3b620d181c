"""Schedules: held in the catalog, set through HTTP and the command line, kept across crashes, and acted on."""

import time

import pytest

from support.cli import firn
from support.client import Client
from support.readers import read_pyiceberg

TABLE = "app.events"
PATH = "/v1/tables/app/events/schedules"


@pytest.fixture
def table(client):
    client.create_table(TABLE, "id long required")
    return TABLE


def operations(client) -> list[str]:
    return [snapshot["summary"]["operation"] for snapshot in client.snapshots(TABLE)]


def test_an_interval_schedule_compacts_by_itself(table, server, client, warehouse):
    client.once("PUT", f"{PATH}/tidy", body={"every": "1s"}).ok()
    sent = 0
    deadline = time.monotonic() + 60
    while "replace" not in operations(client):
        assert time.monotonic() < deadline, "no compaction within 60 s of a schedule of 1 s"
        client.records(table, b'{"id":%d}\n' % sent, headers={"Prefer": "wait=committed"}).ok()
        sent += 1
    client.flush(table)
    assert sorted(read_pyiceberg(warehouse, table).column("id").to_pylist()) == list(range(sent))
    assert len(client.files(table)) < sent


def test_schedules_over_http(table, server, client):
    client.once("PUT", f"{PATH}/nightly", body={"cron": "0 3 * * *"}).ok()
    client.once("PUT", f"{PATH}/hourly", body={"every": "1h", "action": "compact"}).ok()
    shown = client.once("GET", f"{PATH}/nightly").ok().json
    assert (shown["name"], shown["cron"], shown["action"]) == ("nightly", "0 3 * * *", "compact")
    listed = client.once("GET", PATH).ok().json["schedules"]
    assert sorted(entry["name"] for entry in listed) == ["hourly", "nightly"]

    server.restart_after_kill()
    assert client.once("GET", f"{PATH}/hourly").ok().json["every"] == "1h"
    client.once("PUT", f"{PATH}/hourly", body={"every": "2h"}).ok()
    assert client.once("GET", f"{PATH}/hourly").ok().json["every"] == "2h"
    assert client.once("DELETE", f"{PATH}/hourly").status == 204
    client.once("GET", f"{PATH}/hourly").problem(404, "schedule_not_found")
    client.once("DELETE", f"{PATH}/hourly").problem(404, "schedule_not_found")


@pytest.mark.parametrize(
    "spec, code",
    [
        ({}, "bad_schedule"),
        ({"every": "1h", "cron": "0 3 * * *"}, "bad_schedule"),
        ({"every": "1h", "action": "explode"}, "bad_schedule"),
        ({"every": "1h", "colour": "blue"}, "bad_schedule"),
        ({"every": "10"}, "bad_duration"),
        ({"every": "1ms"}, "schedule_too_frequent"),
        ({"cron": "0 3 * *"}, "bad_cron"),
        ({"cron": "61 * * * *"}, "bad_cron"),
        ({"cron": "0 0 30 2 *"}, "bad_cron"),
    ],
    ids=lambda value: str(value),
)
def test_bad_schedules(table, client, spec, code):
    client.once("PUT", f"{PATH}/x", body=spec).problem(400, code)
    client.once("GET", f"{PATH}/x").problem(404)


def test_schedules_of_missing_tables(client):
    client.once("PUT", "/v1/tables/app/none/schedules/x", body={"every": "1h"}).problem(404, "table_not_found")


def test_schedules_on_the_command_line(table, server, client, warehouse):
    """Set beside a running server: both see the same rows of the catalog."""

    def schedule(*arguments):
        return firn("schedule", *arguments, warehouse=warehouse)

    schedule("set", TABLE, "tidy", "--every", "1h").ok()
    schedule("set", TABLE, "nightly", "--cron", "30 2 * * *").ok()
    assert client.once("GET", f"{PATH}/nightly").ok().json["cron"] == "30 2 * * *"
    rows = schedule("list", TABLE, "--output", "ndjson").rows()
    assert sorted(row["name"] for row in rows) == ["nightly", "tidy"]
    assert "1h" in schedule("show", TABLE, "tidy").ok().stdout

    schedule("pause", TABLE, "tidy").ok()
    assert client.once("GET", f"{PATH}/tidy").ok().json["paused"] is True
    schedule("resume", TABLE, "tidy").ok()
    assert client.once("GET", f"{PATH}/tidy").ok().json.get("paused", False) is False
    schedule("remove", TABLE, "tidy").ok()
    client.once("GET", f"{PATH}/tidy").problem(404)

    assert "cron" in schedule("set", TABLE, "bad", "--cron", "nonsense").failed().lower()
    schedule("set", "app.none", "x", "--every", "1h").failed()
    schedule("show", TABLE, "nobody").failed()
    schedule("set", TABLE, "x").usage_error()
    schedule("set", TABLE, "x", "--every", "1h", "--cron", "* * * * *").usage_error()


@pytest.mark.limit(60)
def test_a_paused_schedule_rests(make_server, warehouse):
    server = make_server(warehouse, flush_interval_ms=50).start()
    client = Client(server)
    # Without the table's own background compaction, only a schedule would compact.
    client.create_table(TABLE, "id long required", properties={"firn.compaction.enabled": "false"})
    client.once("PUT", f"{PATH}/tidy", body={"every": "1s", "paused": True}).ok()
    for number in range(8):
        client.records(TABLE, b'{"id":%d}\n' % number, headers={"Prefer": "wait=committed"}).ok()
    time.sleep(2.5)
    assert operations(client) == ["append"] * 8
