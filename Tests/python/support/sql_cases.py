"""Tables with every kind of delete and every change of schema and partitioning, some of it by other writers."""

import datetime
import json
from pathlib import Path

import pyarrow as pa
from pyiceberg.expressions import EqualTo

from support.cli import firn
from support.forge import Forge
from support.readers import metadata_location, sql_catalog

SCHEMA = (
    "id long required, n int, kind string, v double, f float, price decimal(7,2), day date, ts timestamptz,"
    " device struct<os string, v int>"
)
COLUMNS = "id n kind v f price day ts device".split()
START = datetime.datetime(2026, 1, 1)


def record(number: int) -> dict:
    moment = START + datetime.timedelta(hours=7 * number)
    return {
        "id": number, "n": None if number % 6 == 5 else number % 17 - 4, "kind": ["a", "b", None, "c c"][number % 4],
        "v": None if number % 5 == 0 else number / 4, "f": number / 8,
        "price": None if number % 7 == 6 else f"{number}.25",
        "day": None if number % 9 == 8 else str(moment.date()), "ts": moment.isoformat() + "Z",
        "device": None if number % 11 == 10 else {"os": ["linux", None, "mac"][number % 3], "v": number % 4},
    }  # fmt: skip


class Made:
    """A table in the making."""

    def __init__(self, warehouse: Path, name: str):
        self.warehouse = warehouse
        self.table = f"p.{name}"
        # The rows where PyIceberg cannot read the table.
        self.rows: pa.Table | None = None
        # Why it could not be made.
        self.error: Exception | None = None

    def whole(self) -> "Made":
        if self.error:
            raise self.error
        return self

    def run(self, *words, stdin=None):
        return firn(*words, warehouse=self.warehouse, stdin=stdin).ok()

    def create(self, *options: str, schema: str = SCHEMA) -> "Made":
        self.run("table", "create", self.table, schema, *options)
        return self

    def insert(self, numbers, only: str = " ".join(COLUMNS), **more) -> "Made":
        """Records with some of the columns, and with other values in some."""
        rows = [{k: v for k, v in record(number).items() if k in only.split()} for number in numbers]
        return self.insert_rows([row | {k: make(row["id"]) for k, make in more.items()} for row in rows])

    def insert_rows(self, rows: list[dict]) -> "Made":
        self.run("ingest", self.table, "-", stdin="".join(json.dumps(row) + "\n" for row in rows))
        return self

    def three(self, *options: str, schema: str = SCHEMA) -> "Made":
        self.create(*options, schema=schema)
        return self.insert(range(30)).insert(range(30, 60)).insert(range(60, 90))

    def delete(self, condition: str) -> "Made":
        self.run("delete", self.table, "--where", condition)
        return self

    def upsert(self, rows: list[dict]) -> "Made":
        self.run("upsert", self.table, "-", stdin="".join(json.dumps(row) + "\n" for row in rows))
        return self

    def change(self, *words: str) -> "Made":
        self.run("schema", words[0], self.table, *words[1:])
        return self

    def layout(self, *words: str) -> "Made":
        self.run("table", "partition", self.table, *words)
        return self

    def compact(self) -> "Made":
        self.run("compact", self.table)
        return self

    @property
    def foreign(self):
        return sql_catalog(self.warehouse).load_table(self.table)

    def forged(self, make_deletes) -> "Made":
        """Delete files of another writer, made by a function of the forge."""
        forge = Forge(metadata_location(self.warehouse, self.table))
        forge = forge.commit(make_deletes(forge))
        self.run("table", "drop", self.table, "--keep-files")
        self.run("table", "register", self.table, forge.location)
        return self


MARK = ("--property", "write.delete.mode=merge-on-read", "--property", "write.merge.mode=merge-on-read")
COPY = ("--property", "write.delete.mode=copy-on-write", "--property", "write.merge.mode=copy-on-write")
V3 = ("--property", "format-version=3")


def key_table(rows: list[dict], **fields: tuple[pa.DataType, int]) -> pa.Table:
    schema = [pa.field(n, kind, metadata={"PARQUET:field_id": str(i)}) for n, (kind, i) in fields.items()]
    return pa.Table.from_pylist(rows, schema=pa.schema(schema))


# Deletes


def position_deletes(t: Made):
    t.three(*MARK).delete("id % 7 = 0").delete("kind = 'b' AND n > 3")


def position_deletes_by_file(t: Made):
    t.three(*MARK, "--property", "write.delete.granularity=file", "--partition", "kind").delete("id % 7 = 0 OR v > 20")


def position_deletes_of_extremes(t: Made):
    """Bounds of the files are no longer those of the rows."""
    t.three(*MARK).delete("n IN (SELECT max(n) FROM p.position_deletes_of_extremes)").delete(
        "id IN (0, 29, 30, 59, 60, 89)"
    )


def deletion_vectors(t: Made):
    t.three(*V3, *MARK).delete("id % 7 = 0").delete("id % 5 = 1")


def deletion_vectors_in_partitions(t: Made):
    t.three(*V3, *MARK, "--partition", "day(ts), kind").delete("id % 3 = 0 OR kind IS NULL")


def copy_on_write(t: Made):
    t.three(*COPY).delete("id % 7 = 0").delete("day > '2026-01-20'")


def copy_on_write_of_version_three(t: Made):
    t.three(*V3, *COPY, "--partition", "bucket(3, id)").delete("id % 7 = 0 OR n IS NULL")


def whole_files(t: Made):
    t.three("--partition", "kind").delete("kind = 'a'").delete("kind IS NULL")


def upserts(t: Made):
    t.three(*MARK, "--identifier", "id").upsert([record(i) | {"n": 99, "kind": None} for i in range(20, 100, 3)])


def upserts_of_version_three(t: Made):
    t.three(*V3, *MARK, "--identifier", "id", "--partition", "kind")
    t.upsert([record(i) | {"n": -99, "kind": "new"} for i in range(20, 100, 3)]).delete("id = 21")


def deletes_of_pyiceberg(t: Made):
    t.three(*MARK).delete("id % 7 = 0")
    t.foreign.delete(EqualTo("kind", "b"))
    t.delete("id % 5 = 0")


def equality_deletes(t: Made):
    t.three()
    rows = t.foreign.scan().to_arrow().to_pylist()
    ids = key_table([{"id": i} for i in range(0, 90, 6)], id=(pa.int64(), 1))
    t.forged(lambda forge: [forge.equality_file(ids, [1], "eq.parquet")])
    pairs = key_table([{"kind": "a", "n": 4}, {"kind": None, "n": 6}, {"kind": "b", "n": None}],
                      kind=(pa.string(), 3), n=(pa.int32(), 2))  # fmt: skip
    t.forged(lambda forge: [forge.equality_file(pairs, [3, 2], "pairs.parquet")])
    # What comes later stays, whatever its keys.
    t.insert([0, 6, 12])
    gone = {("a", 4), (None, 6), ("b", None)}
    left = [row for row in rows if row["id"] % 6 and (row["kind"], row["n"]) not in gone]
    later = [row for row in rows if row["id"] in (0, 6, 12)]
    t.rows = pa.Table.from_pylist(left + later, schema=t.foreign.schema().as_arrow())


def equality_and_position_deletes(t: Made):
    t.three("--partition", "kind", *MARK).delete("id % 7 = 0")
    rows = t.foreign.scan().to_arrow().to_pylist()
    days = key_table([{"day": None}, {"day": datetime.date(2026, 1, 3)}], day=(pa.date32(), 7))
    t.forged(lambda forge: [forge.equality_file(days, [7], "eq.parquet", partition={"kind": "a"})])
    t.delete("id % 5 = 0")
    gone = (None, datetime.date(2026, 1, 3))
    left = [row for row in rows if row["id"] % 5 and not (row["kind"] == "a" and row["day"] in gone)]
    t.rows = pa.Table.from_pylist(left, schema=t.foreign.schema().as_arrow())


# Schemas


def added(t: Made):
    t.create().insert(range(30)).change("add", "extra", "int").insert(range(30, 60), extra=lambda i: i % 5)
    t.insert(range(60, 90), extra=lambda i: None)


def dropped(t: Made):
    t.create().insert(range(30)).change("drop", "n").change("drop", "day").insert(range(30, 60), "id kind v price")


def dropped_and_added_again(t: Made):
    """The new column of the old name has none of the old values, and another type."""
    t.create().insert(range(30)).change("drop", "n").change("add", "n", "string")
    t.insert(range(30, 60), "id kind", n=lambda i: f"n{i % 3}")


def renamed(t: Made):
    t.create("--partition", "kind").insert(range(30)).change("rename", "kind", "sort").change("rename", "n", "number")
    t.insert(range(30, 60), "id v", sort=lambda i: "abc"[i % 3], number=lambda i: i % 4)


def swapped(t: Made):
    """Two columns exchange their names."""
    t.create().insert(range(30)).change("rename", "n", "x").change("rename", "id", "n").change("rename", "x", "id")
    t.insert_rows([{"n": i, "id": i % 3, "kind": "z"} for i in range(30, 60)])


def widened(t: Made):
    t.create("--partition", "bucket(2, n), truncate(5, price)").insert(range(30)).change("widen", "n", "long")
    t.change("widen", "f", "double").change("widen", "price", "decimal(12,2)")
    t.insert(
        range(30, 60), n=lambda i: 3_000_000_000 + i % 3, f=lambda i: 1e300, price=lambda i: f"123456789{i % 3}.50"
    )


def widened_partitions(t: Made):
    """Partition values and bounds of files are those of the narrow types."""
    t.create("--partition", "n, price, day").insert(range(8)).change("widen", "n", "long").change(
        "widen", "price", "decimal(12,2)"
    )
    t.insert(range(8, 16), n=lambda i: 3_000_000_000 + i % 2, price=lambda i: f"123456789{i % 2}.50").insert(range(4))


def widened_far(t: Made):
    """A decimal that outgrows what is computed as a double."""
    t.create().insert(range(30)).change("widen", "price", "decimal(20,2)")
    t.insert(range(30, 60), price=lambda i: f"12345678901234567{i % 3}.25")


def reordered(t: Made):
    t.create().insert(range(30)).change("move", "ts", "--first").change("move", "kind", "--after", "price")
    t.insert(range(30, 60))


def nested(t: Made):
    t.create().insert(range(30)).change("add", "device.model", "string", "--first").change(
        "rename", "device.os", "system"
    )
    t.change("widen", "device.v", "long")
    t.insert(range(30, 60), "id n", device=lambda i: {"model": f"m{i % 2}", "system": None, "v": 5_000_000_000})
    t.change("drop", "device.system")


def defaults(t: Made):
    t.create(*V3).insert(range(30)).change("add", "level", "int", "--required", "--default", "3")
    t.change("add", "word", "string", "--default", "none").change("add", "cost", "decimal(6,2)", "--default", "1.50")
    t.change("add", "since", "date", "--default", "2026-01-01")
    t.insert(range(30, 60), level=lambda i: i % 5, word=lambda i: None)
    t.insert(range(60, 75)).change("default", "level", "8").insert(range(75, 80))


def defaults_beside_deletes(t: Made):
    t.create(*V3, *MARK, "--partition", "kind").insert(range(30)).change("add", "level", "int", "--default", "3")
    t.delete("level = 3 AND n > 2").insert(range(30, 60), level=lambda i: None if i % 2 else 3).delete(
        "level IS NULL AND v > 9"
    )


def optional(t: Made):
    t.create(schema=SCHEMA.replace("n int", "n int required").replace("kind string", "kind string required"))
    t.insert_rows([record(i) | {"n": i % 4, "kind": "k"} for i in range(30)]).change("optional", "n").change(
        "optional", "kind"
    )
    t.insert(range(30, 60))


def partitions_changed(t: Made):
    t.create("--partition", "kind").insert(range(20)).layout("set", "bucket(4, id), day(ts)").insert(range(20, 40))
    t.layout("set", "truncate(3, n), month(day)").insert(range(40, 60)).layout("drop", "truncate(3, n)").insert(
        range(60, 75)
    )
    t.delete("id % 9 = 0 OR kind = 'b'")


def partition_column_evolved(t: Made):
    t.create("--partition", "n, truncate(1, kind)").insert(range(20)).change("widen", "n", "long").change(
        "rename", "n", "m"
    )
    t.insert(range(20, 40), "id kind day", m=lambda i: None if i % 5 == 0 else 5_000_000_000 + i % 3)
    t.change("rename", "kind", "sort").insert(range(40, 50), "id", m=lambda i: 1, sort=lambda i: "bcd"[i % 3])


def everything(t: Made):
    t.create(*MARK, "--partition", "kind", "--identifier", "id").insert(range(30)).delete("id % 4 = 1")
    t.change("add", "extra", "int").change("rename", "n", "m").layout("set", "day(ts)")
    t.insert(range(30, 60), "id kind ts price", extra=lambda i: i % 3, m=lambda i: i % 4).delete("m = 2 OR extra = 0")
    t.change("widen", "m", "long").change("drop", "v").upsert(
        [{"id": i, "m": 2**40, "kind": "u"} for i in range(25, 35)]
    )
    t.layout("set", "bucket(2, id)").insert(range(60, 80), "id day", m=lambda i: None).delete(
        "id = 61 OR m > 5 AND extra = 1"
    )


def compacted(t: Made):
    everything(t)
    t.compact().delete("id % 10 = 2")


def without_metrics(t: Made):
    """Files that say nothing, or only counts, of their columns."""
    t.create(
        *MARK,
        "--property",
        "write.metadata.metrics.default=none",
        "--property",
        "write.metadata.metrics.column.n=counts",
    )
    t.insert(range(30))
    table = t.foreign
    rows = table.scan().to_arrow().to_pylist()
    table.append(pa.Table.from_pylist([row | {"id": row["id"] + 30} for row in rows], schema=table.schema().as_arrow()))
    t.delete("id % 7 = 0")


def not_a_number(t: Made):
    """NaN is NULL in SQL, wherever it is found, but not in the file."""
    t.create(schema="id long required, v double, f float")
    nan = float("nan")
    for numbers in ([1.5, nan, -0.0], [nan, nan], [None, nan], [None, None], [2.5, None]):
        rows = [
            {"id": i, "v": number, "f": number} for i, number in enumerate(numbers, len(t.foreign.scan().to_arrow()))
        ]
        t.foreign.append(pa.Table.from_pylist(rows, schema=t.foreign.schema().as_arrow()))
    rows = t.foreign.scan().to_arrow().to_pylist()
    rows = [{k: None if v != v else v for k, v in row.items()} for row in rows]
    t.rows = pa.Table.from_pylist(rows, schema=t.foreign.schema().as_arrow())


CASES = {
    make.__name__: make
    for make in (
        position_deletes, position_deletes_by_file, position_deletes_of_extremes, deletion_vectors,
        deletion_vectors_in_partitions, copy_on_write, copy_on_write_of_version_three, whole_files, upserts,
        upserts_of_version_three, deletes_of_pyiceberg, equality_deletes, equality_and_position_deletes, added, dropped,
        dropped_and_added_again, renamed, swapped, widened, widened_partitions, widened_far, reordered, nested,
        defaults,
        defaults_beside_deletes, optional, partitions_changed, partition_column_evolved, everything, compacted,
        without_metrics, not_a_number,
    )
}  # fmt: skip
