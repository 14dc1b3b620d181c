"""Requests of the REST catalog with anything in the place of any value: refused or harmless, never a crash."""

import copy
import os
import random

import pytest

from support.client import ndjson
from support.rest import SCHEMA, Rest, follow, move_main, path

REQUESTS = int(os.environ.get("FIRN_HOSTILE_REQUESTS", "600"))
TABLE = "shop.orders"
ODD = [None, True, False, 0, -1, 1, 7, 1 << 31, (1 << 31) - 1, 1 << 62, (1 << 63) - 1, -(1 << 63), 1 << 64, 1e308, 0.5,
       "", "main", "x" * 5000, "\0", "..", "file:///etc/passwd", "null", [], {}, [None], [[]], {"": ""}, [1, 1],
       {"type": "struct", "fields": []}]  # fmt: skip


def places(value, found, trail=()):
    """Every place in a document, by its path."""
    found.append(trail)
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        places(item, found, trail + (key,))
    return found


def mutated(document, chance: random.Random):
    """A copy with one to three values replaced, dropped or doubled."""
    document = copy.deepcopy(document)
    for _ in range(chance.randint(1, 3)):
        inside = places(document, [])[1:]
        if not inside:
            break
        *parents, last = chance.choice(inside)
        owner = document
        for key in parents:
            owner = owner[key]
        kind = chance.random()
        if kind < 0.75:
            owner[last] = copy.deepcopy(chance.choice(ODD))
        elif kind < 0.9 or isinstance(owner, dict):
            del owner[last]
        else:
            owner.append(copy.deepcopy(owner[last]))
    return document


def requests_of(metadata: dict) -> list:
    """Valid requests to begin with, of every kind."""
    add = follow(metadata, **{"first-row-id": metadata.get("next-row-id"), "added-rows": 1})
    field = {"id": 3, "name": "x", "required": False, "type": {"type": "list", "element-id": 4, "element": "int",
                                                               "element-required": False}}  # fmt: skip
    spec = {"spec-id": 1, "fields": [{"source-id": 1, "field-id": 1000, "name": "b", "transform": "bucket[4]"}]}
    order = {"order-id": 1, "fields": [{"source-id": 1, "transform": "identity", "direction": "asc",
                                        "null-order": "nulls-first"}]}  # fmt: skip
    statistics = {"snapshot-id": metadata["current-snapshot-id"], "statistics-path": metadata["location"] + "/s",
                  "file-size-in-bytes": 1, "file-footer-size-in-bytes": 1, "blob-metadata": []}  # fmt: skip
    commit = {
        "identifier": {"namespace": ["shop"], "name": "orders"},
        "requirements": [
            {"type": "assert-table-uuid", "uuid": metadata["table-uuid"]},
            {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": metadata["current-snapshot-id"]},
            {"type": "assert-last-assigned-field-id", "last-assigned-field-id": metadata["last-column-id"]},
        ],
        "updates": [
            {"action": "add-schema", "schema": SCHEMA | {"fields": SCHEMA["fields"] + [field]}},
            {"action": "set-current-schema", "schema-id": -1},
            {"action": "add-spec", "spec": spec},
            {"action": "set-default-spec", "spec-id": -1},
            {"action": "add-sort-order", "sort-order": order},
            {"action": "set-default-sort-order", "sort-order-id": -1},
            add,
            move_main(add["snapshot"]["snapshot-id"]),
            {"action": "set-snapshot-ref", "ref-name": "tag", "type": "tag", "max-ref-age-ms": 5,
             "snapshot-id": metadata["current-snapshot-id"]},
            {"action": "set-statistics", "statistics": statistics},
            {"action": "set-properties", "updates": {"a": "b", "commit.retry.num-retries": "1"}},
            {"action": "remove-properties", "removals": ["a"]},
            {"action": "remove-snapshots", "snapshot-ids": [1]},
            {"action": "remove-schemas", "schema-ids": [9]},
            {"action": "remove-partition-specs", "spec-ids": [9]},
            {"action": "set-location", "location": metadata["location"]},
        ],
    }  # fmt: skip
    create = {"name": "made", "schema": SCHEMA, "partition-spec": spec, "write-order": order, "stage-create": False,
              "location": metadata["location"] + "-made", "properties": {"format-version": "2", "k": "v"}}  # fmt: skip
    identifier = {"namespace": ["shop"], "name": "spare"}
    return [
        (path(TABLE), commit),
        (path(TABLE), commit),
        (path(TABLE), commit),
        ("/transactions/commit", {"table-changes": [commit]}),
        ("/namespaces/shop/tables", create),
        ("/namespaces", {"namespace": ["a", "b"], "properties": {"k": "v"}}),
        ("/namespaces/shop/properties", {"updates": {"k": "v"}, "removals": ["x"]}),
        ("/namespaces/shop/register", {"name": "r", "metadata-location": metadata["location"], "overwrite": False}),
        ("/tables/rename", {"source": identifier, "destination": identifier | {"name": "other"}}),
    ]


@pytest.mark.limit(300)
@pytest.mark.parametrize("version", ["2", "3"])
def test_nothing_in_a_request_breaks_server_or_table(server, version):
    rest = Rest(server)
    rest.create_namespace("shop")
    rest.create_table(TABLE, properties={"format-version": version})
    rest.create_table("shop.spare")
    chance = random.Random(int(os.environ.get("FIRN_SEED", "1")))
    seen = {}

    def ingest():
        answer = rest.client.records(TABLE, ndjson([{"id": 1}]))
        # A request may have added a column that every record must have.
        assert answer.status == 200 or answer.json["code"] == "all_records_rejected", answer.text

    ingest()
    for number in range(REQUESTS):
        if number % 25 == 0:
            metadata = rest.load(TABLE)["metadata"]
        route, body = chance.choice(requests_of(metadata))
        body = mutated(body, chance)
        answer = rest.call("POST", route, body)
        seen[answer.status] = seen.get(answer.status, 0) + 1
        assert answer.status < 500, f"request {number}: {answer.text[:500]}\n{route} {body}"
        if answer.status == 200 and number % 10 == 0:
            ingest()
    server.assert_alive()
    assert seen.get(400, 0) > REQUESTS / 4 and seen.get(200, 0) > 5, seen
    rest.load(TABLE)
    server.restart_after_kill()
    loaded = rest.load(TABLE)["metadata"]
    assert loaded["last-sequence-number"] < 1 << 62
    ingest()
    rest.load(TABLE)
