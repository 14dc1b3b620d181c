"""What SELECT finds under deletes and changed schemas is what PyIceberg's scan finds, computed upon by DuckDB."""

import datetime
from collections import Counter
from decimal import Decimal

import pyarrow as pa
import pytest

from support.server import Server
from support.sql import Broken, HttpSql, Refused
from support.sql_cases import CASES, Made
from support.sql_duck import Sql, both, difference, duck_connection


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Every case's table, and a server on all of them."""
    folder = tmp_path_factory.mktemp("cases")
    tables = {}
    for name, make in CASES.items():
        tables[name] = Made(folder / "warehouse", name)
        try:
            make(tables[name])
        except AssertionError as error:
            tables[name].error = error
    server = Server(folder / "warehouse", folder, options=("--no-compaction",)).start()
    yield tables, HttpSql(server)
    server.kill()


def literal(value) -> Sql:
    """A value of a column in both dialects."""
    if isinstance(value, datetime.datetime):
        return Sql(f"'{value.isoformat()}'", f"TIMESTAMPTZ '{value.isoformat()}'")
    if isinstance(value, datetime.date):
        return both("'{}'", value.isoformat())
    if isinstance(value, Decimal):
        kind = f"DECIMAL(38,{-value.as_tuple().exponent})"
        return Sql(f"'{value}'", f"CAST('{value}' AS {kind})")
    if isinstance(value, float):
        return both("{!r}e0" if "e" not in repr(value) else "{!r}", value)
    return both("{}", value) if isinstance(value, int) else both("'{}'", value.replace("'", "''"))


def scalars(schema: pa.Schema):
    """Columns and members of structs, and their types."""
    for field in schema:
        if pa.types.is_struct(field.type):
            for member in field.type:
                name, inner = field.name, member.name
                yield (
                    Sql(f"({name} ->> '{inner}')", f"{name}.{inner}"),
                    lambda row, a=name, b=inner: (row[a] or {}).get(b),
                )
        elif not pa.types.is_nested(field.type):
            yield both("{}", field.name), lambda row, a=field.name: row[a]


def statements(rows: pa.Table, key: str):
    """Of every column: counts, extremes, groups, filters and order; of the table: all rows and their number."""
    columns = list(scalars(rows.schema))
    yield both("SELECT * FROM t"), False
    yield both("SELECT count(*) FROM t"), True
    wanted = [both("count({0}), min({0}), max({0})", place) for place, _ in columns]
    for start in range(0, len(wanted), 4):
        some = wanted[start : start + 4]
        yield both("SELECT {} FROM t", Sql(", ".join(w.firn for w in some), ", ".join(w.duck for w in some))), True
    for number, (place, get) in enumerate(columns):
        other = columns[(number + 1) % len(columns)][0]
        yield both("SELECT {0}, count(*), min({1}), max({1}) FROM t GROUP BY 1", place, other), False
        yield both("SELECT {0}, {1} FROM t ORDER BY {0} DESC, {1} LIMIT 7", place, key), True
        yield both("SELECT {0}, {1} FROM t ORDER BY {0}, {1} LIMIT 7 OFFSET 3", place, key), True
        yield both("SELECT {1} FROM t WHERE {0} IS NULL", place, key), False
        counts = Counter(get(row) for row in rows.to_pylist())
        values = sorted(value for value in counts if value is not None)
        if not values:
            continue
        middle, common = literal(values[len(values) // 2]), literal(max(values, key=lambda value: counts[value]))
        yield both("SELECT {1}, {0} FROM t WHERE {0} = {2}", place, key, common), False
        yield both("SELECT count(*), min({1}), max({1}) FROM t WHERE {0} > {2}", place, key, middle), True
        yield both("SELECT count(*) FROM t WHERE {0} <= {1} OR {0} IS NULL", place, middle), True
        yield (
            both("SELECT {1} FROM t WHERE {0} IN ({2}, {3})", place, key, literal(values[0]), literal(values[-1])),
            False,
        )
        yield both("SELECT count({1}), max({0}) FROM t WHERE {0} <> {2}", place, other, common), True
        yield both("SELECT count(DISTINCT {0}) FROM t WHERE {1} IS NOT NULL", place, other), True


def faults(firn, rows: pa.Table, table: str, key: str) -> list[str]:
    found = []
    with duck_connection() as duck:
        duck.register("arrow", rows)
        duck.execute("CREATE TABLE t AS SELECT * FROM arrow")
        for sql, ordered in statements(rows, key):
            statement = sql.firn.replace("FROM t", f"FROM {table}")
            theirs = duck.execute(sql.duck).fetchall()
            try:
                wrong = difference(firn(statement), theirs, ordered)
            except (Broken, Refused) as error:
                wrong = f"no rows but {error}"
            if wrong:
                found.append(f"{statement}: {wrong}")
    return found


@pytest.mark.parametrize("name", CASES)
def test_current_rows(made, name):
    tables, firn = made
    made_table = tables[name].whole()
    rows = made_table.rows if made_table.rows is not None else made_table.foreign.scan().to_arrow()
    key = "n" if name == "swapped" else "id"
    wrong = faults(firn, rows, made_table.table, key)
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:20])


@pytest.mark.parametrize("name", CASES)
def test_older_states(made, name):
    """Every snapshot, with the columns of its time."""
    tables, firn = made
    table = tables[name].whole().foreign
    wrong = []
    for snapshot in table.metadata.snapshots:
        here = snapshot.snapshot_id
        if tables[name].rows is not None:
            continue
        rows = table.scan(snapshot_id=here).to_arrow()
        with duck_connection() as duck:
            duck.register("arrow", rows)
            theirs = duck.execute("SELECT * FROM arrow").fetchall()
            extremes = [both("count({0}), min({0}), max({0})", place) for place, _ in scalars(rows.schema)]
            totals = duck.execute(
                "SELECT count(*), " + ", ".join(item.duck for item in extremes) + " FROM arrow"
            ).fetchall()
        source = f"FROM {tables[name].table} FOR VERSION AS OF {here}"
        found = difference(firn(f"SELECT * {source}"), theirs, ordered=False) or difference(
            firn("SELECT count(*), " + ", ".join(item.firn for item in extremes) + f" {source}"), totals, ordered=True
        )
        if found:
            wrong.append(f"{here}: {found}")
    assert not wrong, "\n".join(wrong)


def test_a_condition_means_the_columns_of_now(tmp_path):
    """Columns changed names, and one came, after the last snapshot; then rows are deleted by them."""
    t = Made(tmp_path / "warehouse", "renamed_before_deletes").create(schema="a int, b int")
    t.insert_rows([{"a": 1, "b": 2}, {"a": 2, "b": 1}, {"a": 3, "b": 3}])
    t.change("rename", "a", "c").change("rename", "b", "a").delete("a = 1")
    assert t.run("query", f"SELECT c, a FROM {t.table} ORDER BY c").rows() == [{"c": 1, "a": 2}, {"c": 3, "a": 3}]
    t.change("add", "extra", "int").delete("extra IS NULL AND c = 3")
    assert t.run("query", f"SELECT c, a FROM {t.table} ORDER BY c").rows() == [{"c": 1, "a": 2}]
