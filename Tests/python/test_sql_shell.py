"""The SQL shell on a terminal and with a script, and what `firn query` shows people."""

import csv
import io
import json
import os
import select
import signal
import stat
import subprocess
import time
import unicodedata

import pytest

from support.cli import firn
from support.processes import wait_until_busy
from support.server import BINARY, clean_environment
from support.terminal import Terminal

TABLE = "shop.orders"
SCHEMA = "id long required, price decimal(9,2), who string"
ORDERS = [
    {"id": 1, "price": "10.50", "who": "Ann"},
    {"id": 2, "price": "0.99", "who": "Bo\x1b[31m\nthe \u202eone"},
    {"id": 300, "price": None, "who": None},
]
ENDLESS = "WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


@pytest.fixture
def orders(warehouse):
    firn("table", "create", TABLE, SCHEMA, warehouse=warehouse).ok()
    lines = "".join(json.dumps(row) + "\n" for row in ORDERS)
    firn("ingest", TABLE, "-", stdin=lines, warehouse=warehouse).ok()
    return warehouse


@pytest.fixture
def open_terminal(tmp_path):
    """Opens terminals and closes whichever are left; the history is a file of the test's own."""
    opened = []

    def open_one(*arguments, **keywords):
        keywords["env"] = {"FIRN_HISTORY": str(tmp_path / "state" / "history")} | keywords.get("env", {})
        opened.append(Terminal(*arguments, **keywords))
        return opened[-1]

    yield open_one
    for terminal in opened:
        terminal.close()


@pytest.fixture
def shell(orders, open_terminal):
    terminal = open_terminal("sql", "--warehouse", orders)
    terminal.read_until("firn> ")
    return terminal


def script(text: str, *arguments, warehouse, **keywords):
    return firn("sql", *arguments, warehouse=warehouse, stdin=text, **keywords)


# A person


def test_statements_of_several_lines(shell):
    shell.type("SELECT id,\r")
    shell.read_until("   -> ")
    shell.type("price FROM shop.orders\r")
    shell.read_until("   -> ")
    answer = shell.run("WHERE id < 3 ORDER BY id;")
    assert "id  price\r\n--  -----\r\n 1  10.50\r\n 2   0.99\r\n(2 rows, " in answer
    assert " ms)" in answer
    shell.type("\x04")
    assert shell.wait() == 0
    assert shell.is_as_found()


def test_editing_keys(shell):
    # Home, delete, end, backspaces; a wide character replaced; a word cut and put back; a combining mark.
    shell.type("xSELECT 4242\x01\x1b[3~\x05\x7f\x7f AS n;\x01\x1b[1;5C")
    shell.type(" 'ü日' || 'eu\x7f\u0301' AS 日本\x7f語,\x17\x19\r")
    answer = shell.read_until(r"\(1 row.*\)\s*firn> ")
    assert "日語   n\r\n----  --\r\nü日e\u0301  42\r\n(1 row, " in answer


def test_completion(shell):
    shell.type("sel\tcount(*) FROM sh\t")
    shell.read_until("shop.orders ")
    shell.type("WHERE pric\t> 1;\r")
    answer = shell.read_until(r"\(1 row.*\)\s*firn> ")
    assert "select count(*) FROM shop.orders WHERE price > 1;" in answer
    assert "\r\n       1\r\n" in answer
    shell.type('SELECT count(*) FROM "shop.orders$\t\t')
    listed = shell.read_until(r"shop.orders\$files")
    assert "shop.orders$snapshots" in listed
    shell.type('sn\t;\r')
    assert "       1\r\n(1 row" in shell.read_until(r"\(1 row.*\)\s*firn> ")
    # An alias stands for its table.
    shell.type("SELECT o.wh\t FROM shop.orders o;")
    shell.type("\x01" + "\x1b[C" * 11 + "\t")
    shell.read_until("o.who")


def test_history_outlives_the_shell(shell, orders, open_terminal, tmp_path):
    shell.run("SELECT 'first';")
    shell.run("SELECT\r'second';")
    shell.type("\x04")
    assert shell.wait() == 0
    path = tmp_path / "state" / "history"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.read_text() == "SELECT 'first';\nSELECT\\n'second';\n"

    again = open_terminal("sql", "--warehouse", orders)
    again.read_until("firn> ")
    again.type("\x1b[A")
    again.read_until("'second';")
    assert "second\r\n(1 row" in again.run("")
    again.type("\x12fir")
    again.read_until(r"\(search\) fir: SELECT 'first';")
    assert "first\r\n(1 row" in again.run("")


def test_an_unusable_history_is_told_of_once(orders, open_terminal):
    terminal = open_terminal("sql", "--warehouse", orders, env={"FIRN_HISTORY": "/proc/none/history"})
    terminal.read_until("firn> ")
    assert "error: the history is not kept" in terminal.run("SELECT 1;")
    assert "error" not in terminal.run("SELECT 2;")


def test_a_long_history_is_cut_and_kept_private(orders, open_terminal, tmp_path):
    path = tmp_path / "history"
    path.write_text("".join(f"SELECT {n};\n" for n in range(2500)) + "SELECT\\n'\\\\last';\n")
    path.chmod(0o644)
    terminal = open_terminal("sql", "--warehouse", orders, env={"FIRN_HISTORY": str(path)})
    terminal.read_until("firn> ")
    terminal.type("\x1b[A")
    terminal.read_until(r"'\\last';")
    entries = path.read_text().splitlines()
    assert len(entries) == 1000 and entries[0] == "SELECT 1501;" and entries[-1] == "SELECT\\n'\\\\last';"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_control_c(shell):
    shell.type("SELECT nonsense")
    shell.read_until("nonsense")
    shell.type("\x03")
    shell.read_until(r"\^C\s*firn> ")
    shell.type(ENDLESS + ";\r")
    shell.read_until("FROM c;")
    wait_until_busy(shell.process.pid)
    shell.type("\x03")
    shell.read_until(r"cancelled\s*firn> ")
    assert "7\r\n(1 row" in shell.run("SELECT 7;")
    # Between statements, a signal from elsewhere changes nothing. A thread takes it, and must not find the next one.
    shell.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert "8\r\n(1 row" in shell.run("SELECT 8;")


def test_errors_and_commands(shell):
    assert "did you mean 'shop.orders'?" in shell.run("SELECT * FROM shop.order;", r"error: .*\s+\.tables.*\s*firn> ")
    shell.run("SELECT nam FROM shop.orders;", r"error: no such column.*\s+\.schema TABLE.*\s*firn> ")
    shell.run("DELETE FROM shop.orders;", r"error: only queries.*\s+.firn ingest.*\s*firn> ")
    shell.run(".tabels", r"error: there is no command \.tabels; did you mean \.tables\?\s*firn> ")
    assert "shop.orders" in shell.run(".tables shop.*", r"orders\s*firn> ")
    assert "price   decimal(9, 2)\r\n" in shell.run(".schema shop.orders", r"who     string\s*firn> ")
    assert "operation" in shell.run(".schema shop.orders$snapshots", r"summary .*\s*firn> ")
    shell.run(".timing off", r"\n\s*firn> ")
    assert "(1 row)\r\n" in shell.run("SELECT 1;")
    shell.run(".mode markdown", r"\n\s*firn> ")
    assert "| x |\r\n| ---: |\r\n| 1 |\r\n(1 row)" in shell.run("SELECT 1 AS x;")
    shell.run(".help", r"\.quit .*\s[^>]*firn> ")
    shell.type(".quit\r")
    assert shell.wait() == 0


def test_output_to_a_file(shell, tmp_path):
    path = tmp_path / "out file.csv"
    shell.run(".mode csv", r"\n\s*firn> ")
    shell.run(f".output {path}", r"\n\s*firn> ")
    answer = shell.run("SELECT id FROM shop.orders ORDER BY id;", r"\(3 rows.*\) to .*\s*firn> ")
    assert f") to {path}\r\n" in answer
    shell.run(".output", r"\n\s*firn> ")
    assert path.read_bytes() == b"id\r\n1\r\n2\r\n300\r\n"
    shell.run(".output /nowhere/at/all", r"error: .*\s*firn> ")


def test_a_paste_does_not_run_before_enter(shell):
    shell.type("\x1b[200~SELECT 1 AS a;\nSELECT 2 AS b;\n\x1b[201~")
    shell.read_until("2 AS b;")
    time.sleep(0.2)
    assert "row" not in shell.text
    shell.type("\r")
    answer = shell.read_until(r"\(1 row[^(]*\(1 row.*\)\s*firn> ")
    assert "a\r\n-\r\n1\r\n" in answer and "b\r\n-\r\n2\r\n" in answer


def test_resizing(shell):
    shell.type("SELECT '" + "x" * 60)
    shell.read_until("x" * 60)
    shell.resize(40)
    shell.read_until("x" * 26 + "\r\n" + "x" * 34)
    assert "1\r\n(1 row" in shell.run("' IS NOT NULL AS y;")
    # Tables are cut to the new width.
    answer = shell.run("SELECT printf('%.*c', 80, 'z') AS z;")
    assert "z" * 39 + "…\r\n" in answer


def test_signals_leave_the_terminal_in_order(shell):
    assert not shell.is_as_found()
    shell.process.send_signal(signal.SIGTERM)
    assert shell.wait() == 128 + signal.SIGTERM
    assert shell.is_as_found()


# A script


def test_help():
    shown = firn("sql", "--help").ok().stdout
    assert "firn sql < report.sql" in shown and "Exit code" in shown


def test_script(orders):
    text = "-- a report\n.mode csv\nSELECT count(*) AS n\nFROM shop.orders; SELECT ';' AS s;\n"
    text += ".mode ndjson\nSELECT 1 AS x"
    assert script(text, warehouse=orders).ok().stdout == 'n\r\n3\r\ns\r\n;\r\n{"x":1}\n'
    assert script("", warehouse=orders).ok().stdout == ""


def test_script_ends_at_the_first_error(orders):
    text = "SELECT 1 AS x;\n\nSELECT\n nonsense FROM shop.orders;\nSELECT 2 AS x;\n"
    done = script(text, warehouse=orders)
    assert done.code == 1
    assert done.stdout == '{"x":1}\n'
    assert "no such column: nonsense" in done.stderr and "line=3" in done.stderr
    assert "the quote has no end" in script("SELECT 'x;\n", warehouse=orders).failed()
    assert "did you mean .mode" in script(".mod csv\n", warehouse=orders).failed()
    assert "1 MiB" in script("x" * (3 << 20), warehouse=orders).failed()
    assert "a semicolon or a quote" in script("xxxxxxxxx\n" * (300 << 10), warehouse=orders).failed()


def test_script_answers_as_it_comes(orders):
    """A program that waits for each answer gets it."""
    process = subprocess.Popen(
        [str(BINARY), "sql", "--warehouse", str(orders)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=clean_environment(),
    )  # fmt: skip
    try:
        for number in (1, 2):
            process.stdin.write(f"SELECT {number} AS x;\n".encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline()) == {"x": number}
        process.stdin.close()
        assert process.wait(20) == 0
    finally:
        process.kill()


def test_control_c_ends_a_script(orders):
    process = subprocess.Popen(
        [str(BINARY), "sql", "--warehouse", str(orders)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=clean_environment(),
    )  # fmt: skip
    try:
        process.stdin.write(f"SELECT 1 AS x; {ENDLESS}; SELECT 2 AS x;\n".encode())
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {"x": 1}
        wait_until_busy(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read() == b"cancelled\n"
        assert process.stdout.read() == b""
    finally:
        process.kill()


# Through a server


def test_through_a_server(orders, make_server, open_terminal):
    server = make_server(orders).start()
    lines = script("SELECT id, price FROM shop.orders ORDER BY id; SELECT 1 AS a, 2 AS a;", "--url", server.url,
                   warehouse=orders).ok().stdout.splitlines()  # fmt: skip
    assert [json.loads(line) for line in lines[:3]] == [
        {"id": 1, "price": "10.50"}, {"id": 2, "price": "0.99"}, {"id": 300, "price": None},
    ]  # fmt: skip
    assert lines[3] == '{"a":1,"a":2}'
    terminal = open_terminal("sql", "--url", server.url)
    terminal.read_until("firn> ")
    terminal.type("SELECT price FROM shop.or\tORDER BY id;\r")
    assert "price\r\n-----\r\n10.50\r\n 0.99\r\n NULL\r\n(3 rows" in terminal.read_until(r"\(3 rows.*\)\s*firn> ")
    # Without a row, only the server can say what the columns are.
    assert "id  price  who\r\n--  -----  ---\r\n(0 rows" in terminal.run("SELECT * FROM shop.orders LIMIT 0;")
    terminal.run("SELECT x FROM shop.orders;", r"error: no such column: x.*\s+\.schema.*\s*firn> ")
    terminal.type(ENDLESS + ";\r")
    terminal.read_until("FROM c;")
    wait_until_busy(server.process.pid)
    terminal.type("\x03")
    terminal.read_until(r"cancelled\s*firn> ")
    assert "9\r\n(1 row" in terminal.run("SELECT 9 AS x;")


def test_signals_do_not_break_a_statement_off(orders, make_server, open_terminal):
    """The kernel does not go on with a read that has a time limit: a change of the terminal's size sent the statement
    again, and the next one ended it."""
    server = make_server(orders).start()
    terminal = open_terminal("sql", "--url", server.url)
    terminal.read_until("firn> ")
    terminal.type(ENDLESS + ";\r")
    terminal.read_until("FROM c;")
    for _ in range(4):
        wait_until_busy(server.process.pid)
        terminal.process.send_signal(signal.SIGWINCH)
    wait_until_busy(server.process.pid)
    terminal.type("\x03")
    assert "error" not in terminal.read_until(r"cancelled\s*firn> ")


def test_markdown_over_http(client, server):
    sql = {"sql": "SELECT 1 AS n, 'a|b' AS t"}
    answer = client.once("POST", "/v1/query", body=sql, headers={"Accept": "text/markdown"}).ok()
    assert answer.headers["content-type"].startswith("text/markdown")
    assert answer.text == "| n | t |\n| ---: | --- |\n| 1 | a\\|b |\n"
    assert json.loads(answer.headers["firn-columns"]) == [{"name": "n"}, {"name": "t"}]


# firn query


def test_table_in_a_pipe(orders):
    shown = firn("query", f"SELECT * FROM {TABLE} ORDER BY id", "--output", "table", warehouse=orders).ok().stdout
    assert shown.splitlines() == [
        " id  price  who", "---  -----  " + "-" * 25, "  1  10.50  Ann",
        r"  2   0.99  Bo\x1b[31m\nthe \u202eone", "300   NULL  NULL", "(3 rows)",
    ]  # fmt: skip


def test_table_on_a_terminal(orders, open_terminal):
    def show(*arguments, **keywords):
        terminal = open_terminal("query", "--warehouse", orders, *arguments, **keywords)
        assert terminal.wait() == 0
        return terminal.read_until(r"\(\d+ rows?.*\)\r\n")

    statement = "SELECT 12345678 AS n, printf('%.*c', 50, 'x') AS a, printf('%.*c', 12, 'y') AS b"
    lines = show(statement, columns=40).splitlines()
    assert lines == [
        "       n  a" + " " * 17 + "b", "-" * 8 + "  " + "-" * 16 + "  " + "-" * 12,
        "12345678  " + "x" * 15 + "…  " + "y" * 12, "(1 row)",
    ]  # fmt: skip
    assert "x" * 50 in show(statement, "--wide", columns=40)
    many = "SELECT " + ", ".join(f"'value {n}' AS c{n}" for n in range(20))
    assert show(many, columns=40).endswith("(1 row, 5 of 20 columns; --wide shows all)\r\n")


def shown(master: int) -> str:
    """All that a program has written, escape sequences included: the terminal may hand it over in pieces."""
    text = ""
    while not text.endswith("(1 row)\r\n"):
        assert select.select([master], [], [], 30)[0], f"only {text!r} came"
        text += os.read(master, 1 << 16).decode()
    return text


def test_null_is_dimmed_on_a_terminal(orders, open_terminal):
    for variables, expected in [({}, "\x1b[2mNULL\x1b[0m"), ({"NO_COLOR": "1"}, "\r\nNULL\r\n")]:
        terminal = open_terminal("query", "SELECT NULL AS x", "--warehouse", orders, env=variables)
        assert terminal.wait() == 0
        assert expected in shown(terminal.master)


def test_widths_are_those_of_unicode(orders):
    """Every kind of letter keeps the next column where it belongs, by Python's tables."""

    def width(text):
        return sum(
            0 if unicodedata.category(c) in ("Mn", "Me") else 2 if unicodedata.east_asian_width(c) in "WF" else 1
            for c in text
        )

    # Jamo, tags and joiners take their width from what stands beside them.
    excluded = [range(0x1100, 0x1200), range(0xA960, 0xA980), range(0xD7B0, 0xD800), range(0x1F1E6, 0x1F200),
                range(0x1F3FB, 0x1F400), range(0xE0000, 0x110000)]  # fmt: skip
    points = [
        point for point in range(0xA1, 0x110000)
        if unicodedata.category(chr(point))[0] in "LNPS" and not any(point in block for block in excluded)
    ][::37]  # fmt: skip
    rows = ", ".join(f"(char({point}), '|')" for point in points)
    shown = firn("query", f"VALUES {rows}", "--output", "table", warehouse=orders).ok().stdout.splitlines()[2:-1]
    assert len(shown) == len(points) > 3000
    places = {width(line[: line.rindex("|")]) for line in shown}
    wrong = [hex(point) for point, line in zip(points, shown) if width(line[: line.rindex("|")]) != max(places)]
    assert not wrong, wrong


def test_chart(orders):
    shown = firn("query", "--chart", f"SELECT who, price FROM {TABLE} WHERE id < 3 ORDER BY id", warehouse=orders).ok()
    lines = shown.stdout.splitlines()
    assert lines[0].split() == ["who", "price"]
    assert lines[1].startswith("Ann") and lines[1].endswith("█" * 20)
    assert r"Bo\x1b[31m" in lines[2] and lines[2].count("█") * 9 < lines[1].count("█") < lines[2].count("█") * 15
    assert "a chart needs two columns" in firn("query", "--chart", "SELECT 1", warehouse=orders).failed()
    assert "holds the text 'x'" in firn("query", "--chart", "VALUES (1, 'x')", warehouse=orders).failed()
    both = firn("query", "--chart", "--output", "csv", "SELECT 1", warehouse=orders)
    assert "leave --output out" in both.usage_error()
    # More rows than there may be do not have to be found first.
    endless = "WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c) SELECT x, x FROM c"
    assert "(the first 200 rows; there are more" in firn("query", "--chart", endless, warehouse=orders).ok().stdout


def test_control_c_cancels_a_query(orders, open_terminal):
    # The first row fills a buffer, so that it shows that the query runs.
    statement = ENDLESS.replace("SELECT count", "SELECT printf('%.*c', 70000, 'x') AS x UNION ALL SELECT count")
    terminal = open_terminal("query", statement, "--output", "ndjson", "--warehouse", orders)
    terminal.read_until('x"}')
    terminal.type("\x03")
    assert terminal.wait() == 130
    assert terminal.read_until("cancelled\r\n")
    assert terminal.is_as_found()


def test_a_closed_pipe_ends_a_query(orders):
    rows = "WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"
    for form in ("csv", "table", "ndjson", "markdown"):
        process = subprocess.Popen(
            [str(BINARY), "query", rows, "--output", form, "--warehouse", str(orders)], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=clean_environment(),
        )  # fmt: skip
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 0
        assert process.stderr.read() == b""


def test_csv_is_read_back_by_others(orders):
    shown = firn("query", f"SELECT id, who FROM {TABLE} ORDER BY id", "--output", "csv", warehouse=orders).ok().stdout
    assert [row["who"] for row in csv.DictReader(io.StringIO(shown, newline=""))] == ["Ann", ORDERS[1]["who"], ""]
