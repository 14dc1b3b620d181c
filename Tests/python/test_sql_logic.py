"""The SQL scripts of `sql/`, statement by statement, over HTTP and by the command line."""

import os
import re
import resource
import subprocess
import time
from pathlib import Path

import pytest
import requests

from support.client import ndjson
from support.server import BINARY, Server, clean_environment
from support.sql import CliSql, HttpSql, Refused
from support.sql_script import Script

FOLDER = Path(__file__).parent / "sql"
NAMES = sorted(path.stem for path in FOLDER.glob("*.slt"))
# A process a statement is slow; over HTTP all run.
CLI_SHARE = 8
# Files that statements of the scripts try to make; somebody else's are no fault of theirs.
FORBIDDEN = [path for path in (Path("/tmp/other.db"), Path("/tmp/copy.db")) if not path.exists()]
# For a statement with a time limit of one second.
PATIENCE_S = 20


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """Every script with its tables made, and a server on all of them."""
    folder = tmp_path_factory.mktemp("sql")
    warehouse = folder / "warehouse"
    made = {name: Script(FOLDER / f"{name}.slt") for name in NAMES}
    for script in made.values():
        script.prepare(warehouse)
    server = Server(warehouse, folder, options=("--no-compaction",)).start()
    yield made, server
    server.kill()


@pytest.mark.parametrize("name", NAMES)
def test_over_http(scripts, name):
    made, server = scripts
    run = HttpSql(server)
    faults = [made[name].fault(record, run) for record in made[name].statements]
    server.assert_alive()
    wrong = [fault for fault in faults if fault]
    assert not wrong, f"{len(wrong)} of {len(faults)}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("name", NAMES)
def test_by_the_command_line(scripts, name):
    made, server = scripts
    run = CliSql(server.warehouse)
    some = made[name].statements[NAMES.index(name) % CLI_SHARE :: CLI_SHARE]
    wrong = [fault for fault in (made[name].fault(record, run) for record in some) if fault]
    assert not wrong, f"{len(wrong)} of {len(some)}:\n" + "\n".join(wrong)


# Statements that ask for too much

COUNTING = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
# What a query may keep at a time, and the program itself.
MEMORY_MAX = 1 << 30

ENDLESS = {
    "recursion": f"{COUNTING} SELECT count(*) FROM c",
    "recursion without rows": f"{COUNTING} SELECT x FROM c WHERE x < 0",
    "cross join": f"{COUNTING.replace('FROM c', 'FROM c LIMIT 100000')} SELECT count(*) FROM c a, c b, c d",
    "window": f"{COUNTING.replace('FROM c', 'FROM c LIMIT 100000')} SELECT max(s) FROM"
    " (SELECT sum(x) OVER (ORDER BY x ROWS BETWEEN 50000 PRECEDING AND CURRENT ROW EXCLUDE TIES) AS s FROM c)",
    "correlated": f"{COUNTING.replace('FROM c', 'FROM c LIMIT 100000')}"
    " SELECT count(*) FROM c a WHERE (SELECT count(*) FROM c b WHERE b.x > a.x) > 5",
    "rows that are long to make": f"{COUNTING} SELECT length(hex(zeroblob(40000000))) FROM c LIMIT 400",
    "condition": f"SELECT count(*) FROM r.t WHERE id = ({COUNTING} SELECT count(*) FROM c)",
    "search in a long value": "SELECT instr(zeroblob(20000000), CAST(zeroblob(10000000) || x'01' AS BLOB))",
    "replacement in a long value": "SELECT length(replace(hex(zeroblob(9000000)), hex(zeroblob(4000000)) || '1', ''))",
    "pattern": "SELECT hex(zeroblob(20000)) LIKE '" + "%0" * 2000 + "%1'",
}  # fmt: skip

HUGE = {
    "group_concat": f"{COUNTING} SELECT length(group_concat(hex(zeroblob(100000)))) FROM c",
    "group_concat without end": f"{COUNTING} SELECT group_concat(x) FROM c",
    "json_group_array": f"{COUNTING} SELECT length(json_group_array(hex(zeroblob(100000)))) FROM c",
    "json_group_object": f"{COUNTING} SELECT length(json_group_object(x, hex(zeroblob(100000)))) FROM c",
    "many long columns": "SELECT " + ", ".join(["hex(zeroblob(50000000))"] * 60),
    "many long values in a sort": f"{COUNTING} SELECT x, hex(randomblob(1000000)) AS h FROM c ORDER BY h LIMIT 1",
    "long rows": f"{COUNTING} SELECT hex(zeroblob(40000000)) FROM c LIMIT 30",
    "distinct": f"{COUNTING} SELECT count(*) FROM (SELECT DISTINCT hex(randomblob(100000)) FROM c LIMIT 20000)",
    "materialized": f"{COUNTING}, m AS MATERIALIZED (SELECT randomblob(1000000) AS b FROM c LIMIT 3000)"
    " SELECT count(*) FROM m a",
    "json": "SELECT json_array_length('[' || replace(hex(zeroblob(8000000)), '0', '1,') || '1]')",
    "printf": "SELECT length(printf('%s%s%s', " + ", ".join(["hex(zeroblob(60000000))"] * 3) + "))",
    "a compound of long values": " UNION ALL ".join(["SELECT hex(zeroblob(50000000))"] * 50),
}  # fmt: skip


def run_alone(sql: str, warehouse: Path) -> tuple[int, float, int]:
    """Exit code (negative for a signal), seconds and peak memory in bytes of `firn query --timeout 1`."""
    for _ in range(20):
        code, seconds, memory = watched(sql, warehouse)
        # Some statements are refused so soon that the program may end before it is looked at.
        if memory:
            break
    return code, seconds, memory


def watched(sql: str, warehouse: Path) -> tuple[int, float, int]:
    command = [str(BINARY), "query", "--timeout", "1", "--warehouse", str(warehouse), "--", sql]
    start = time.monotonic()
    with open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, env=clean_environment(), preexec_fn=fence)
    memory = 0
    while process.poll() is None:
        memory = max(memory, peak_memory(process.pid))
        if time.monotonic() > start + PATIENCE_S:
            process.kill()
        time.sleep(0.01)
    return process.returncode, time.monotonic() - start, memory


def peak_memory(process_id: int) -> int:
    """Of the program that runs there now, in bytes: `ru_maxrss` counts this process too, which it was forked from."""
    process = Path(f"/proc/{process_id}")
    try:
        if os.readlink(process / "exe") != str(BINARY.resolve()):
            return 0
        peak = re.search(r"VmHWM:\s+(\d+) kB", (process / "status").read_text())
    except OSError:
        return 0
    return int(peak[1]) * 1024 if peak else 0


def fence() -> None:
    """No more memory than the machine of the test can spare."""
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))


@pytest.mark.parametrize("what", ENDLESS)
def test_the_time_limit_holds(scripts, what):
    _, server = scripts
    code, seconds, memory = run_alone(ENDLESS[what], server.warehouse)
    assert (code in (0, 1), seconds < PATIENCE_S) == (True, True), f"exit code {code} after {seconds:.1f} s"
    assert 0 < memory < MEMORY_MAX, f"{memory >> 20} MiB"


@pytest.mark.parametrize("what", HUGE)
def test_memory_is_bounded(scripts, what):
    _, server = scripts
    code, seconds, memory = run_alone(HUGE[what], server.warehouse)
    assert code in (0, 1) or seconds >= PATIENCE_S, f"exit code {code} after {seconds:.1f} s, {memory >> 20} MiB"
    assert 0 < memory < MEMORY_MAX, f"{memory >> 20} MiB after {seconds:.1f} s"


DEEP = {
    "expression": "SELECT " + "1 + " * 600 + "1",
    "conjunction": "SELECT 1 WHERE " + "1 = 1 AND " * 600 + "1",
    "negation": "SELECT " + "NOT " * 5000 + "1",
    "parentheses": "SELECT " + "(" * 100_000 + "1" + ")" * 100_000,
    "open parentheses": "SELECT " + "(" * 500_000,
    "subqueries": "SELECT * FROM " + "(SELECT * FROM " * 2000 + "r.t" + ")" * 2000,
    "scalar subqueries": "SELECT " + "(SELECT " * 2000 + "1" + ")" * 2000,
    "compound": " UNION ALL ".join(["SELECT 1"] * 200),
    "case": "SELECT " + "CASE WHEN 1 THEN " * 2000 + "1" + " END" * 2000,
    "tables": "SELECT 1 FROM " + ", ".join(f"r.t t{n}" for n in range(70)),
    "columns": "SELECT " + ", ".join(["1"] * 3000),
    "function arguments": "SELECT max(" + ", ".join(["1"] * 300) + ")",
    "pattern": "SELECT 'a' LIKE '" + "%a" * 20_000 + "'",
    "json": "SELECT json_extract('" + "[" * 5000 + "]" * 5000 + "', '$')",
    "a name without end": "SELECT " + "a" * 1_000_000,
    "a table's name without end": "SELECT * FROM r." + "a" * 1_000_000,
    "statement": "SELECT '" + "a" * (2 << 20) + "'",
}  # fmt: skip


@pytest.mark.parametrize("what", DEEP)
def test_deep_statements_are_refused(scripts, what):
    _, server = scripts
    with pytest.raises(Refused):
        HttpSql(server, timeout=PATIENCE_S)(DEEP[what])
    server.assert_alive()


WIDE = {
    "members of a list": ("SELECT 5 IN (" + ", ".join(map(str, range(100_000))) + ")", [(1,)]),
    "sum of 400": ("SELECT " + " + ".join(["1"] * 400), [(400,)]),
    "40 tables": (
        "SELECT count(*) FROM " + ", ".join(f"r.t t{n}" for n in range(40))
        + " WHERE " + " AND ".join(f"t{n}.id = t{n + 1}.id" for n in range(39)), [(1,)],
    ),
    "100 parts": ("SELECT count(*) FROM (" + " UNION ALL ".join(["SELECT id FROM r.t"] * 100) + ")", [(100,)]),
    "1000 columns": ("SELECT " + ", ".join(f"id + {n}" for n in range(1000)) + " FROM r.t", [tuple(range(1, 1001))]),
}  # fmt: skip


@pytest.mark.parametrize("what", WIDE)
def test_wide_statements_are_answered(scripts, what):
    _, server = scripts
    sql, rows = WIDE[what]
    assert HttpSql(server)(sql) == rows


def test_chance_is_taken_row_by_row(server, client):
    """A condition that is not about columns still is about each row."""
    client.create_table("r.many", "id long")
    client.records("r.many", ndjson({"id": number} for number in range(400)), headers={"Prefer": "wait=committed"}).ok()
    run = HttpSql(server)
    for condition in ("random() > 0", "abs(random() % 2) = 1 AND id >= 0", "id > 9 AND random() % 2"):
        for what in ("count(*)", "count(id)"):
            # The odds of an honest count beyond these bounds are those of heads more than 300 times in 400.
            ((count,),) = run(f"SELECT {what} FROM r.many WHERE {condition}")
            assert 100 < count < 300, condition
        ((count,),) = run(f"SELECT count(*) FROM (SELECT id FROM r.many WHERE {condition} ORDER BY id LIMIT 400)")
        assert 100 < count < 300, condition


def test_clients_that_leave_take_their_statements_along(server):
    """As many endless statements as the server has threads for, and nobody who waits for their answers."""
    for _ in range(8):
        with pytest.raises(requests.Timeout):
            HttpSql(server, timeout=0.5)(ENDLESS["recursion"])
    assert HttpSql(server, timeout=PATIENCE_S)("SELECT 1") == [(1,)]


def test_nothing_was_changed(scripts):
    """Runs last: what the scripts tried left no trace."""
    _, server = scripts
    run = HttpSql(server)
    assert run("SELECT id, s FROM r.t") == [(1, "a")]
    assert run('SELECT count(*) FROM "r.t$snapshots"') == [(1,)]
    assert run("SELECT 'a' LIKE 'A'") == [(0,)]
    assert [path for path in FORBIDDEN if path.exists()] == []
