"""Metrics reports: taken in the protocol's form, kept in a number, read as a table in SQL."""

import json

import pytest

from support.client import Client
from support.iceberg_rest import refused, table_url
from support.server import Server

TABLE = "shop.orders"
SCAN = {
    "report-type": "scan-report", "table-name": "firn.shop.orders", "snapshot-id": 5, "schema-id": 0,
    "filter": {"type": "eq", "term": "id", "value": 1}, "projected-field-ids": [1], "projected-field-names": ["id"],
    "metrics": {
        "total-planning-duration": {"count": 1, "time-unit": "milliseconds", "total-duration": 3},
        "result-data-files": {"unit": "count", "value": 7},
    },
    "metadata": {"engine-name": "spark"},
}  # fmt: skip
COMMIT = {
    "report-type": "commit-report", "table-name": "firn.shop.orders", "snapshot-id": 6, "sequence-number": 2,
    "operation": "append", "metrics": {"added-records": {"unit": "count", "value": 9}},
}  # fmt: skip


@pytest.fixture
def url(client) -> str:
    client.create_table(TABLE, "id long")
    return table_url(TABLE) + "/metrics"


def rows(client: Client, columns: str = "*") -> list[dict]:
    answer = client.once("POST", "/v1/query", body={"sql": f'SELECT {columns} FROM "{TABLE}$metrics"'}).ok()
    return [json.loads(line) for line in answer.text.splitlines()]


def test_reports_are_rows(client, url):
    assert rows(client) == []
    for report in (SCAN, COMMIT):
        answer = client.once("POST", url, body=report)
        assert (answer.status, answer.text) == (204, "")
    commit, scan = rows(client)
    assert scan["report_type"] == "scan-report" and scan["snapshot_id"] == 5
    assert json.loads(scan["filter"]) == SCAN["filter"]
    assert scan["projected_field_names"] == ["id"]
    assert scan["metrics"] == {"result-data-files": 7, "total-planning-duration": 3_000_000}
    assert scan["metadata"] == {"engine-name": "spark"}
    assert (commit["operation"], commit["sequence_number"]) == ("append", 2)
    assert rows(client, "sum(json_extract(metrics, '$.\"added-records\"')) AS n") == [{"n": 9}]


def test_reports_outlive_the_server_and_the_name(client, url, server: Server):
    client.once("POST", url, body=SCAN).ok()
    server.restart_after_kill()
    assert len(rows(client)) == 1
    client.once("DELETE", "/v1/tables/shop/orders?purge=true").ok()
    client.create_table(TABLE, "id long")
    assert rows(client) == []


def test_what_is_no_report_is_refused(client, url):
    for change in [
        {"report-type": "other"}, {"report-type": None}, {"snapshot-id": "5"}, {"schema-id": None}, {"filter": 3},
        {"metrics": None}, {"metrics": {"x": 1}}, {"metrics": {"x": {"unit": "count", "value": "1"}}},
        {"projected-field-names": [1]}, {"metadata": []}, {"filter": "x" * 100_000},
    ]:  # fmt: skip
        refused(client.once("POST", url, body=SCAN | change), 400, "BadRequestException")
    for data in [b"", b"[]", b"{", b"nothing"]:
        refused(client.once("POST", url, data=data), 400, "BadRequestException")
    refused(client.once("POST", table_url("shop.none") + "/metrics", body=SCAN), 404, "NoSuchTableException")
    assert rows(client) == []
