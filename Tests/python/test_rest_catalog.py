"""The Iceberg REST catalog by hand: every route, every kind of error, and what a hostile client may not do."""

import gzip
import itertools
import json
import time
import uuid

import pytest

from support import raw
from support.client import ndjson
from support.rest import SCHEMA, Rest, assert_error, follow, move_main, path
from support.shop import TABLE, ingest, rest, table  # noqa: F401 (fixtures)


# Configuration and the shape of answers


def test_every_endpoint_that_config_lists_is_served(rest, table):
    config = rest.ok("GET", "/config?warehouse=anything").json
    assert config["defaults"] == {} and config["overrides"] == {}
    assert config["idempotency-key-lifetime"].startswith("PT")
    assert len(config["endpoints"]) == len(set(config["endpoints"])) >= 17
    names = {"{prefix}": "any", "{namespace}": "none", "{table}": "none", "{view}": "none", "{plan-id}": "none"}
    for endpoint in config["endpoints"]:
        method, route = endpoint.split(" ")
        for name, value in names.items():
            route = route.replace(name, value)
        for form in (route, route.replace("/any/", "/")):
            answer = rest.client.once(method, "/iceberg" + form, data=b"{}")
            assert "NoSuchEndpoint" not in answer.text, f"{endpoint} is listed and not served"
            assert answer.status < 500, f"{endpoint}: {answer.text}"


def test_unknown_routes_and_broken_bodies_have_the_catalogs_error(rest, table):
    rest.error("GET", "/nothing", 404, "NoSuchEndpointException")
    rest.error("PUT", "/namespaces", 404, "NoSuchEndpointException")
    assert_error(rest.client.once("GET", "/iceberg/v2/config"), 404, "NoSuchEndpointException")
    for data in (b"{", b"", b"[]", b'{"a":1}{', b"\xff", b'{"namespace":"shop"}', b'{"namespace":[]}', b"null"):
        rest.error("POST", "/namespaces", 400, "BadRequestException", data=data)
    for data in (b"", b"[]", b"1", b"null", b"\xff", b"{"):
        rest.error("POST", path(TABLE), 400, "BadRequestException", data=data)
    for body in ({"requirements": {}}, {"updates": {}}, {"updates": [1]}, {"requirements": [{"type": "x"}]},
                 {"updates": [{"action": "fly"}]}, {"updates": [{}]}):  # fmt: skip
        rest.error("POST", path(TABLE), 400, "BadRequestException", body)
    rest.error("POST", path(TABLE), 415, "BadRequestException", {}, headers={"Content-Encoding": "br"})
    rest.error("POST", path(TABLE), 400, "BadRequestException", data=b"no gzip", headers={"Content-Encoding": "gzip"})
    bomb = gzip.compress(b" " * (64 << 20))
    rest.error("POST", path(TABLE), 413, "BadRequestException", data=bomb, headers={"Content-Encoding": "gzip"})
    for megabytes in (17, 65):
        # The answer may come before the body is through.
        refused = raw.post(rest.client.server.port, rest.prefix + path(TABLE), b" " * (megabytes << 20))
        assert_error(refused, 413, "BadRequestException")
    rest.error("GET", "/namespaces/shop/views/none", 404, "NoSuchViewException")


def test_answers_to_head_have_no_body(rest, table):
    for route, status in (("/namespaces/shop", 204), ("/namespaces/none", 404), (path(TABLE), 204),
                          (path("shop.none"), 404), ("/nothing", 404)):  # fmt: skip
        answer = rest.call("HEAD", route)
        assert (answer.status, answer.text) == (status, ""), route


def test_tokens_are_given_and_not_asked_for(rest):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    data = "grant_type=client_credentials&client_id=a&client_secret=b&scope=catalog"
    token = rest.ok("POST", "/oauth/tokens", data=data, headers=form).json
    assert token["token_type"] == "bearer" and token["access_token"]
    refused = rest.call("POST", "/oauth/tokens", data="grant_type=password", headers=form)
    assert refused.status == 400 and refused.json["error"] == "unsupported_grant_type"
    for value in ("Bearer None", f"Bearer {token['access_token']}"):
        rest.ok("GET", "/namespaces", headers={"Authorization": value})


def test_bodies_and_large_answers_may_be_compressed(rest, table):
    body = json.dumps({"updates": [{"action": "set-properties", "updates": {f"k{n}": "v" * 40 for n in range(3000)}}]})
    answer = rest.ok("POST", path(TABLE), data=gzip.compress(body.encode()), headers={"Content-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json["metadata"]["properties"]["k2999"] == "v" * 40
    plain = rest.ok("GET", path(TABLE), headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.json["metadata"] == answer.json["metadata"]


# Namespaces


def test_namespaces_are_made_described_changed_and_dropped(rest):
    made = rest.ok("POST", "/namespaces", {"namespace": ["a", "b"], "properties": {"owner": "me"}}).json
    assert made == {"namespace": ["a", "b"], "properties": {"owner": "me"}}
    assert rest.ok("GET", "/namespaces/a%1Fb").json == made
    rest.error("POST", "/namespaces", 409, "AlreadyExistsException", {"namespace": ["a", "b"]})
    change = {"updates": {"owner": "you", "x": "1"}, "removals": ["gone"]}
    assert rest.ok("POST", "/namespaces/a%1Fb/properties", change).json == {
        "updated": ["owner", "x"], "removed": [], "missing": ["gone"]
    }  # fmt: skip
    assert rest.ok("POST", "/namespaces/a%1Fb/properties", {"removals": ["x"]}).json["removed"] == ["x"]
    assert rest.ok("GET", "/namespaces/a%1Fb").json["properties"] == {"owner": "you"}
    both = {"updates": {"x": "1"}, "removals": ["x"]}
    rest.error("POST", "/namespaces/a%1Fb/properties", 422, "UnprocessableEntityException", both)
    rest.error("DELETE", "/namespaces/a", 409, "NamespaceNotEmptyException")
    assert rest.ok("DELETE", "/namespaces/a%1Fb").status == 204
    rest.error("DELETE", "/namespaces/a%1Fb", 404, "NoSuchNamespaceException")


def test_namespaces_are_listed_below_their_parent(rest):
    rest.create_namespace("shop", "eu", "fr")
    listed = rest.ok("GET", "/namespaces").json
    assert listed["namespaces"] == [["shop"]] and listed.get("next-page-token") is None
    assert rest.ok("GET", "/namespaces?parent=shop").json["namespaces"] == [["shop", "eu"]]
    assert rest.ok("GET", "/namespaces?parent=shop%1Feu").json["namespaces"] == [["shop", "eu", "fr"]]
    assert rest.ok("GET", "/namespaces?parent=shop%1Feu%1Ffr").json["namespaces"] == []
    rest.error("GET", "/namespaces?parent=none", 404, "NoSuchNamespaceException")


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "a.b", "\0", "x" * 300, "-a", "\x1f", "a\x1f", "", " ", "é"])
def test_names_cannot_leave_their_place(rest, name):
    rest.error("POST", "/namespaces", 400, "BadRequestException", {"namespace": [name]})
    rest.error("POST", "/namespaces", 400, "BadRequestException", {"namespace": ["shop", name]})
    rest.error("POST", "/namespaces/shop/tables", 400, "BadRequestException", {"name": name, "schema": SCHEMA})
    if escaped := "".join(f"%{byte:02X}" for byte in name.encode()):
        rest.error("GET", f"/namespaces/{escaped}", 404, "NoSuchNamespaceException")
        rest.error("GET", f"/namespaces/shop/tables/{escaped}", 404, "NoSuchTableException")


def test_the_logs_folder_is_no_namespace(rest):
    rest.error("POST", "/namespaces", 400, "BadRequestException", {"namespace": ["wal"]})


def test_unknown_namespaces_are_named_as_such(rest):
    kind = "NoSuchNamespaceException"
    rest.error("GET", "/namespaces/none", 404, kind)
    rest.error("GET", "/namespaces/none/tables", 404, kind)
    rest.error("POST", "/namespaces/none/tables", 404, kind, {"name": "t", "schema": SCHEMA})
    rest.error("POST", "/namespaces/none/properties", 404, kind, {"updates": {}})


def pages(rest, route: str, member: str, size: int) -> list:
    found, token = [], ""
    for _ in range(100):
        page = rest.ok("GET", f"{route}{'&' if '?' in route else '?'}pageToken={token}&pageSize={size}").json
        assert len(page[member]) <= size
        found.append(page[member])
        token = page.get("next-page-token")
        if token is None:
            return found
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_listings_come_in_pages_only_when_asked(rest, size):
    names = [f"t{n}" for n in range(7)]
    for name in names:
        rest.create_table(f"shop.{name}")
        rest.create_namespace("shop", "n" + name)
    tables = pages(rest, "/namespaces/shop/tables", "identifiers", size)
    assert [t["name"] for t in itertools.chain(*tables)] == names
    spaces = pages(rest, "/namespaces?parent=shop", "namespaces", size)
    assert [s[-1] for s in itertools.chain(*spaces)] == ["n" + name for name in names]
    whole = rest.ok("GET", f"/namespaces/shop/tables?pageSize={size}").json
    assert len(whole["identifiers"]) == 7 and whole.get("next-page-token") is None
    rest.error("GET", "/namespaces/shop/tables?pageToken=&pageSize=x", 400, "BadRequestException")


def test_a_page_neither_repeats_nor_loses_what_others_change_meanwhile(rest):
    for name in "bdf":
        rest.create_table(f"shop.{name}")
    first = rest.ok("GET", "/namespaces/shop/tables?pageToken=&pageSize=2").json
    rest.create_table("shop.a")
    rest.ok("DELETE", path("shop.b") + "?purgeRequested=true")
    second = rest.ok("GET", f"/namespaces/shop/tables?pageToken={first['next-page-token']}&pageSize=2").json
    assert [t["name"] for t in first["identifiers"] + second["identifiers"]] == ["b", "d", "f"]


# Tables


def test_a_created_table_can_be_loaded_and_has_its_folders(rest, warehouse):
    spec = {"fields": [{"source-id": 2, "name": "name", "transform": "identity"}]}
    order = {"order-id": 1, "fields": [{"source-id": 1, "transform": "identity", "direction": "asc",
                                        "null-order": "nulls-first"}]}  # fmt: skip
    extra = {"partition-spec": spec, "write-order": order, "properties": {"owner": "me", "format-version": "2"}}
    made = rest.create_table(TABLE, **extra)
    metadata = made["metadata"]
    assert metadata["location"] == f"file://{warehouse}/shop/orders"
    assert metadata["partition-specs"][0]["fields"][0]["field-id"] == 1000
    assert metadata["properties"]["owner"] == "me" and "format-version" not in metadata["properties"]
    assert metadata["default-sort-order-id"] == 1
    assert (warehouse / "shop/orders/data").is_dir()
    assert rest.load(TABLE) == made
    assert json.loads(open(made["metadata-location"].removeprefix("file://")).read()) == metadata
    rest.error("POST", "/namespaces/shop/tables", 409, "AlreadyExistsException", {"name": "orders", "schema": SCHEMA})
    third = rest.create_table("shop.third", properties={"format-version": "3"})
    assert third["metadata"]["format-version"] == 3 and third["metadata"]["next-row-id"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {"name": "t"},
        {"name": 1, "schema": SCHEMA},
        {"name": "t", "schema": []},
        {"name": "t", "schema": SCHEMA | {"fields": [SCHEMA["fields"][0], SCHEMA["fields"][0] | {"name": "x"}]}},
        {
            "name": "t",
            "schema": SCHEMA,
            "partition-spec": {"fields": [{"source-id": 9, "name": "x", "transform": "day"}]},
        },
        {"name": "t", "schema": SCHEMA, "properties": {"a": 1}},
        {"name": "t", "schema": SCHEMA, "properties": {"write.data.path": "file:///etc"}},
        {"name": "t", "schema": SCHEMA, "properties": {"firn.event-time.column": "nothing"}},
        {"name": "t", "schema": SCHEMA, "properties": {"firn.read.max-staleness-ms": "soon"}},
        {"name": "t", "schema": SCHEMA, "stage-create": "yes"},
        {"name": "t", "schema": SCHEMA, "location": "file:///etc"},
        {"name": "t", "schema": SCHEMA, "location": "s3://bucket/t"},
        {"name": "t", "schema": SCHEMA, "location": "/tmp/t"},
    ],
)
def test_tables_that_cannot_be_are_refused(rest, body):
    rest.error("POST", "/namespaces/shop/tables", 400, "BadRequestException", body)
    assert rest.ok("GET", "/namespaces/shop/tables").json["identifiers"] == []


def test_locations_stay_inside_the_warehouse_and_apart(rest, table, warehouse):
    inside = f"file://{warehouse}"
    for location in (f"{inside}/../x", f"{inside}/wal/x", f"{inside}/wal", inside, f"{inside}/catalog.db",
                     f"{inside}/shop/orders", f"{inside}/shop", f"{inside}/shop/orders/data/x",
                     f"file:{warehouse}/other", f"{inside}//x", f"{inside}/" + "x" * 2000):  # fmt: skip
        for stage in (False, True):
            body = {"name": "t", "schema": SCHEMA, "location": location, "stage-create": stage}
            rest.error("POST", "/namespaces/shop/tables", 400, "BadRequestException", body)
    rest.create_table("shop.second")
    for location in (f"{inside}/../x", f"{inside}/wal/x", inside, f"{inside}/shop/second", f"{inside}/shop", "",
                     f"{inside}/shop/second/data", "file:///etc", "s3://x/y", f"file:{warehouse}/other"):  # fmt: skip
        moved = rest.commit(TABLE, [{"action": "set-location", "location": location}])
        assert_error(moved, 400, "BadRequestException")
    rest.commit(TABLE, [{"action": "set-location", "location": f"{inside}/shop/moved"}]).ok()
    ingest(rest, 1)
    assert rest.load(TABLE)["metadata-location"].startswith(f"{inside}/shop/moved/metadata/")
    made = rest.create_table("shop.t", location=f"{inside}/elsewhere/t/")
    assert made["metadata"]["location"] == f"{inside}/elsewhere/t"


def test_a_staged_table_is_nowhere_until_it_is_committed(rest, warehouse):
    staged = rest.create_table(TABLE, **{"stage-create": True})
    assert staged["metadata-location"] is None
    assert (warehouse / "shop/orders/metadata").is_dir() and (warehouse / "shop/orders/data").is_dir()
    rest.error("GET", path(TABLE), 404, "NoSuchTableException")
    updates = creation(staged["metadata"])
    committed = rest.commit(TABLE, updates, [{"type": "assert-create"}]).ok().json
    assert committed["metadata"]["table-uuid"] == staged["metadata"]["table-uuid"]
    assert committed["metadata"]["location"] == staged["metadata"]["location"]
    assert rest.load(TABLE)["metadata"] == committed["metadata"]
    assert_error(rest.commit(TABLE, updates, [{"type": "assert-create"}]), 409, "CommitFailedException")
    ingest(rest, *range(3))
    assert rest.load(TABLE)["metadata"]["snapshots"][-1]["summary"]["total-records"] == "3"


def creation(metadata: dict) -> list:
    """What DuckDB sends for a staged table, in its order."""
    return [
        {"action": "assign-uuid", "uuid": metadata["table-uuid"]},
        {"action": "upgrade-format-version", "format-version": metadata["format-version"]},
        {"action": "add-schema", "schema": metadata["schemas"][0], "last-column-id": metadata["last-column-id"]},
        {"action": "add-spec", "spec": metadata["partition-specs"][0]},
        {"action": "set-default-spec", "spec-id": -1},
        {"action": "add-sort-order", "sort-order": metadata["sort-orders"][0]},
        {"action": "set-default-sort-order", "sort-order-id": -1},
        {"action": "set-location", "location": metadata["location"]},
        {"action": "set-properties", "updates": {}},
        {"action": "set-current-schema", "schema-id": -1},
    ]


def test_a_creation_is_checked_like_a_commit(rest, warehouse):
    staged = rest.create_table(TABLE, **{"stage-create": True})["metadata"]
    create = [{"type": "assert-create"}]
    for location in ("file:///etc/x", f"file://{warehouse}/wal/x", f"file://{warehouse}/../x"):
        refused = rest.commit(TABLE, creation(staged | {"location": location}), create)
        assert_error(refused, 400, "BadRequestException")
    assert_error(rest.commit(TABLE, creation(staged)[:2], create), 400, "BadRequestException")
    assert_error(rest.commit(TABLE, creation(staged)), 404, "NoSuchTableException")
    assert_error(rest.commit("none.t", creation(staged), create), 404, "NoSuchNamespaceException")
    rest.commit(TABLE, creation(staged), create).ok()
    other = rest.create_table("shop.other", **{"stage-create": True})["metadata"]
    twin = creation(other | {"table-uuid": staged["table-uuid"]})
    assert_error(rest.commit("shop.other", twin, create), 409, "CommitFailedException")


def test_tags_spare_what_a_client_has(rest, table):
    ingest(rest, 1)
    ingest(rest, 1)
    first = rest.ok("GET", path(TABLE))
    tag = first.headers["etag"]
    assert tag.startswith('"') and tag.endswith('"')
    again = rest.call("GET", path(TABLE), headers={"If-None-Match": tag})
    assert (again.status, again.text, again.headers["etag"]) == (304, "", tag)
    assert rest.call("GET", path(TABLE), headers={"If-None-Match": f'"x", W/{tag}'}).status == 304
    refs = rest.ok("GET", path(TABLE) + "?snapshots=refs", headers={"If-None-Match": tag})
    assert refs.headers["etag"] != tag
    assert len(first.json["metadata"]["snapshots"]) == 2 and len(refs.json["metadata"]["snapshots"]) == 1
    assert refs.json["metadata"]["snapshots"][0]["snapshot-id"] == first.json["metadata"]["current-snapshot-id"]
    rest.error("GET", path(TABLE) + "?snapshots=some", 400, "BadRequestException")
    committed = rest.set_property(TABLE, "a", "b").ok()
    assert committed.headers["etag"] != tag
    assert rest.call("GET", path(TABLE), headers={"If-None-Match": committed.headers["etag"]}).status == 304


def test_tables_are_renamed_and_dropped(rest, table, warehouse):
    rest.create_namespace("other")
    ids = {"source": {"namespace": ["shop"], "name": "orders"}, "destination": {"namespace": ["other"], "name": "o"}}
    assert rest.ok("POST", "/tables/rename", ids).status == 204
    assert rest.load("other.o")["metadata-location"] == table["metadata-location"]
    rest.error("POST", "/tables/rename", 404, "NoSuchTableException", ids)
    rest.create_table(TABLE)
    rest.error("POST", "/tables/rename", 409, "AlreadyExistsException", ids)
    nowhere = ids | {"destination": {"namespace": ["none"], "name": "o"}}
    rest.error("POST", "/tables/rename", 404, "NoSuchNamespaceException", nowhere)
    bad = ids | {"destination": {"namespace": ["other"], "name": "../x"}}
    rest.error("POST", "/tables/rename", 400, "BadRequestException", bad)
    assert rest.ok("DELETE", path("other.o") + "?purgeRequested=false").status == 204
    assert (warehouse / "shop/orders/metadata").is_dir()
    rest.error("DELETE", path("other.o"), 404, "NoSuchTableException")
    file = rest.load(TABLE)["metadata-location"].removeprefix("file://")
    assert rest.ok("DELETE", path(TABLE) + "?purgeRequested=true").status == 204
    with pytest.raises(FileNotFoundError):
        open(file)


def test_tables_leave_and_come_back(rest, table, warehouse):
    ingest(rest, *range(5))
    rest.client.records(TABLE, ndjson([{"id": 9}])).ok()
    left = rest.ok("POST", path(TABLE) + "/unregister").json
    assert left["metadata"]["snapshots"][-1]["summary"]["total-records"] == "6", "what was acknowledged came along"
    rest.error("GET", path(TABLE), 404, "NoSuchTableException")
    body = {"name": "back", "metadata-location": left["metadata-location"]}
    back = rest.ok("POST", "/namespaces/shop/register", body)
    assert back.json["metadata"] == left["metadata"] and back.headers["etag"]
    rest.error("POST", "/namespaces/shop/register", 409, "AlreadyExistsException", body)
    rest.error("POST", "/namespaces/shop/register", 409, "AlreadyExistsException", body | {"name": "twice"})
    for location in ("/etc/passwd", "file:///etc/passwd", f"{warehouse}/../x", f"file://{warehouse}/wal/x", "s3://x/y"):
        bad = {"name": "t", "metadata-location": location}
        rest.error("POST", "/namespaces/shop/register", 400, "BadRequestException", bad)
    gone = {"name": "t", "metadata-location": f"file://{warehouse}/shop/none.metadata.json"}
    rest.error("POST", "/namespaces/shop/register", 404, "NotFoundException", gone)
    newer = rest.set_property("shop.back", "a", "b").ok().json["metadata-location"]
    over = {"name": "back", "metadata-location": left["metadata-location"], "overwrite": True}
    rest.ok("POST", "/namespaces/shop/register", over)
    assert "a" not in rest.load("shop.back")["metadata"]["properties"]
    rest.ok("POST", "/namespaces/shop/register", over | {"metadata-location": newer})
    assert rest.load("shop.back")["metadata"]["properties"]["a"] == "b"


def test_credentials_are_none(rest, table):
    assert rest.ok("GET", path(TABLE) + "/credentials").json == {"storage-credentials": []}
    rest.error("GET", path("shop.none") + "/credentials", 404, "NoSuchTableException")


# Commits


def test_requirements_decide(rest, table):
    metadata = table["metadata"]
    for requirement in (
        {"type": "assert-create"},
        {"type": "assert-table-uuid", "uuid": str(uuid.uuid4())},
        {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 1},
        {"type": "assert-last-assigned-field-id", "last-assigned-field-id": 9},
        {"type": "assert-current-schema-id", "current-schema-id": 9},
        {"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 9},
        {"type": "assert-default-spec-id", "default-spec-id": 9},
        {"type": "assert-default-sort-order-id", "default-sort-order-id": 9},
    ):
        assert_error(rest.set_property(TABLE, "a", "b", requirement), 409, "CommitFailedException")
    held = [
        {"type": "assert-table-uuid", "uuid": metadata["table-uuid"]},
        {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": None},
        {"type": "assert-last-assigned-field-id", "last-assigned-field-id": 2},
        {"type": "assert-current-schema-id", "current-schema-id": 0},
        {"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 999},
        {"type": "assert-default-spec-id", "default-spec-id": 0},
        {"type": "assert-default-sort-order-id", "default-sort-order-id": 0},
    ]
    assert "a" not in rest.load(TABLE)["metadata"]["properties"]
    done = rest.set_property(TABLE, "a", "b", *held).ok().json
    assert done["metadata"]["properties"]["a"] == "b"
    assert done == rest.load(TABLE)
    rest.error("POST", path("shop.none"), 404, "NoSuchTableException", {"requirements": [], "updates": []})


def test_a_stale_snapshot_is_a_conflict(rest, table):
    ingest(rest, 1)
    stale = rest.load(TABLE)["metadata"]
    ingest(rest, 1)
    assert_error(rest.commit(TABLE, [follow(stale)]), 409, "CommitFailedException")
    fresh = rest.load(TABLE)["metadata"]
    add = follow(fresh)
    done = rest.commit(TABLE, [add, move_main(add["snapshot"]["snapshot-id"])]).ok().json["metadata"]
    assert done["current-snapshot-id"] == add["snapshot"]["snapshot-id"]
    assert done["last-sequence-number"] == fresh["last-sequence-number"] + 1
    assert_error(rest.commit(TABLE, [add]), 409, "CommitFailedException")
    add = follow(done)
    gone = {"action": "remove-snapshots", "snapshot-ids": [done["current-snapshot-id"]]}
    done = rest.commit(TABLE, [add, move_main(add["snapshot"]["snapshot-id"]), gone]).ok().json["metadata"]
    assert len(done["snapshots"]) == 3, "a parent may go with the commit that follows it"


def test_a_stale_row_id_is_a_conflict(rest):
    rest.create_table(TABLE, properties={"format-version": "3"})
    ingest(rest, *range(10))
    metadata = rest.load(TABLE)["metadata"]
    assert metadata["next-row-id"] == 10
    stale = follow(metadata, **{"first-row-id": 9, "added-rows": 1})
    assert_error(rest.commit(TABLE, [stale]), 409, "CommitFailedException")
    for first, rows in ((10, -1), (10, 1 << 62), ((1 << 63) - 1, 1), (None, None)):
        bad = follow(metadata, **{"first-row-id": first, "added-rows": rows})
        assert_error(rest.commit(TABLE, [bad]), 400, "BadRequestException")
    rest.commit(TABLE, [follow(metadata, **{"first-row-id": 10, "added-rows": 1})]).ok()
    ingest(rest, 1)
    assert rest.load(TABLE)["metadata"]["next-row-id"] == 12


def test_a_snapshot_that_would_break_the_table_is_refused(rest, table, warehouse):
    ingest(rest, 1)
    metadata = rest.load(TABLE)["metadata"]
    inside = f"file://{warehouse}/shop/orders/metadata"
    (warehouse / "shop/orders/metadata/junk.avro").write_bytes(b"junk")
    for changes in (
        {"manifest-list": "file:///etc/passwd"},
        {"manifest-list": f"file://{warehouse}/wal/x"},
        {"manifest-list": f"{inside}/../../../../x"},
        {"manifest-list": f"{inside}/none.avro"},
        {"manifest-list": f"{inside}/junk.avro"},
        {"manifest-list": None},
        {"timestamp-ms": (1 << 63) - 1},
        {"timestamp-ms": -1},
        {"timestamp-ms": int(time.time() * 1000) + 120_000},
        {"summary": {"total-records": "1"}},
        {"summary": None},
        {"snapshot-id": -7},
        {"sequence-number": (1 << 63) - 1},
        {"schema-id": 77},
        {"summary": {"operation": "append", "total-records": "-1"}},
        {"summary": {"operation": "append", "total-files-size": "many"}},
        {"summary": {"operation": 1}},
        {"snapshot-id": None},
    ):
        answer = rest.commit(TABLE, [follow(metadata, **changes)])
        assert answer.status == 400, changes
        assert_error(answer, 400, "BadRequestException")
    gone = follow(metadata, **{"parent-snapshot-id": 12345})
    assert_error(rest.commit(TABLE, [gone]), 409, "CommitFailedException")
    assert rest.load(TABLE)["metadata"] == metadata
    ingest(rest, 1)


def test_updates_that_would_break_the_table_are_refused(rest, table, warehouse):
    ingest(rest, 1)
    twice = SCHEMA | {"fields": [f | {"id": 5} for f in SCHEMA["fields"]]}
    huge = SCHEMA | {"fields": [SCHEMA["fields"][0] | {"id": 2147483647}]}
    ref = {"action": "set-snapshot-ref", "ref-name": "b", "type": "branch",
           "snapshot-id": rest.load(TABLE)["metadata"]["current-snapshot-id"]}  # fmt: skip
    statistics = {"snapshot-id": ref["snapshot-id"], "statistics-path": "file:///etc/x", "file-size-in-bytes": 1,
                  "file-footer-size-in-bytes": 1, "blob-metadata": []}  # fmt: skip
    before = rest.load(TABLE)
    for update in (
        {"action": "add-schema", "schema": twice},
        {"action": "add-schema", "schema": huge},
        {"action": "set-current-schema", "schema-id": 7},
        {"action": "set-current-schema", "schema-id": -1},
        {"action": "assign-uuid", "uuid": str(uuid.uuid4())},
        {"action": "upgrade-format-version", "format-version": 1},
        {"action": "set-properties", "updates": {"write.metadata.path": "file:///etc"}},
        {"action": "set-properties", "updates": {"firn.ingest.nonsense": "1"}},
        {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 1},
        ref | {"max-snapshot-age-ms": -1},
        ref | {"min-snapshots-to-keep": 0},
        ref | {"ref-name": "x" * 300},
        ref | {"ref-name": "main", "type": "tag"},
        {"action": "set-statistics", "statistics": statistics},
        {"action": "remove-schemas", "schema-ids": [0]},
        {"action": "remove-partition-specs", "spec-ids": [0]},
    ):
        assert_error(rest.commit(TABLE, [update]), 400, "BadRequestException")
    future = [{"action": "upgrade-format-version", "format-version": 9}]
    assert_error(rest.commit(TABLE, future), 406, "UnsupportedOperationException")
    other = {"namespace": ["shop"], "name": "other"}
    rest.error("POST", path(TABLE), 400, "BadRequestException", {"identifier": other, "updates": []})
    assert rest.load(TABLE) == before


def test_a_transaction_is_all_or_nothing(rest, table):
    rest.create_table("shop.second")

    def change(name, value, *requirements):
        updates = [{"action": "set-properties", "updates": {"a": value}}]
        identifier = {"namespace": ["shop"], "name": name}
        return {"identifier": identifier, "requirements": list(requirements), "updates": updates}

    def send(*changes):
        return rest.call("POST", "/transactions/commit", {"table-changes": list(changes)})

    def values():
        names = [t["name"] for t in rest.ok("GET", "/namespaces/shop/tables").json["identifiers"]]
        return {name: rest.load(f"shop.{name}")["metadata"]["properties"].get("a") for name in names}

    done = send(change("orders", "1"), change("second", "1"))
    assert (done.status, done.text) == (204, "")
    assert values() == {"orders": "1", "second": "1"}
    wrong = {"type": "assert-current-schema-id", "current-schema-id": 5}
    assert_error(send(change("orders", "2"), change("second", "2", wrong)), 409, "CommitFailedException")
    assert_error(send(change("orders", "2"), change("none", "2")), 404, "NoSuchTableException")
    assert_error(send(change("orders", "2"), change("orders", "3")), 400, "BadRequestException")
    assert_error(send(), 400, "BadRequestException")
    staged = rest.create_table("shop.third", **{"stage-create": True})["metadata"]
    third = {"identifier": {"namespace": ["shop"], "name": "third"}, "requirements": [{"type": "assert-create"}],
             "updates": creation(staged)}  # fmt: skip
    assert_error(send(third, change("orders", "2", wrong)), 409, "CommitFailedException")
    assert values() == {"orders": "1", "second": "1"}
    assert send(third, change("orders", "2")).status == 204
    assert values() == {"orders": "2", "second": "1", "third": None}
    assert_error(send(third, change("orders", "3")), 409, "CommitFailedException")
    assert values() == {"orders": "2", "second": "1", "third": None}


# Idempotency keys


def keyed() -> dict:
    return {"Idempotency-Key": str(uuid.uuid4())}


def test_a_repeated_request_takes_effect_once(rest, table):
    key = keyed()
    body = {"updates": [{"action": "set-properties", "updates": {"a": "1"}}],
            "requirements": [{"type": "assert-table-uuid", "uuid": table["metadata"]["table-uuid"]}]}  # fmt: skip
    first = rest.ok("POST", path(TABLE), body, headers=key)
    rest.set_property(TABLE, "a", "2").ok()
    again = rest.ok("POST", path(TABLE), body, headers=key)
    assert again.json == first.json
    assert rest.load(TABLE)["metadata"]["properties"]["a"] == "2"
    other = {"updates": [{"action": "set-properties", "updates": {"a": "3"}}]}
    rest.error("POST", path(TABLE), 422, "UnprocessableEntityException", other, headers=key)
    rest.error("DELETE", path(TABLE), 422, "UnprocessableEntityException", headers=key)


def test_every_kind_of_change_is_repeated_safely(rest, warehouse):
    second = {"source": {"namespace": ["k"], "name": "t"}, "destination": {"namespace": ["k"], "name": "u"}}
    steps = [
        ("POST", "/namespaces", {"namespace": ["k"], "properties": {"a": "b"}}),
        ("POST", "/namespaces/k/properties", {"updates": {"c": "d"}, "removals": ["a", "x"]}),
        ("POST", "/namespaces/k/tables", {"name": "t", "schema": SCHEMA}),
        ("POST", "/tables/rename", second),
        ("POST", "/namespaces/k/tables/u/unregister", {}),
        ("POST", "/namespaces/k/register", {"name": "u"}),
        ("DELETE", "/namespaces/k/tables/u?purgeRequested=true", None),
        ("DELETE", "/namespaces/k", None),
    ]
    location = None
    for method, route, body in steps:
        if route.endswith("register") and "tables" not in route:
            body["metadata-location"] = location
        key = keyed()
        first = rest.ok(method, route, body, headers=key)
        again = rest.ok(method, route, body, headers=key)
        assert (again.status, again.text) == (first.status, first.text), route
        location = (first.json or {}).get("metadata-location", location)


def test_refusals_are_repeated_too(rest, table):
    key = keyed()
    body = {"updates": [], "requirements": [{"type": "assert-current-schema-id", "current-schema-id": 1}]}
    rest.error("POST", path(TABLE), 409, "CommitFailedException", body, headers=key)
    added = SCHEMA | {"fields": SCHEMA["fields"] + [{"id": 3, "name": "x", "required": False, "type": "int"}]}
    updates = [{"action": "add-schema", "schema": added}, {"action": "set-current-schema", "schema-id": -1}]
    rest.commit(TABLE, updates).ok()
    rest.error("POST", path(TABLE), 409, "CommitFailedException", body, headers=key)
    rest.ok("POST", path(TABLE), body, headers=keyed())
    rest.error("POST", path(TABLE), 400, "BadRequestException", body, headers={"Idempotency-Key": "x" * 300})


def test_answers_survive_a_crash(make_server, warehouse):
    server = make_server(warehouse).start()
    rest = Rest(server)
    rest.create_namespace("shop")
    key = keyed()
    body = {"name": "orders", "schema": SCHEMA}
    first = rest.ok("POST", "/namespaces/shop/tables", body, headers=key)
    server.restart_after_kill()
    assert rest.ok("POST", "/namespaces/shop/tables", body, headers=key).json == first.json
