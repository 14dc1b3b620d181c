"""Schemas that grow with the stream, proposals that wait, and event time, through a running server."""

import json

from support.cli import firn
from support.client import Client, Producer, ndjson, table_path
from support.readers import READERS, assert_same_records, sql_catalog

TABLE = "grow.events"
POLICY = "firn.schema.policy"


def fields(warehouse) -> list[str]:
    return [f"{f.name} {f.field_type}" for f in sql_catalog(warehouse).load_table(TABLE).schema().fields]


def test_additive_grows_with_the_stream(client: Client, server, warehouse):
    client.create_table(TABLE, "id long required, n int, s struct<a int>", properties={POLICY: "additive"})
    client.records(TABLE, ndjson([{"id": 1, "n": 1}])).ok()
    answer = client.records(
        TABLE,
        ndjson([
            {"id": 2, "n": 3_000_000_000}, {"id": 3, "s": {"a": 1, "b": "x"}}, {"id": 4, "n": "bad", "no": 1},
            {"id": 5},
        ]),
    ).ok()
    assert answer.json["accepted"] == 3
    assert [item["line"] for item in answer.json["rejected"]] == [3]
    client.records(TABLE, ndjson([{"id": 6, "n": 7, "new": 2.5}])).ok()
    server.restart_after_kill()
    client.flush(TABLE)
    struct = "s struct<4: a: optional int, 5: b: optional string>"
    assert fields(warehouse) == ["id long", "n long", struct, "new double"]
    empty = {"n": None, "s": None, "new": None}
    expected = [
        empty | {"id": 1, "n": 1}, empty | {"id": 2, "n": 3_000_000_000}, empty | {"id": 3, "s": {"a": 1, "b": "x"}},
        empty | {"id": 5}, empty | {"id": 6, "n": 7, "new": 2.5},
    ]  # fmt: skip
    for name, read in READERS.items():
        assert_same_records(read(warehouse, TABLE), expected, "id", name)


def test_propose_waits_for_approval(client: Client, warehouse):
    client.create_table(TABLE, "id long required", properties={POLICY: "propose"})
    for number in range(3):
        answer = client.records(TABLE, ndjson([{"id": number}, {"id": 10 + number, "x": number}])).ok()
        assert answer.json["accepted"] == 1 and len(answer.json["rejected"]) == 1
    (proposal,) = firn("schema", "proposals", TABLE, warehouse=warehouse).rows()
    assert (proposal["description"], proposal["records"]) == ("add column x long", 3)
    assert json.loads(proposal["sample"]) == {"id": 10, "x": 0}
    client.once("POST", f"{table_path(TABLE)}/schema/proposals/{proposal['id']}/approve").ok()
    assert client.records(TABLE, ndjson([{"id": 20, "x": 5}])).ok().json["accepted"] == 1
    client.flush(TABLE)
    expected = [{"id": n, "x": None} for n in range(3)] + [{"id": 20, "x": 5}]
    for name, read in READERS.items():
        assert_same_records(read(warehouse, TABLE), expected, "id", name)


def test_late_records_are_marked(client: Client, server, warehouse):
    properties = {
        "firn.event-time.column": "ts", "firn.event-time.allowed-lateness-ms": "10000",
        "firn.event-time.late": "mark", "firn.event-time.mark-column": "late",
    }  # fmt: skip
    client.create_table(TABLE, "id long required, ts timestamptz, late boolean", properties=properties)
    producer = Producer(client, TABLE, "p")
    for number, second in [(1, 20), (2, 50), (3, 39), (4, 40), (5, 45)]:
        producer.send(ndjson([{"id": number, "ts": f"2026-01-02T03:04:{second}Z"}]))
    server.restart_after_kill()
    producer.send(ndjson([{"id": 6, "ts": "2026-01-02T03:04:30Z"}, {"id": 7, "ts": None}]))
    client.flush(TABLE)
    table = READERS["pyiceberg"](warehouse, TABLE)
    late = {row["id"]: row["late"] for row in table.to_pylist()}
    assert late == {1: False, 2: False, 3: True, 4: False, 5: False, 6: True, 7: False}
    summary = sql_catalog(warehouse).load_table(TABLE).current_snapshot().summary
    assert summary["firn.watermark-time"] == "2026-01-02T03:04:50Z"
    assert json.loads(summary["firn.producers"])["p"]["event-micros"] == int(summary["firn.watermark"])
