"""Health, forecasts and metrics of compaction: what they say is what the files are, and what a run then does."""

import json

import pytest

from support.cli import firn
from support.client import ndjson
from test_metrics import scrape

TABLE = "app.h"
BY_HAND = {"firn.compaction.enabled": "false"}


@pytest.fixture
def filled(client):
    """Two partitions of six and three files; compaction is off."""
    client.once("POST", "/v1/namespaces", body={"namespace": "app"}).ok()
    client.create_table(TABLE, "id long required, day string", partition="day", properties=BY_HAND)
    for step in range(6):
        days = ("a", "b") if step % 2 == 0 else ("a",)
        rows = ({"id": 100 * step + n, "day": day} for day in days for n in range(50))
        client.records(TABLE, ndjson(rows)).ok()
        client.flush(TABLE)
    return TABLE


@pytest.fixture
def cli(warehouse):
    return lambda *arguments: firn(*arguments, warehouse=warehouse)


def answer(result) -> dict:
    return json.loads(result.ok().stdout)


def show(cli) -> dict:
    return answer(cli("table", "show", TABLE, "--output", "json"))["health"]


def forecast(cli, *options) -> dict:
    return answer(cli("compact", TABLE, "--explain", "--output", "json", *options))


def test_figures_are_those_of_the_files(filled, client, cli):
    health = show(cli)
    assert health["status"] == "healthy" and health["partitions"] == 2
    assert health["data-files"] == 9 and health["small-files"] == 9 and health["small-file-ratio"] == 1
    assert health["files-per-partition-max"] == 6
    assert health["bytes"] == sum(file["bytes"] for file in client.files(TABLE))
    described = client.once("GET", "/v1/tables/app/h").ok().json["health"]
    assert described["status"] == "healthy" and described["data-files"] <= 9
    samples = scrape(client)
    assert samples["firn_table_partition_files_max", ("table", TABLE)] <= 6
    assert samples["firn_table_partitions_over_bound", ("table", TABLE)] == 0
    assert ("firn_table_write_amplification", ("table", TABLE)) not in samples


def test_a_forecast_is_what_the_run_does(filled, cli):
    assert forecast(cli, "--policy")["plans"] == []
    said = forecast(cli)
    assert said["files-read"] == 9 and said["files-written"] == 2 and said["planning-entries-saved"] == 7
    assert {p["partition"]: p["files-before"] for p in said["partitions"]} == {"day=a": 6, "day=b": 3}
    one = forecast(cli, "--partition", "day=b")
    assert [plan["partition"] for plan in one["plans"]] == ["day=b"] and one["files-read"] == 3
    report = answer(cli("compact", TABLE, "--output", "json"))
    assert report["table-files-after"] == said["table-files-after"] == 2
    assert report["bytes-before"] == said["bytes-read"] and report["rows"] == said["rows-read"] == 450
    health = show(cli)
    assert health["data-files"] == 2 and health["last-run-ms"] > 0 and health["failures"] == 0
    assert forecast(cli)["plans"] == []


def test_orders_are_forecast_and_refused(filled, cli):
    curve = forecast(cli, "--strategy", "zorder", "--columns", "day, id")
    assert {plan["strategy"] for plan in curve["plans"]} == {"zorder"}
    for options, text in [
        (("--strategy", "zorder", "--columns", "nosuch"), "no column 'nosuch'"),
        (("--strategy", "sort"), "no sort order"),
        (("--partition", "day=c"), "no data files are in partition"),
    ]:
        assert text in cli("compact", TABLE, "--explain", *options).failed()
    for options in [("--strategy", "best"), ("--columns", "id"), ("--policy", "--evolve"), ("--strategy", "zorder")]:
        assert "usage" in cli("compact", TABLE, "--explain", *options).usage_error().lower()
