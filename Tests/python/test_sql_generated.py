"""Generated queries on Firn and on DuckDB, which computes them from the same rows by itself."""

import os

import pytest

from support.server import Server
from support.sql import Broken, HttpSql, Refused
from support.sql_data import prepare
from support.sql_duck import difference, duck_connection, same_row
from support.sql_generator import FAMILIES, Generator, Query

SEED = int(os.environ.get("FIRN_SEED", 1))
# Of each family; three times as many of those that may be computed on columns, or from metadata alone.
STATEMENTS = int(os.environ.get("FIRN_SQL_STATEMENTS", 20))
MORE = {"groups", "whole", "top"}


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generated")
    with duck_connection() as duck:
        prepare(folder / "warehouse", duck, SEED)
        server = Server(folder / "warehouse", folder, options=("--no-compaction",)).start()
        yield HttpSql(server), lambda sql: duck.execute(sql).fetchall()
        server.kill()


def draw(family: str, number: int, duck) -> Query:
    """Another statement in place of most that have no rows."""
    for attempt in range(1 if number % 8 == 0 else 6):
        query = getattr(Generator(f"{SEED} {family} {number} {attempt}"), family)()
        if duck(query.sql.duck):
            break
    return query


def fault(query: Query, firn, duck) -> str | None:
    theirs = duck(query.sql.duck)
    try:
        ours = firn(query.sql.firn)
    except (Broken, Refused) as error:
        return f"no rows but {error}"
    return tie_fault(ours, theirs, query, duck) if query.ties else difference(ours, theirs, query.ordered)


def tie_fault(ours, theirs, query: Query, duck) -> str | None:
    """The first column is DuckDB's, row by row; each row is one of those without the limit, and none comes twice."""
    found = difference([row[:1] for row in ours], [row[:1] for row in theirs], ordered=True)
    if found:
        return found
    every = {row[1]: row for row in duck(query.sql.duck.rpartition(" LIMIT ")[0])}
    for number, row in enumerate(ours):
        if not same_row(row, every.pop(row[1], ())):
            return f"row {number} is none of the table: {row}"
    return None


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_rows(engines, family):
    firn, duck = engines
    wrong = []
    count = STATEMENTS * (3 if family in MORE else 1)
    for number in range(count):
        query = draw(family, number, duck)
        found = fault(query, firn, duck)
        if found:
            wrong.append(f"{family} {number}: {found}\n    firn: {query.sql.firn}\n    duck: {query.sql.duck}")
    assert not wrong, f"{len(wrong)} of {count}:\n" + "\n".join(wrong[:20])
