"""G2 while the schema grows under load: columns come, types widen, and kills fall in between."""

import json

import pytest

from support import chaos
from support.account import Account
from support.client import Client
from support.readers import read_duckdb, read_pyiceberg, sql_catalog
from support.records import COLUMNS, SCHEMA, rows_in, rows_of, wire
from support.senders import HttpxTransport, KeySender, Names, RequestsTransport, SequenceSender

TABLE = "grow.events"
ENGINES = {"pyiceberg": read_pyiceberg, "duckdb": read_duckdb}
KILLS = max(6, chaos.KILLS // 5)
EXTRA = tuple(f"extra{k}" for k in range(6))


def grown(row: dict) -> dict:
    """The row with what records carry from its batch on: a new column every few batches, wider numbers later."""
    row = dict(row)
    step = row["batch"] // 4
    for k, name in enumerate(EXTRA):
        if k < step:
            row[name] = f"{name} of {row['id']}" if k % 2 else {"inner": row["batch"], "text": row["id"]}
    if step > 3:
        row["n"] = (1 << 40) + row["n"]
    return row


class GrowingSender:
    def make(self, number: int):
        rows = [grown(row) for row in rows_of(self.name, number, self.random.randint(1, 10))]
        body = b"".join(json.dumps(wire(row)).encode() + b"\n" for row in rows)
        return rows, body


class KeyGrowingSender(GrowingSender, KeySender):
    pass


class SequenceGrowingSender(GrowingSender, SequenceSender):
    pass


@pytest.mark.limit(240 + 4 * KILLS)
def test_a_schema_grows_under_load_and_kills(make_server, warehouse):
    server = make_server(warehouse, flush_interval_ms=120).start()
    client = Client(server, timeout=60)
    properties = {"firn.schema.policy": "additive", "firn.compaction.min-input-files": "3"}
    client.create_table(TABLE, SCHEMA, properties=properties)
    account, names = Account((*COLUMNS, *EXTRA)), Names(TABLE)
    senders = [
        KeyGrowingSender("keys", server, names, account, RequestsTransport(), chaos.SEED),
        SequenceGrowingSender("sequences", server, names, account, HttpxTransport(), chaos.SEED),
        KeyGrowingSender("more", server, names, account, HttpxTransport(), chaos.SEED),
    ]
    killer = chaos.Killer(server, chaos.SEED, KILLS)
    killer.run_beside(senders)
    for sender in senders:
        while sender.number < 40:
            sender.turn()
    server.restart_after_kill()
    for sender in senders:
        for batch in sender.history[:60]:
            sender.repeat(batch)
    client.flush(TABLE)
    for engine, read in ENGINES.items():
        account.check(rows_in(read(warehouse, TABLE)), engine)
    table = sql_catalog(warehouse).load_table(TABLE)
    assert {field.name for field in table.schema().fields} == {*COLUMNS, *EXTRA}
    assert str(table.schema().find_field("n").field_type) == "long"
    # Every snapshot reads under the schema of its time, and the schemas say what they added, once each.
    for snapshot in table.metadata.snapshots:
        assert table.scan(snapshot_id=snapshot.snapshot_id).to_arrow().num_rows == int(
            snapshot.summary["total-records"]
        )
    ids = [field.field_id for field in table.schema().fields]
    assert len(ids) == len(set(ids))
    print(f"\n{killer.kills} kills, {account.promised} rows, {len(table.schemas())} schemas")
