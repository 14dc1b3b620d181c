"""`/metrics`, `/healthz`, `/readyz` and the log: what they say is what happened."""

import json
import os
import re
import time

import pytest

from support.client import Client, ndjson

LINE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')


def scrape(client) -> dict:
    """Samples by name and labels; checks the text against the rules of format 0.0.4 on the way."""
    answer = client.once("GET", "/metrics").ok()
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples, kinds, current = {}, {}, None
    for line in answer.text.splitlines():
        if line.startswith("# HELP "):
            current = line.split()[2]
            assert current not in kinds, f"{current} comes twice"
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name == current and kind in ("counter", "gauge", "histogram")
            kinds[name] = kind
        else:
            name, labels, value = LINE.match(line).groups()
            family = re.sub(r"_(bucket|sum|count)$", "", name) if kinds[current] == "histogram" else name
            assert family == current, f"{name} stands under {current}"
            assert (kinds[current] == "counter") == (family.endswith("_total")), family
            pairs = LABEL.findall(labels or "")
            assert LABEL.sub("", labels or "") == ""
            key = (name, *sorted(pairs))
            assert key not in samples, f"{key} comes twice"
            samples[key] = float(value)
    return samples


@pytest.fixture
def table(client):
    client.once("POST", "/v1/namespaces", body={"namespace": "app"}).ok()
    client.once("POST", "/v1/tables", body={"namespace": "app", "name": "m", "schema": "id long required"}).ok()
    return "app.m"


def test_values_follow_what_was_sent(table, client):
    before = scrape(client)
    body = ndjson({"id": n} for n in range(100))
    for _ in range(5):
        client.records(table, body).ok()
    client.records(table, b'{"id":1}\n{"id":"x"}\n').ok()
    stamp = {"Idempotency-Key": "k"}
    client.records(table, b'{"id":1}\n', headers=stamp).ok()
    client.records(table, b'{"id":1}\n', headers=stamp).ok()
    client.records(table, b'{"id":"x"}\n').problem(422)
    client.records("app.nosuch", b'{"id":1}\n').problem(404)
    client.flush(table)
    after = scrape(client)

    def rise(name, *labels):
        return after[(name, *labels)] - before.get((name, *labels), 0)

    assert rise("firn_ingest_requests_total") == 7
    assert rise("firn_ingest_records_total") == 502
    assert rise("firn_ingest_rejected_records_total") == 1
    assert rise("firn_ingest_duplicate_requests_total") == 1
    assert rise("firn_ack_seconds_count") == 7
    assert rise("firn_ack_seconds_sum") > 0
    assert rise("firn_commit_records_total") == 502
    assert rise("firn_commits_total") >= 1
    for part in ("files", "metadata", "catalog"):
        assert rise("firn_commit_seconds_total", ("part", part)) > 0
    assert rise("firn_table_records_total", ("table", table)) == 502
    assert rise("firn_http_requests_total", ("route", "records"), ("status", "200")) == 8
    assert rise("firn_http_requests_total", ("route", "records"), ("status", "422")) == 1
    assert rise("firn_http_errors_total", ("code", "all_records_rejected")) == 1
    assert rise("firn_http_errors_total", ("code", "table_not_found")) == 1
    assert after[("firn_ingest_uncommitted_records",)] == 0
    assert after[("firn_ingest_oldest_uncommitted_seconds",)] == 0
    assert after[("firn_http_in_flight_requests",)] == 0
    assert after[("firn_http_in_flight_bytes",)] == 0
    assert after[("firn_process_resident_memory_bytes",)] > 1 << 20
    assert after[("firn_process_open_fds",)] > 5
    assert after[("firn_process_cpu_seconds_total",)] > 0
    assert [key for key in after if key[0] == "firn_build_info"]


def test_the_histogram_is_cumulative(table, client):
    for _ in range(20):
        client.records(table, b'{"id":1}\n').ok()
    samples = scrape(client)
    edges = [(float(key[1][1]), value) for key, value in samples.items() if key[0] == "firn_ack_seconds_bucket"]
    assert edges == sorted(edges) and [value for _, value in edges] == sorted(value for _, value in edges)
    assert edges[-1] == (float("inf"), samples[("firn_ack_seconds_count",)])


def test_the_backlog_is_visible_until_it_is_committed(make_server, warehouse):
    client = Client(make_server(warehouse, flush_interval_ms=600_000).start())
    client.once("POST", "/v1/namespaces", body={"namespace": "app"}).ok()
    client.once("POST", "/v1/tables", body={"namespace": "app", "name": "m", "schema": "id long"}).ok()
    client.records("app.m", ndjson({"id": n} for n in range(10))).ok()
    time.sleep(0.3)
    samples = scrape(client)
    assert samples[("firn_ingest_uncommitted_records",)] == 10
    assert samples[("firn_ingest_oldest_uncommitted_seconds",)] > 0.2
    assert samples[("firn_table_uncommitted_records", ("table", "app.m"))] == 10
    assert 0 < samples[("firn_log_bytes",)] < samples[("firn_log_limit_bytes",)]
    assert 0 < samples[("firn_ingest_memory_bytes",)] < samples[("firn_ingest_memory_limit_bytes",)]


def test_a_server_that_can_land_batches_is_ready(client):
    assert client.once("GET", "/healthz").ok().json == {"status": "ok"}
    assert client.once("GET", "/readyz").ok().json == {"status": "ready"}


def test_a_lost_directory_is_told_apart(make_server, warehouse):
    server = make_server(warehouse).start()
    client = Client(server)
    moved = warehouse.with_name("moved")
    os.rename(warehouse / "wal", moved)
    try:
        problem = client.once("GET", "/readyz").problem(503, "not_ready")
        assert problem["check"] == "directory"
        assert client.once("GET", "/healthz").status == 200
    finally:
        os.rename(moved, warehouse / "wal")
    assert client.once("GET", "/readyz").status == 200


def test_log_lines_are_json_when_asked_for(make_server, warehouse):
    server = make_server(warehouse, options=("--log-format", "json", "--log-level", "debug")).start()
    client = Client(server)
    client.records("app.nosuch", b'{"id":1}\n').problem(404)
    lines = [json.loads(line) for line in server.log_tail(1000).splitlines() if line.startswith("{")]
    failed = [line for line in lines if line["message"] == "request failed"]
    assert len(failed) == 1
    assert (failed[0]["status"], failed[0]["code"], failed[0]["target"]) == ("404", "table_not_found", "app.nosuch")
    assert {"time", "level"} <= failed[0].keys()
