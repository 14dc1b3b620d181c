"""PyIceberg through the REST catalog: every call of a catalog and of a table, beside a server that ingests."""

import datetime

import pyarrow as pa
import pytest
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NamespaceNotEmptyError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.expressions import EqualTo, GreaterThan
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.transforms import DayTransform, IdentityTransform
from pyiceberg.types import DoubleType, LongType, NestedField, StringType, StructType, TimestamptzType

from support.client import Client, ndjson
from support.readers import READERS
from support.rest import pyiceberg_catalog

SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=False),
    NestedField(2, "name", StringType(), required=False),
    NestedField(3, "ts", TimestamptzType(), required=False),
)
ARROW = pa.schema([("id", pa.int64()), ("name", pa.string()), ("ts", pa.timestamp("us", tz="UTC"))])
TABLE = "shop.orders"


def rows(*ids, name="n", day=1) -> pa.Table:
    ts = datetime.datetime(2026, 1, day, tzinfo=datetime.timezone.utc)
    return pa.Table.from_pylist([{"id": n, "name": name, "ts": ts} for n in ids], schema=ARROW)


def ids(table) -> list:
    return sorted(table.scan().to_arrow()["id"].to_pylist())


@pytest.fixture
def catalog(server):
    catalog = pyiceberg_catalog(server)
    catalog.create_namespace("shop")
    return catalog


@pytest.fixture
def table(catalog):
    return catalog.create_table(TABLE, SCHEMA)


def test_namespaces(catalog):
    catalog.create_namespace(("a", "b"), {"owner": "me"})
    assert sorted(catalog.list_namespaces()) == [("a",), ("shop",)]
    assert catalog.list_namespaces("a") == [("a", "b")]
    assert catalog.load_namespace_properties(("a", "b")) == {"owner": "me"}
    changed = catalog.update_namespace_properties(("a", "b"), removals={"owner", "x"}, updates={"k": "v"})
    assert (changed.updated, changed.removed, changed.missing) == (["k"], ["owner"], ["x"])
    assert catalog.namespace_exists(("a", "b")) and not catalog.namespace_exists("none")
    with pytest.raises(NamespaceAlreadyExistsError):
        catalog.create_namespace(("a", "b"))
    catalog.create_namespace_if_not_exists(("a", "b"))
    with pytest.raises(NamespaceNotEmptyError):
        catalog.drop_namespace("a")
    catalog.drop_namespace(("a", "b"))
    with pytest.raises(NoSuchNamespaceError):
        catalog.load_namespace_properties(("a", "b"))
    with pytest.raises(NoSuchNamespaceError):
        catalog.list_tables("none")


def test_tables(catalog, table, warehouse):
    assert catalog.list_tables("shop") == [("shop", "orders")]
    assert catalog.table_exists(TABLE) and not catalog.table_exists("shop.none")
    with pytest.raises(TableAlreadyExistsError):
        catalog.create_table(TABLE, SCHEMA)
    with pytest.raises(NoSuchTableError):
        catalog.load_table("shop.none")
    with pytest.raises(NoSuchNamespaceError):
        catalog.create_table("none.t", SCHEMA)
    spec = PartitionSpec(
        PartitionField(3, 1000, DayTransform(), "day"), PartitionField(2, 1001, IdentityTransform(), "name")
    )
    order = SortOrder(SortField(1, IdentityTransform()))
    made = catalog.create_table("shop.full", SCHEMA, partition_spec=spec, sort_order=order, properties={"a": "b"},
                                location=f"file://{warehouse}/own/place")  # fmt: skip
    assert made.location() == f"file://{warehouse}/own/place"
    assert [f.name for f in made.spec().fields] == ["day", "name"] and made.sort_order().fields[0].source_id == 1
    assert made.properties["a"] == "b"
    catalog.rename_table("shop.full", "shop.moved")
    moved = catalog.load_table("shop.moved")
    moved.append(rows(1, 2, 3))
    catalog.drop_table("shop.moved")
    assert not catalog.table_exists("shop.moved")
    back = catalog.register_table("shop.back", moved.metadata_location)
    assert ids(back) == [1, 2, 3]
    catalog.purge_table("shop.back")
    assert not catalog.table_exists("shop.back")
    assert not list((warehouse / "own").rglob("*.parquet"))
    with catalog.create_table_transaction("shop.staged", SCHEMA) as staged:
        staged.append(rows(7))
    assert ids(catalog.load_table("shop.staged")) == [7]


def test_rows(catalog, table, warehouse):
    table.append(rows(1, 2, 3))
    table.append(rows(4, 5))
    table.overwrite(rows(6), overwrite_filter=EqualTo("id", 5))
    assert ids(table) == [1, 2, 3, 4, 6]
    table.delete(GreaterThan("id", 3))
    assert ids(table) == [1, 2, 3]
    done = table.upsert(pa.concat_tables([rows(3, name="new"), rows(9)]), join_cols=["id"])
    assert (done.rows_updated, done.rows_inserted) == (1, 1)
    expected = table.scan().to_arrow().sort_by("id").to_pylist()
    assert [(r["id"], r["name"]) for r in expected] == [(1, "n"), (2, "n"), (3, "new"), (9, "n")]
    for engine, read in READERS.items():
        assert read(warehouse, TABLE).sort_by("id").select(["id", "name"]).to_pylist() == [
            {"id": r["id"], "name": r["name"]} for r in expected
        ], engine  # fmt: skip
    assert ids(catalog.load_table(TABLE)) == [1, 2, 3, 9]


def test_schema_spec_order_and_properties(catalog, table):
    table.append(rows(1))
    with table.update_schema() as change:
        change.add_column("price", DoubleType())
        change.add_column("at", StructType(NestedField(10, "x", LongType(), required=False)))
        change.rename_column("name", "title")
        change.move_first("name")
    with table.update_spec() as change:
        change.add_field("ts", DayTransform(), "day")
    with table.transaction() as both:
        both.set_properties({"a": "b", "c": "d"})
        both.remove_properties("write.metadata.previous-versions-max")
    with table.update_sort_order() as change:
        change.asc("id", IdentityTransform())
    fresh = catalog.load_table(TABLE)
    assert [f.name for f in fresh.schema().fields] == ["title", "id", "ts", "price", "at"]
    assert [f.name for f in fresh.spec().fields] == ["day"]
    assert fresh.properties["c"] == "d" and "write.metadata.previous-versions-max" not in fresh.properties
    row = {"id": 2, "title": "t", "price": 1.5, "at": {"x": 1}}
    fresh.append(pa.Table.from_pylist([row], schema=fresh.schema().as_arrow()))
    found = fresh.scan().to_arrow().sort_by("id").to_pylist()
    assert [(r["id"], r["title"], r["price"]) for r in found] == [(1, "n", None), (2, "t", 1.5)]


def test_branches_tags_rollback_and_expiry(catalog, table):
    for n in range(5):
        table.append(rows(n))
    snapshots = [s.snapshot_id for s in table.snapshots()]
    table.manage_snapshots().create_tag(snapshots[1], "second").create_branch(snapshots[2], "side").commit()
    table.append(rows(100), branch="side")
    assert sorted(table.scan().use_ref("side").to_arrow()["id"].to_pylist()) == [0, 1, 2, 100]
    assert sorted(table.scan().use_ref("second").to_arrow()["id"].to_pylist()) == [0, 1]
    table.manage_snapshots().rollback_to_snapshot(snapshots[3]).commit()
    assert ids(catalog.load_table(TABLE)) == [0, 1, 2, 3]
    table.refresh()
    table.maintenance.expire_snapshots().by_id(snapshots[0]).commit()
    assert snapshots[0] not in [s.snapshot_id for s in catalog.load_table(TABLE).snapshots()]
    table.manage_snapshots().remove_tag("second").remove_branch("side").commit()
    assert set(catalog.load_table(TABLE).metadata.refs) == {"main"}


def test_one_transaction_makes_several_snapshots(catalog, table):
    table.append(rows(1, 2))
    with table.transaction() as both:
        both.append(rows(3))
        both.delete(EqualTo("id", 1))
        both.set_properties({"a": "b"})
    fresh = catalog.load_table(TABLE)
    assert ids(fresh) == [2, 3] and fresh.properties["a"] == "b"


def test_a_writer_with_an_old_table_is_told_so(server, catalog, table):
    table.append(rows(1))
    stale = catalog.load_table(TABLE)
    table.append(rows(2))
    with pytest.raises(CommitFailedException):
        stale._do_commit(  # The client's own retry would hide the answer.
            updates=(), requirements=tuple(requirement(stale)),
        )  # fmt: skip


def requirement(table):
    from pyiceberg.table.update import AssertRefSnapshotId

    yield AssertRefSnapshotId(ref="main", snapshot_id=table.current_snapshot().snapshot_id)


@pytest.mark.parametrize("change", ["append", "overwrite", "delete", "rollback", "replace", "expire", "evolve"])
@pytest.mark.parametrize("crash", [False, True])
def test_ingestion_goes_on_exactly_once_after_a_foreign_commit(make_server, warehouse, change, crash):
    """G2: the log position is the catalog's, whatever a client makes of the snapshots."""
    server = make_server(warehouse, flush_interval_ms=600_000).start()
    client, catalog = Client(server), pyiceberg_catalog(server)
    catalog.create_namespace("shop")
    table = catalog.create_table(TABLE, SCHEMA)

    def send(*numbers):
        for number in numbers:
            record = ndjson([{"id": number}])
            client.records(TABLE, record, headers={"Idempotency-Key": f"k{number}"}, retry=True).ok()

    send(1, 2)
    client.flush(TABLE)
    send(3)
    client.flush(TABLE)
    table = catalog.load_table(TABLE)
    send(4)  # Acknowledged, and not in a snapshot while the other commits.
    fresh = {"Firn-Max-Staleness-Ms": "60000"}
    catalog._session.headers.update(fresh)
    table.refresh()
    assert ids(table) == [1, 2, 3]
    if change == "append":
        table.append(rows(50))
        expected = [1, 2, 3, 4, 50]
    elif change == "overwrite":
        table.overwrite(rows(50))
        expected = [4, 50]
    elif change == "delete":
        table.delete(EqualTo("id", 2))
        expected = [1, 3, 4]
    elif change == "rollback":
        table.manage_snapshots().rollback_to_snapshot(table.snapshots()[0].snapshot_id).commit()
        expected = [1, 2, 4]
    elif change == "replace":
        with table.transaction() as both:
            both.delete("true")
        with table.update_schema() as schema:
            schema.delete_column("ts")
            schema.add_column("price", DoubleType())
        expected = [4]
    elif change == "expire":
        table.append(rows(50))
        table.maintenance.expire_snapshots().by_ids([s.snapshot_id for s in table.snapshots()[:-1]]).commit()
        expected = [1, 2, 3, 4, 50]
    else:
        with table.update_schema() as schema:
            schema.rename_column("name", "title")
            schema.add_column("price", DoubleType())
        expected = [1, 2, 3, 4]
    if crash:
        server.restart_after_kill()
        client, catalog = Client(server), pyiceberg_catalog(server)
    send(1, 2, 3, 4)  # All known.
    catalog._session.headers.pop("Firn-Max-Staleness-Ms", None)
    assert ids(catalog.load_table(TABLE)) == sorted(expected)
    send(5)
    assert ids(catalog.load_table(TABLE)) == sorted(expected + [5])
