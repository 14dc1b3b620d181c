"""Views of the Iceberg REST catalog, through plain requests and through PyIceberg."""

import json
import sqlite3
import threading

import pytest
from pyiceberg.exceptions import NoSuchViewError, TableAlreadyExistsError
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType
from pyiceberg.view.metadata import SQLViewRepresentation, ViewVersion

from support.cli import firn
from support.client import Client
from support.iceberg_rest import ROOT, create_namespace, pyiceberg_catalog, refused, table_url

VIEWS = f"{ROOT}/namespaces/shop/views"
SCHEMA = {
    "type": "struct", "schema-id": 0,
    "fields": [{"id": 1, "name": "day", "required": False, "type": "date", "doc": "UTC"},
               {"id": 2, "name": "place", "required": False, "type": "geometry"}],
}  # fmt: skip


def version(sql: str, schema_id: int = 0, dialect: str = "spark", **members) -> dict:
    return {
        "version-id": 1, "schema-id": schema_id, "timestamp-ms": 1700000000000, "summary": {"engine-name": dialect},
        "default-namespace": ["shop"], "representations": [{"type": "sql", "sql": sql, "dialect": dialect}],
    } | members  # fmt: skip


def create(client: Client, name: str = "totals", sql: str = "SELECT 1", **members):
    body = {"name": name, "schema": SCHEMA, "view-version": version(sql), "properties": {}} | members
    return client.once("POST", VIEWS, body=body)


def replacement(sql: str, **members) -> dict:
    return {
        "updates": [{"action": "add-view-version", "view-version": version(sql)},
                    {"action": "set-current-view-version", "view-version-id": -1}],
    } | members  # fmt: skip


@pytest.fixture
def client(server) -> Client:
    client = Client(server)
    create_namespace(client, "shop")
    return client


def test_a_view_through_its_life(client, warehouse):
    created = create(client, properties={"comment": "daily"}).ok().json
    location = created["metadata-location"]
    assert location.startswith(f"file://{warehouse}/shop/totals/metadata/00000-")
    metadata = created["metadata"]
    assert metadata["format-version"] == 1 and metadata["current-version-id"] == 1
    assert metadata["schemas"] == [SCHEMA] and metadata["properties"] == {"comment": "daily"}
    with open(location.removeprefix("file://")) as file:
        assert json.load(file) == metadata
    assert client.once("GET", f"{VIEWS}/totals").ok().json == created
    assert client.once("HEAD", f"{VIEWS}/totals").status == 204

    body = replacement("SELECT 2", requirements=[{"type": "assert-view-uuid", "uuid": metadata["view-uuid"]}])
    replaced = client.once("POST", f"{VIEWS}/totals", body=body).ok().json
    assert replaced["metadata"]["current-version-id"] == 2
    assert [entry["version-id"] for entry in replaced["metadata"]["version-log"]] == [1, 2]
    assert replaced["metadata"]["view-uuid"] == metadata["view-uuid"]
    assert client.once("GET", f"{VIEWS}/totals").ok().json == replaced

    move = {"source": {"namespace": ["shop"], "name": "totals"}, "destination": {"namespace": ["shop"], "name": "sums"}}
    assert client.once("POST", f"{ROOT}/views/rename", body=move).status == 204
    refused(client.once("GET", f"{VIEWS}/totals"), 404, "NoSuchViewException")
    assert client.once("GET", f"{VIEWS}/sums").ok().json == replaced
    assert client.once("DELETE", f"{VIEWS}/sums").status == 204
    assert client.once("HEAD", f"{VIEWS}/sums").status == 404
    refused(client.once("DELETE", f"{VIEWS}/sums"), 404, "NoSuchViewException")
    assert not list(warehouse.rglob("*.metadata.json"))


def test_pyiceberg_works_with_views(client, server):
    catalog = pyiceberg_catalog(server)
    schema = Schema(NestedField(1, "id", LongType()), NestedField(2, "name", StringType(), doc="who"))
    first = ViewVersion(
        version_id=1, schema_id=1, summary={}, default_namespace=["shop"],
        representations=[SQLViewRepresentation(type="sql", sql="SELECT id, name FROM t", dialect="trino")],
    )  # fmt: skip
    view = catalog.create_view("shop.people", schema, first, properties={"owner": "me"})
    loaded = catalog.load_view("shop.people")
    assert loaded.metadata == view.metadata
    assert loaded.metadata.versions[0].representations[0].root.sql == "SELECT id, name FROM t"
    assert loaded.schema().find_field("name").doc == "who"
    assert catalog.list_views("shop") == [("shop", "people")]
    assert catalog.list_tables("shop") == []
    assert catalog.view_exists("shop.people") and not catalog.table_exists("shop.people")
    catalog.drop_view("shop.people")
    assert not catalog.view_exists("shop.people")
    with pytest.raises(NoSuchViewError):
        catalog.load_view("shop.people")


def test_views_and_tables_share_one_space_of_names(client, server):
    client.create_table("shop.orders", "id long")
    create(client).ok()
    refused(create(client), 409, "AlreadyExistsException")
    refused(create(client, "orders"), 409, "AlreadyExistsException")
    client.once("POST", "/v1/tables", body={"namespace": "shop", "name": "totals", "schema": "id long"}).problem(409)
    with pytest.raises(TableAlreadyExistsError):
        pyiceberg_catalog(server).create_table("shop.totals", Schema(NestedField(1, "id", LongType())))
    refused(client.once("GET", f"{VIEWS}/orders"), 404, "NoSuchViewException")
    refused(client.once("GET", table_url("shop.totals")), 404, "NoSuchTableException")
    refused(client.once("DELETE", table_url("shop.totals")), 404, "NoSuchTableException")
    move = {"source": {"namespace": ["shop"], "name": "totals"}, "destination": {"namespace": ["shop"], "name": "orders"}}
    refused(client.once("POST", f"{ROOT}/views/rename", body=move), 409, "AlreadyExistsException")
    refused(client.once("DELETE", f"{ROOT}/namespaces/shop"), 409, "NamespaceNotEmptyException")
    listed = client.once("GET", "/v1/tables").ok().json["tables"]
    assert listed == ["shop.orders"]


def test_the_catalog_row_is_the_one_of_jdbc_catalogs(client, warehouse):
    first = create(client).ok().json["metadata-location"]
    second = client.once("POST", f"{VIEWS}/totals", body=replacement("SELECT 2")).ok().json["metadata-location"]
    with sqlite3.connect(warehouse / "catalog.db") as catalog:
        rows = catalog.execute("SELECT * FROM iceberg_tables").fetchall()
    assert rows == [("firn", "shop", "totals", second, first, "VIEW")]


def test_lists_come_in_pages(client):
    names = [f"v{number:02}" for number in range(25)]
    for name in names:
        create(client, name).ok()
    everything = client.once("GET", f"{VIEWS}?pageSize=3").ok().json
    assert [item["name"] for item in everything["identifiers"]] == names
    token, found, pages = "", [], 0
    while token is not None:
        answer = client.once("GET", f"{VIEWS}?pageSize=10&pageToken={token}").ok().json
        found += [item["name"] for item in answer["identifiers"]]
        token = answer.get("next-page-token")
        pages += 1
    assert (found, pages) == (names, 3)
    refused(client.once("GET", f"{ROOT}/namespaces/none/views"), 404, "NoSuchNamespaceException")


def test_registered_from_its_file(client, warehouse):
    created = create(client).ok().json
    copy = warehouse / "shop" / "copy.metadata.json"
    copy.write_text(json.dumps(created["metadata"]))
    url = f"{ROOT}/namespaces/shop/register-view"
    answer = client.once("POST", url, body={"name": "again", "metadata-location": f"file://{copy}"}).ok().json
    assert answer["metadata"] == created["metadata"]
    used = {"name": "other", "metadata-location": created["metadata-location"]}
    refused(client.once("POST", url, body=used), 409, "AlreadyExistsException")
    refused(client.once("POST", url, body=used | {"name": "totals"}), 409, "AlreadyExistsException")
    outside = warehouse.parent / "outside.metadata.json"
    outside.write_text(copy.read_text())
    for location in [f"file://{outside}", "s3://bucket/x.metadata.json", "relative", f"file://{warehouse}/catalog.db"]:
        refused(client.once("POST", url, body={"name": "x", "metadata-location": location}), 400, "BadRequestException")


def test_a_repeated_request_happens_once(client):
    key = {"Idempotency-Key": "0198f2c0-0000-7000-8000-000000000001"}
    body = {"name": "totals", "schema": SCHEMA, "view-version": version("SELECT 1"), "properties": {}}
    first = client.once("POST", VIEWS, body=body, headers=key).ok()
    assert client.once("POST", VIEWS, body=body, headers=key).ok().json == first.json
    key = {"Idempotency-Key": "0198f2c0-0000-7000-8000-000000000002"}
    change = {"updates": [{"action": "set-properties", "updates": {"a": "1"}}]}
    once = client.once("POST", f"{VIEWS}/totals", body=change, headers=key).ok()
    client.once("POST", f"{VIEWS}/totals", body=replacement("SELECT 2")).ok()
    assert client.once("POST", f"{VIEWS}/totals", body=change, headers=key).ok().json == once.json
    key = {"Idempotency-Key": "0198f2c0-0000-7000-8000-000000000003"}
    for _ in range(2):
        assert client.once("DELETE", f"{VIEWS}/totals", headers=key).status == 204


def test_bad_requests_say_what_is_wrong(client):
    create(client).ok()
    one = f"{VIEWS}/totals"
    many = version("SELECT 1", representations=[{"type": "sql", "sql": "x", "dialect": d} for d in ("a", "A")])
    for body in [
        {}, {"name": "x"}, {"name": "x", "schema": SCHEMA}, {"name": 1, "schema": SCHEMA, "view-version": {}},
        {"name": "x", "schema": {"type": "list"}, "view-version": version("x")},
        {"name": "x", "schema": SCHEMA, "view-version": many}, {"name": "x", "schema": SCHEMA, "view-version": {}},
        {"name": "x", "schema": SCHEMA, "view-version": version("x"), "location": "file:///tmp/elsewhere"},
        {"name": "x", "schema": SCHEMA, "view-version": version("x"), "properties": {"write.metadata.path": "file:///tmp"}},
        {"name": "../x", "schema": SCHEMA, "view-version": version("x")},
    ]:  # fmt: skip
        refused(client.once("POST", VIEWS, body=body), 400, "BadRequestException")
    for updates in [
        None, {}, [{"action": "drop-everything"}], [{"action": "set-current-view-version", "view-version-id": 9}],
        [{"action": "add-view-version", "view-version": version("x", schema_id=7)}],
        [{"action": "add-view-version", "view-version": version("x", dialect="trino")},
         {"action": "set-current-view-version", "view-version-id": -1}],
        [{"action": "set-location", "location": "file:///tmp/elsewhere"}],
    ]:  # fmt: skip
        refused(client.once("POST", one, body={"updates": updates}), 400, "BadRequestException")
    wrong = [{"type": "assert-view-uuid", "uuid": "00000000-0000-0000-0000-000000000000"}]
    refused(client.once("POST", one, body={"updates": [], "requirements": wrong}), 409, "CommitFailedException")
    refused(client.once("POST", f"{VIEWS}/none", body={"updates": []}), 404, "NoSuchViewException")
    assert client.once("GET", one).ok().json["metadata"]["current-version-id"] == 1


def test_replacements_at_the_same_time_all_happen(client, server):
    create(client, properties={"version.history.num-entries": "100"}).ok()
    failures = []

    def replace(worker: int):
        own = Client(server)
        for turn in range(5):
            answer = own.once("POST", f"{VIEWS}/totals", body=replacement(f"SELECT {worker}, {turn}"))
            if answer.status != 200:
                failures.append(answer.text)

    threads = [threading.Thread(target=replace, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    metadata = client.once("GET", f"{VIEWS}/totals").ok().json["metadata"]
    assert len(metadata["versions"]) == 21 and len(metadata["version-log"]) == 21


def test_a_killed_server_keeps_its_views_and_no_litter(client, server, warehouse):
    create(client).ok()
    for number in range(5):
        last = client.once("POST", f"{VIEWS}/totals", body=replacement(f"SELECT {number}")).ok().json
    server.restart_after_kill()
    assert client.once("GET", f"{VIEWS}/totals").ok().json == last
    client.once("DELETE", f"{VIEWS}/totals")
    server.stop()
    # The server's own collection may not have had its turn.
    firn("gc", warehouse=warehouse).ok()
    assert not list(warehouse.rglob("*.metadata.json"))
