"""G4: every type of the JSON path, nested, with nulls at every level, and partitioned tables, in three engines."""

import base64
import datetime
import json
import random
import uuid
from decimal import Decimal

import polars
import pytest

from support.readers import (
    READERS,
    MapOf,
    assert_same_records,
    duckdb_connection,
    metadata_location,
    sql_catalog,
)

UTC = datetime.timezone.utc
TABLE = "app.types"

# name -> (Iceberg type, [(JSON value, value in the table)])
PRIMITIVES = {
    "boolean": ("boolean", [(True, True), (False, False)]),
    "int": ("int", [(0, 0), (-(2**31), -(2**31)), (2**31 - 1, 2**31 - 1)]),
    "long": ("long", [(0, 0), (-(2**63), -(2**63)), (2**63 - 1, 2**63 - 1), (2**53 + 1, 2**53 + 1)]),
    "float": ("float", [(0.5, 0.5), (-0.0, -0.0), (16777216, 16777216.0), (3.4028234663852886e38,) * 2]),
    "double": ("double", [(0.1, 0.1), (-1e-300, -1e-300), (5e-324, 5e-324), (1.7976931348623157e308,) * 2]),
    "money": (
        "decimal(9,2)",
        [(12.34, Decimal("12.34")), ("-9999999.99", Decimal("-9999999.99")), (7, Decimal("7.00"))],
    ),
    "medium": ("decimal(18,4)", [("12345678901234.5678", Decimal("12345678901234.5678"))]),
    "wide": ("decimal(38,10)", [("-1234567890123456789012345678.0123456789",
                                 Decimal("-1234567890123456789012345678.0123456789"))]),
    "date": (
        "date",
        [("2026-11-21", datetime.date(2026, 11, 21)), ("1969-12-31", datetime.date(1969, 12, 31)),
         ("2000-02-29", datetime.date(2000, 2, 29))],
    ),
    "time": (
        "time",
        [("00:00:00", datetime.time()), ("23:59:59.999999", datetime.time(23, 59, 59, 999999))],
    ),
    "timestamp": (
        "timestamp",
        [("2026-11-21T12:34:56.789012", datetime.datetime(2026, 11, 21, 12, 34, 56, 789012)),
         ("1969-12-31T23:59:59", datetime.datetime(1969, 12, 31, 23, 59, 59))],
    ),
    "timestamptz": (
        "timestamptz",
        [("2026-11-21T12:34:56.789012Z", datetime.datetime(2026, 11, 21, 12, 34, 56, 789012, UTC)),
         ("2026-11-21T12:34:56+05:30", datetime.datetime(2026, 11, 21, 7, 4, 56, 0, UTC))],
    ),
    "string": ("string", [("", ""), ("søren \U0001f9ca", "søren \U0001f9ca"), ("x" * 5000, "x" * 5000)]),
    "uuid": ("uuid", [("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", uuid.UUID("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"))]),
    "binary": ("binary", [(base64.b64encode(b"\0\xff\x80 raw").decode(), b"\0\xff\x80 raw"), ("", b"")]),
}  # fmt: skip


def build_rows() -> tuple[str, list[dict], list[dict]]:
    """The short schema, the JSON records and the rows they stand for."""
    columns = ["id long required"]
    for name, (kind, _) in PRIMITIVES.items():
        columns += [
            f"p_{name} {kind}", f"s_{name} struct<v {kind}, deep struct<v {kind}>>", f"l_{name} list<{kind}>",
            f"m_{name} map<string, {kind}>", f"n_{name} list<struct<v {kind}, l list<{kind}>>>",
        ]  # fmt: skip
    dice = random.Random(7)
    records, rows = [], []
    for number in range(40):
        record, row = {"id": number}, {"id": number}
        for name, (_, values) in PRIMITIVES.items():
            for prefix, (coded, value) in shapes(values, number, dice).items():
                if coded is not None or dice.random() < 0.5:
                    record[prefix + name] = coded  # A null is spelled out or left out: the same thing.
                row[prefix + name] = value
        records.append(record)
        rows.append(row)
    return ", ".join(columns), records, rows


def shapes(values, number, dice):
    """(JSON, value) of each nesting; nulls at each level turn up in different rows."""

    def one(null_share=0.25):
        return (None, None) if dice.random() < null_share else dice.choice(values)

    def some():
        picked = [one() for _ in range(dice.choice([0, 0, 1, 2, 5]))]
        return [coded for coded, _ in picked], [value for _, value in picked]

    def nullable(pair):
        return (None, None) if dice.random() < 0.2 else pair

    plain = values[number % len(values)] if number < 2 * len(values) else one()
    outer, inner = one(), one()
    deep = nullable(({"v": inner[0]}, {"v": inner[1]}))
    structure = nullable(({"v": outer[0], "deep": deep[0]}, {"v": outer[1], "deep": deep[1]}))
    entries = {f"k{n}": one() for n in range(dice.choice([0, 1, 3]))}
    mapping = nullable(({k: v[0] for k, v in entries.items()}, MapOf({k: v[1] for k, v in entries.items()})))
    nested = []
    for _ in range(dice.choice([0, 1, 3])):
        value, items = one(), nullable(some())
        nested.append(nullable(({"v": value[0], "l": items[0]}, {"v": value[1], "l": items[1]})))
    nested = nullable(([coded for coded, _ in nested], [value for _, value in nested]))
    return {"p_": plain, "s_": structure, "l_": nullable(some()), "m_": mapping, "n_": nested}


# PyIceberg 0.12 rebuilds a list of structs from its offsets alone while reading (ArrowProjectionVisitor.list), so that
# a null list comes out empty. Files and the other engines have the null.
READS_NULL_LISTS_OF_STRUCTS_AS_EMPTY = {"pyiceberg"}


def as_read_by(engine: str, rows: list[dict]) -> list[dict]:
    if engine not in READS_NULL_LISTS_OF_STRUCTS_AS_EMPTY:
        return rows
    return [{k: [] if v is None and k.startswith("n_") else v for k, v in row.items()} for row in rows]


def as_ndjson(records) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def test_every_type_at_every_level(client, warehouse):
    schema, records, rows = build_rows()
    client.create_table(TABLE, schema)
    # Two commits: nulls meet values within and across files.
    for part in (records[:25], records[25:]):
        answer = client.records(TABLE, as_ndjson(part), headers={"Prefer": "wait=committed"}).ok()
        assert answer.json["rejected"] == [] and answer.json["accepted"] == len(part)
    for engine, read in READERS.items():
        assert_same_records(read(warehouse, TABLE), as_read_by(engine, rows), "id", engine)
    client.compact(TABLE)
    assert len(client.files(TABLE)) == 1
    for engine, read in READERS.items():
        assert_same_records(read(warehouse, TABLE), as_read_by(engine, rows), "id", f"{engine} after compaction")


def test_schema_as_iceberg_json(client, warehouse):
    """The same table from Iceberg's own schema JSON; ids are assigned by the table, whatever the request says."""
    schema = {
        "type": "struct",
        "fields": [
            {"id": 90, "name": "id", "required": True, "type": "long"},
            {"id": 91, "name": "price", "required": False, "type": "decimal(10, 2)", "doc": "in euro"},
            {"id": 92, "name": "tags", "required": False,
             "type": {"type": "list", "element-id": 93, "element": "string", "element-required": False}},
        ],
    }  # fmt: skip
    client.create_table("app.by_json", schema)
    table = sql_catalog(warehouse).load_table("app.by_json")
    assert [(f.field_id, f.name, str(f.field_type), f.required) for f in table.schema().fields] == [
        (1, "id", "long", True), (2, "price", "decimal(10, 2)", False), (3, "tags", "list<string>", False),
    ]  # fmt: skip
    assert table.schema().find_field("price").doc == "in euro"
    assert table.schema().find_field("tags.element").field_id == 4
    assert table.format_version == 2
    body = b'{"id":1,"price":"1.5","tags":["a",null]}\n'
    client.records("app.by_json", body, headers={"Prefer": "wait=committed"}).ok()
    row = {"id": 1, "price": Decimal("1.50"), "tags": ["a", None]}
    for engine, read in READERS.items():
        assert_same_records(read(warehouse, "app.by_json"), [row], "id", engine)


def test_a_table_without_rows(client, warehouse):
    client.create_table(TABLE, "id long, name string")
    for engine, read in READERS.items():
        found = read(warehouse, TABLE)
        assert found.num_rows == 0 and found.column_names == ["id", "name"], engine


def partition_rows() -> list[dict]:
    dice = random.Random(11)
    start = datetime.datetime(1969, 12, 31, 22, tzinfo=UTC)  # Both sides of the epoch: floor, not truncation.
    places = ["se", "no", "fi", None, "a/b c=d%20?#", ""]
    return [
        {
            "id": n,
            "at": None if n % 17 == 0 else start + datetime.timedelta(minutes=dice.randint(0, 5 * 60)),
            "place": dice.choice(places),
            "day": None if n % 13 == 0 else datetime.date(2026, 3, 28 + n % 3),
        }
        for n in range(120)
    ]


def hour_of(row):
    return row["at"] and row["at"].replace(minute=0)


def day_of(row):
    return row["at"] and row["at"].date()


@pytest.mark.parametrize(
    "partition, key",
    [
        ("place", lambda row: row["place"]),
        ("day(at)", day_of),
        ("hour(at)", hour_of),
        ("day(at), place", lambda row: (day_of(row), row["place"])),
        ("day, hour(at)", lambda row: (row["day"], hour_of(row))),
    ],
    ids=["identity", "day", "hour", "day-identity", "identity-hour"],
)
def test_partitioned_tables(client, warehouse, partition, key):
    rows = partition_rows()
    client.create_table(TABLE, "id long required, at timestamptz, place string, day date", partition=partition)
    coded = as_ndjson({k: v if v is None or isinstance(v, (int, str)) else v.isoformat() for k, v in row.items()}
                      for row in rows)  # fmt: skip
    answer = client.records(TABLE, coded, headers={"Prefer": "wait=committed"}).ok()
    assert answer.json["accepted"] == len(rows), answer.text
    for engine, read in READERS.items():
        assert_same_records(read(warehouse, TABLE), rows, "id", engine)

    table = sql_catalog(warehouse).load_table(TABLE)
    files = [task.file for task in table.scan().plan_files()]
    distinct = {tuple(file.partition[i] for i in range(len(table.spec().fields))) for file in files}
    assert len(distinct) == len(files), "a partition has more than one file from one commit"
    assert len(distinct) == len({key(row) for row in rows})
    # Filters prune by partition and by bounds; what is left must still be right.
    expected = sorted(row["id"] for row in rows if row["place"] == "no")
    found = table.scan(row_filter="place == 'no'").to_arrow().column("id").to_pylist()
    assert sorted(found) == expected
    late = datetime.datetime(1970, 1, 1, 1, 30, tzinfo=UTC)
    expected = sorted(row["id"] for row in rows if row["at"] and row["at"] >= late)
    found = table.scan(row_filter=f"at >= '{late.isoformat()}'").to_arrow().column("id").to_pylist()
    assert sorted(found) == expected
    location = metadata_location(warehouse, TABLE)
    with duckdb_connection() as duck:
        late_rows = f"""FROM iceberg_scan('{location}') WHERE "at" >= TIMESTAMPTZ '1970-01-01 01:30:00Z'"""
        assert [row[0] for row in duck.execute(f"SELECT id {late_rows} ORDER BY id").fetchall()] == expected
    lazy = polars.scan_iceberg(location).filter(polars.col("at") >= late).select("id").collect()
    assert sorted(lazy["id"].to_list()) == expected


def test_column_metrics_are_true(client, warehouse):
    """Bounds and counts in the manifest, as PyIceberg inspects them; readers answer counts from them."""
    client.create_table(TABLE, "id long required, ratio double, name string, at timestamptz, tags list<string>")
    records = [{"id": n, "ratio": n / 4 - 3, "name": None if n % 5 else f"name-{n:04}-" + "z" * 40,
                "at": f"2026-01-01T00:{n % 60:02}:00Z", "tags": ["t"] * (n % 3)} for n in range(1000)]  # fmt: skip
    client.records(TABLE, as_ndjson(records), headers={"Prefer": "wait=committed"}).ok()
    (file,) = sql_catalog(warehouse).load_table(TABLE).inspect.files().to_pylist()
    assert file["record_count"] == 1000
    metrics = file["readable_metrics"]
    assert (metrics["id"]["lower_bound"], metrics["id"]["upper_bound"]) == (0, 999)
    assert (metrics["ratio"]["lower_bound"], metrics["ratio"]["upper_bound"]) == (-3.0, 999 / 4 - 3)
    assert metrics["name"]["null_value_count"] == 800
    assert metrics["name"]["lower_bound"] == "name-0000-zzzzzz"  # Truncated to 16 characters,
    assert metrics["name"]["upper_bound"] == "name-0995-zzzzz{"  # and rounded up.
    assert metrics["at"]["lower_bound"] == datetime.datetime(2026, 1, 1, tzinfo=UTC)
