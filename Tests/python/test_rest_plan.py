"""Scan planning of the Iceberg REST catalog: PyIceberg reads the same rows through it as through plans of its own."""

import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyiceberg.expressions import (
    AlwaysFalse, AlwaysTrue, And, EqualTo, GreaterThan, GreaterThanOrEqual, In, IsNaN, IsNull, LessThan,
    LessThanOrEqual, Not, NotEqualTo, NotIn, NotNaN, NotNull, NotStartsWith, Or, StartsWith,
)  # fmt: skip

from support.cli import firn
from support.client import Client, ndjson
from support.iceberg_rest import pyiceberg_catalog, refused, table_url

TABLE = "shop.sales"
SCHEMA = (
    "id long required, kind string, day date, ts timestamptz, price decimal(9,2), ratio double, key uuid, "
    "device struct<os string>"
)
START = datetime(2026, 3, 1, tzinfo=timezone.utc)
KINDS = ["tea", "coffee", "teapot", None]


def rows(count: int = 240, first: int = 0) -> list[dict]:
    return [
        {
            "id": i, "kind": KINDS[i % 4], "day": (START + timedelta(days=i // 40)).date().isoformat(),
            "ts": (START + timedelta(hours=i * 3)).isoformat(), "price": f"{i}.{i % 100:02}" if i % 7 else None,
            "ratio": i / 8, "key": str(UUID(int=i)), "device": {"os": f"os-{i % 3}"},
        }
        for i in range(first, first + count)
    ]  # fmt: skip


@pytest.fixture
def sales(client: Client) -> Client:
    client.create_table(TABLE, SCHEMA, partition="kind, day(ts)")
    for part in range(3):
        client.records(TABLE, ndjson(rows(80, part * 80)), headers={"Prefer": "wait=committed"}).ok()
    return client


def plan(client: Client, body: dict | None = None, table: str = TABLE) -> dict:
    answer = client.once("POST", table_url(table) + "/plan", body=body or {}).ok().json
    assert answer["status"] == "completed"
    return answer


def every_page(client: Client, body: dict | None = None, table: str = TABLE) -> list[dict]:
    """The file scan tasks of a whole plan, each with its delete files in place of their references."""

    def resolved(page: dict) -> list[dict]:
        deletes = page.get("delete-files", [])
        return [
            task | {"deletes": [deletes[place] for place in task.get("delete-file-references", [])]}
            for task in page["file-scan-tasks"]
        ]

    page = plan(client, body, table)
    tasks, open_tasks = resolved(page), list(page.get("plan-tasks", []))
    while open_tasks:
        page = client.once("POST", table_url(table) + "/tasks", body={"plan-task": open_tasks.pop()}).ok().json
        tasks += resolved(page)
        open_tasks += page.get("plan-tasks", [])
    return tasks


def paths(tasks: list[dict]) -> list[str]:
    return sorted(task["data-file"]["file-path"] for task in tasks)


NOON = START + timedelta(hours=12)
FILTERS = {
    "all": AlwaysTrue(), "none": AlwaysFalse(), "partition": EqualTo("kind", "tea"), "other": NotEqualTo("kind", "tea"),
    "null": IsNull("kind"), "not-null": NotNull("kind"), "list": In("kind", {"tea", "water"}),
    "not-in-list": NotIn("kind", {"tea", "coffee"}), "prefix": StartsWith("kind", "tea"),
    "not-prefix": NotStartsWith("kind", "tea"), "before": LessThan("ts", NOON.isoformat()),
    "after": GreaterThanOrEqual("ts", (START + timedelta(days=20)).isoformat()), "id": EqualTo("id", 77),
    "ids": LessThanOrEqual("id", 9), "day": EqualTo("day", date(2026, 3, 2)), "price": GreaterThan("price", Decimal("230.00")),
    "ratio": LessThan("ratio", 1.5), "is-nan": IsNaN("ratio"), "not-nan": NotNaN("ratio"), "uuid": EqualTo("key", UUID(int=5)),
    "nested": EqualTo("device.os", "os-1"), "and": And(EqualTo("kind", "coffee"), LessThan("id", 50)),
    "or": Or(EqualTo("id", 3), GreaterThan("id", 235)), "not": Not(Or(EqualTo("kind", "tea"), GreaterThan("id", 30))),
    "beyond": LessThan("id", 2**62), "many": In("id", set(range(0, 240, 7))),
}  # fmt: skip


@pytest.mark.parametrize("name", FILTERS)
def test_the_rows_are_those_of_pyicebergs_own_plan(sales, server, name):
    by_server = pyiceberg_catalog(server, **{"scan-planning-mode": "server"})
    assert by_server.supports_server_side_planning()
    remote = by_server.load_table(TABLE).scan(row_filter=FILTERS[name])
    local = pyiceberg_catalog(server).load_table(TABLE).scan(row_filter=FILTERS[name])
    assert remote._should_use_server_side_planning() and not local._should_use_server_side_planning()
    planned = every_page(sales, {"filter": form(name)})
    assert set(paths(planned)) == {task.file.file_path for task in local.plan_files()}
    # pyarrow does not compare UUIDs.
    if name == "uuid":
        return
    # PyIceberg's model of an answer has no null in a partition tuple.
    if all(task["data-file"]["partition"][0] for task in planned):
        assert remote.to_arrow().sort_by("id") == local.to_arrow().sort_by("id")
        assert remote.count() == local.count()
    if name != "nested":
        assert read(planned, FILTERS[name], local) == sorted(local.to_arrow()["id"].to_pylist())


def form(name: str):
    return json.loads(FILTERS[name].model_dump_json(by_alias=True))


def read(tasks: list[dict], row_filter, scan) -> list[int]:
    """The ids that pass, from the planned files alone and by pyarrow alone."""
    from pyiceberg.expressions.visitors import bind
    from pyiceberg.io.pyarrow import expression_to_pyarrow

    schema = scan.projection()
    condition = expression_to_pyarrow(bind(schema, row_filter, case_sensitive=True))
    ids = []
    for task in tasks:
        table = pq.read_table(task["data-file"]["file-path"].removeprefix("file://"))
        assert table.num_rows == task["data-file"]["record-count"]
        ids += table.filter(condition)["id"].to_pylist()
    return sorted(ids)


def test_files_are_pruned(sales):
    everything = len(every_page(sales))
    assert everything > 60
    assert len(every_page(sales, {"filter": form("partition")})) < everything / 3
    # One that has the id, and two of the same day with ids on both sides of it.
    assert len(every_page(sales, {"filter": form("id")})) == 3
    assert len(every_page(sales, {"filter": form("before")})) <= 4
    assert every_page(sales, {"filter": False}) == []


def test_a_filter_that_the_partition_answers_leaves_no_residual(sales):
    both = {"type": "and", "left": form("partition"), "right": form("ids")}
    for task in every_page(sales, {"filter": both}):
        assert task["residual-filter"] == form("ids")
    for task in every_page(sales, {"filter": form("partition")}):
        assert task["residual-filter"] is True


def test_a_file_says_what_the_manifest_says(sales, server):
    table = pyiceberg_catalog(server).load_table(TABLE)
    own = {task.file.file_path: task.file for task in table.scan().plan_files()}
    for task in every_page(sales, {"stats-fields": ["id", "device.os"]}):
        file = task["data-file"]
        entry = own[file["file-path"]]
        assert file["content"] == "data" and file["file-format"] == "parquet" and file["spec-id"] == 0
        assert file["record-count"] == entry.record_count and file["file-size-in-bytes"] == entry.file_size_in_bytes
        kind, day = file["partition"]
        assert kind == entry.partition[0]
        assert (date.fromisoformat(day) - date(1970, 1, 1)).days == entry.partition[1]
        bounds = dict(zip(file["lower-bounds"]["keys"], file["lower-bounds"]["values"], strict=True))
        shown = {table.schema().find_field(name).field_id for name in ("id", "device.os")}
        assert set(bounds) == shown
        assert bounds == {key: entry.lower_bounds[key].hex() for key in shown}
        counts = dict(zip(file["value-counts"]["keys"], file["value-counts"]["values"], strict=True))
        assert counts == {key: entry.value_counts[key] for key in shown}
    assert "lower-bounds" not in plan(sales)["file-scan-tasks"][0]["data-file"]


def test_snapshots_and_what_was_appended_between_them(sales):
    ids = [snapshot["snapshot-id"] for snapshot in reversed(sales.snapshots(TABLE))]
    ids.sort(key=lambda one: len(every_page(sales, {"snapshot-id": one})))
    first, second, third = (set(paths(every_page(sales, {"snapshot-id": one}))) for one in ids)
    assert first < second < third
    appended = every_page(sales, {"start-snapshot-id": ids[0], "end-snapshot-id": ids[2]})
    assert set(paths(appended)) == third - first
    narrowed = {"start-snapshot-id": ids[0], "end-snapshot-id": ids[2], "filter": form("partition")}
    assert 0 < len(every_page(sales, narrowed)) < len(appended)
    assert set(paths(every_page(sales, {"end-snapshot-id": ids[1]}))) == second


def test_a_few_rows_take_few_files(sales):
    assert len(every_page(sales, {"min-rows-requested": 3})) < len(every_page(sales)) / 4
    assert len(every_page(sales, {"min-rows-requested": 10_000})) == len(every_page(sales))


@pytest.mark.parametrize("version", [2, 3])
def test_deletes_come_with_the_files_that_they_apply_to(client, server, warehouse, version):
    # A third of a file's rows is enough for a compaction, which leaves no deletes to plan.
    properties = {"format-version": str(version), "firn.compaction.enabled": "false"}
    client.create_table(TABLE, SCHEMA, partition="kind", properties=properties)
    client.records(TABLE, ndjson(rows(120)), headers={"Prefer": "wait=committed"}).ok()
    firn("delete", TABLE, "--where", "kind = 'tea' AND id % 3 = 0", warehouse=warehouse).ok()
    tasks = every_page(client)
    touched = [task for task in tasks if task["deletes"]]
    assert [task["data-file"]["partition"] for task in touched] == [["tea"]]
    (deletes,) = touched[0]["deletes"]
    assert deletes["content"] == "position-deletes"
    if version == 3:
        assert deletes["file-format"] == "puffin" and deletes["content-offset"] > 0
        assert deletes["referenced-data-file"] == touched[0]["data-file"]["file-path"]
        assert all("first-row-id" in task["data-file"] for task in tasks)
        return
    scan = pyiceberg_catalog(server, **{"scan-planning-mode": "server"}).load_table(TABLE).scan
    found = scan(row_filter=NotNull("kind")).to_arrow()
    expected = [row["id"] for row in rows(120) if row["kind"] and not (row["kind"] == "tea" and row["id"] % 3 == 0)]
    assert sorted(found["id"].to_pylist()) == expected


@pytest.mark.limit(300)
def test_large_plans_come_in_pages(client, server):
    client.create_table("shop.many", "id long required, k int", partition="k")
    for first in (0, 700):
        batch = ndjson({"id": n, "k": n} for n in range(first, first + 700))
        client.records("shop.many", batch, headers={"Prefer": "wait=committed"}, timeout=120).ok()
    page = plan(client, table="shop.many")
    assert 0 < len(page["file-scan-tasks"]) <= 1000
    assert page["plan-tasks"]
    tasks = every_page(client, table="shop.many")
    assert len(set(paths(tasks))) == len(tasks) == 1400
    assert len(every_page(client, {"filter": {"type": "lt", "term": "k", "value": 5}}, "shop.many")) == 5
    scan = pyiceberg_catalog(server, **{"scan-planning-mode": "server"}).load_table("shop.many").scan()
    assert pc.sum(scan.to_arrow()["id"]).as_py() == sum(range(1400))
    # Tokens say themselves what they stand for, so a new server answers them as well.
    server.restart_after_kill()
    for token in page["plan-tasks"]:
        assert client.once("POST", table_url("shop.many") + "/tasks", body={"plan-task": token}).ok().json


def test_acknowledged_records_are_planned(make_server, warehouse):
    client = Client(make_server(warehouse, flush_interval_ms=600_000).start())
    client.create_table(TABLE, SCHEMA)
    client.records(TABLE, ndjson(rows(10))).ok()
    assert sum(task["data-file"]["record-count"] for task in every_page(client)) == 10


def test_an_empty_table_has_an_empty_plan(client):
    client.create_table(TABLE, SCHEMA)
    answer = plan(client)
    assert answer["file-scan-tasks"] == [] and "plan-tasks" not in answer


def test_plans_are_not_kept(sales):
    url = f"{table_url(TABLE)}/plan"
    plan_id = plan(sales)["plan-id"]
    refused(sales.once("GET", f"{url}/{plan_id}"), 404, "NoSuchPlanIdException")
    assert sales.once("DELETE", f"{url}/{plan_id}").status == 204
    refused(sales.once("DELETE", f"{url}/nothing"), 404, "NoSuchPlanIdException")
    refused(sales.once("GET", f"{table_url('shop.none')}/plan/{plan_id}"), 404, "NoSuchTableException")


def test_bad_requests_say_what_is_wrong(sales):
    url = table_url(TABLE)
    deep = "{\"type\":\"not\",\"child\":" * 5000 + "true" + "}" * 5000
    for body in [
        {"snapshot-id": 1}, {"snapshot-id": "x"}, {"start-snapshot-id": 1}, {"snapshot-id": 1, "end-snapshot-id": 2},
        {"filter": 5}, {"filter": {"type": "like"}}, {"filter": {"type": "eq", "term": "nothing", "value": 1}},
        {"filter": {"type": "eq", "term": "id", "value": "x"}}, {"filter": {"type": "eq", "term": "KIND", "value": "x"}},
        {"filter": {"type": "and", "left": True}}, {"filter": {"type": "is-nan", "term": "id"}}, {"select": "id"}, [],
    ]:  # fmt: skip
        refused(sales.once("POST", url + "/plan", body=body), 400, "BadRequestException")
    refused(sales.once("POST", url + "/plan", data=b'{"filter":' + deep.encode() + b"}"), 400, "BadRequestException")
    long = {"filter": {"type": "in", "term": "kind", "values": ["x" * 100] * 20_000}}
    refused(sales.once("POST", url + "/plan", body=long), 400, "BadRequestException")
    relaxed = {"filter": {"type": "eq", "term": "KIND", "value": "tea"}, "case-sensitive": False}
    assert paths(every_page(sales, relaxed)) == paths(every_page(sales, {"filter": form("partition")}))
    for token in ["", "x", "0" * 200, plan(sales)["plan-id"]]:
        refused(sales.once("POST", url + "/tasks", body={"plan-task": token}), 404, "NoSuchPlanTaskException")
    for body in [{}, {"plan-task": 1}, []]:
        refused(sales.once("POST", url + "/tasks", body=body), 400, "BadRequestException")
    refused(sales.once("POST", table_url("shop.none") + "/plan", body={}), 404, "NoSuchTableException")
    refused(sales.once("POST", table_url("shop.none") + "/tasks", body={"plan-task": "x"}), 404, "NoSuchTableException")


@pytest.mark.limit(300)
def test_plan_tasks_are_of_one_table(sales):
    """A token of another table is none of this one."""
    sales.create_table("shop.wide", "id long required, k int", partition="k")
    sales.records("shop.wide", ndjson({"id": n, "k": n} for n in range(1100)), headers={"Prefer": "wait=committed"}, timeout=120).ok()
    (token,) = plan(sales, table="shop.wide")["plan-tasks"]
    refused(sales.once("POST", table_url(TABLE) + "/tasks", body={"plan-task": token}), 404, "NoSuchPlanTaskException")
    sales.once("DELETE", "/v1/tables/shop/wide?purge=true").ok()
    refused(sales.once("POST", table_url("shop.wide") + "/tasks", body={"plan-task": token}), 404, "NoSuchTableException")
