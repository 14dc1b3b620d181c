"""POST /v1/query: formats, bounds, clients that leave, and answers that break off."""

import io
import json
import re
import select
import socket
import time

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest
import requests

from support.client import ndjson
from support.processes import cpu_seconds, wait_until_busy

# Never ends, and hands out a row at once.
ENDLESS = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s) SELECT n, hex(randomblob(50)) AS t FROM s"
# Never ends, and hands out nothing.
SILENT = ENDLESS + " WHERE n < 0"
# Ends in some hours.
JOIN = "SELECT count(*) FROM t.rows a, t.rows b, t.rows c WHERE a.s < b.s || c.s"
FORMATS = {
    "application/x-ndjson": lambda body: [json.loads(line) for line in body.splitlines()],
    "application/json": lambda body: json.loads(body),
    "application/vnd.apache.arrow.stream": lambda body: ipc.open_stream(pa.BufferReader(body)).read_all().to_pylist(),
    "application/vnd.apache.arrow.file": lambda body: ipc.open_file(pa.BufferReader(body)).read_all().to_pylist(),
    "application/vnd.apache.parquet": lambda body: pq.read_table(io.BytesIO(body)).to_pylist(),
}
RUNNING, WAITING = 4, 16


@pytest.fixture
def table(client):
    client.create_table("t.rows", "id long required, s string")
    client.records("t.rows", ndjson({"id": i, "s": f"row {i}"} for i in range(5000))).ok()


def ask(server, body, accept="application/x-ndjson", **keywords) -> requests.Response:
    return requests.post(f"{server.url}/v1/query", json=body, headers={"Accept": accept}, timeout=100, **keywords)


@pytest.mark.parametrize("accept", FORMATS)
def test_every_format(server, table, accept):
    answer = ask(server, {"sql": "SELECT * FROM t.rows ORDER BY id"}, accept)
    assert answer.status_code == 200 and answer.headers["Content-Type"] == accept
    assert FORMATS[accept](answer.content) == [{"id": i, "s": f"row {i}"} for i in range(5000)]
    empty = ask(server, {"sql": "SELECT * FROM t.rows WHERE id < 0"}, accept)
    assert empty.status_code == 200 and FORMATS[accept](empty.content) == []


def test_the_first_known_format_is_taken(server, table):
    body = {"sql": "SELECT 1 AS x"}
    assert ask(server, body, "text/html, text/csv;q=0.9, */*").text == "x\r\n1\r\n"
    assert ask(server, body, "*/*").text == '{"x":1}\n'
    assert ask(server, body, "text/html").text == '{"x":1}\n'


def test_bounds(server, client, table):
    sql = "SELECT id FROM t.rows ORDER BY id"
    assert ask(server, {"sql": sql, "limit": 2}).text == '{"id":0}\n{"id":1}\n'
    assert ask(server, {"sql": sql, "limit": 0}).text == ""
    three = ask(server, {"sql": sql, "limit": 3}, "application/vnd.apache.parquet")
    assert pq.read_table(io.BytesIO(three.content)).num_rows == 3
    client.once("POST", "/v1/query", body={"sql": SILENT, "timeout-ms": 300}).problem(413, "query_time_limit")
    for member, value in [
        ("limit", -1), ("limit", "2"), ("limit", 1.5), ("timeout-ms", 0), ("timeout-ms", 300_001), ("timeout-ms", [])
    ]:  # fmt: skip
        problem = client.once("POST", "/v1/query", body={"sql": sql, member: value}).problem(400, "bad_member")
        assert member in problem["detail"]
    assert "timeout_ms" in client.once("POST", "/v1/query", body={"sql": sql, "timeout_ms": 5}).text
    client.once("POST", "/v1/query", body={"sql": sql, "timeout_ms": 5}).problem(400, "unknown_member")
    client.once("POST", "/v1/query", body={"limit": 5}).problem(400, "empty_query")


def test_errors_before_the_first_row(client, table):
    client.once("POST", "/v1/query", body={"sql": "SELECT * FROM t.none"}).problem(404, "table_not_found")
    mixed = {"sql": "SELECT 1 AS v UNION ALL SELECT 'x'"}
    accept = {"Accept": "application/vnd.apache.parquet"}
    client.once("POST", "/v1/query", body=mixed, headers=accept).problem(400, "mixed_types")


def send(server, body: dict, accept="application/x-ndjson", version="1.1") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=100)
    data = json.dumps(body).encode()
    head = f"POST /v1/query HTTP/{version}\r\nHost: x\r\nContent-Type: application/json\r\nAccept: {accept}\r\n"
    head += "Connection: close\r\n"
    connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    return connection


def is_complete(answer: bytearray) -> bool:
    """Whether the chunk of length 0 came, which ends a body; what rows hold may look like it."""
    at = answer.index(b"\r\n\r\n") + 4
    while (line_end := answer.find(b"\r\n", at)) >= 0:
        length = int(answer[at:line_end], 16)
        if length == 0:
            return True
        at = line_end + 2 + length + 2
    return False


def late_error(attempt, first_ms=2500):
    """What `attempt` makes of an endless answer with a time limit that this machine's first bytes come within.

    It answers None where the error came before them.
    """
    for limit_ms in (first_ms, 4 * first_ms, 12 * first_ms):
        outcome = attempt({"sql": ENDLESS, "timeout-ms": limit_ms})
        if outcome is not None:
            return outcome
    raise AssertionError(f"no bytes of the answer came in {limit_ms} ms")


@pytest.mark.limit(300)
@pytest.mark.parametrize("accept", [*FORMATS, "text/csv"])
def test_a_late_error_breaks_the_answer_off(server, table, accept):
    def read_raw(body):
        with send(server, body, accept) as connection:
            received = bytearray()
            while piece := connection.recv(1 << 20):
                received += piece
        return None if received.startswith(b"HTTP/1.1 413 ") else received

    def read_with_requests(body):
        try:
            answer = ask(server, body, accept)
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError) as error:
            return error
        assert answer.status_code == 413, "an answer that broke off was taken for a whole one"
        return None

    # The first row group of Parquet, 32 MiB, takes a while.
    first_ms = 5000 if accept.endswith("parquet") else 2500
    received = late_error(read_raw, first_ms)
    assert received.startswith(b"HTTP/1.1 200 ") and b"chunked" in received[:500]
    assert len(received) > 10_000 and not is_complete(received)
    with send(server, {"sql": "SELECT 1 AS x"}, accept) as connection:
        assert is_complete(connection.makefile("rb").read())
    late_error(read_with_requests, first_ms)


def test_a_late_error_over_http_1_0_resets_the_connection(server, table):
    """Without chunks the end of the connection is the end of the body: it must not come as an orderly one."""

    def read_raw(body):
        received = bytearray()
        with send(server, body, version="1.0") as connection:
            try:
                while piece := connection.recv(1 << 20):
                    received += piece
            except ConnectionResetError:
                return received
        assert received.split()[1] == b"413", "an answer that broke off looks like a whole one"
        return None

    assert len(late_error(read_raw, 1500)) > 10_000
    with send(server, {"sql": "SELECT 1 AS x"}, version="1.0") as connection:
        received = b""
        while piece := connection.recv(1 << 20):
            received += piece
    assert received.endswith(b'{"x":1}\n')


def settles(server, seconds=60) -> bool:
    """True once the server has used next to no processor for a second."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        before = cpu_seconds(server.process.pid)
        time.sleep(1)
        if cpu_seconds(server.process.pid) - before < 0.05:
            return True
    return False


@pytest.mark.parametrize("sql", [SILENT, ENDLESS, JOIN], ids=["silent", "endless", "join"])
@pytest.mark.parametrize("way", ["close", "reset"])
def test_a_client_that_leaves_ends_its_query(server, table, sql, way):
    connection = send(server, {"sql": sql})
    # ENDLESS waits for its reader once the buffers are full.
    assert connection.recv(1) if sql == ENDLESS else wait_until_busy(server.process.pid, 0.5) is None
    if way == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    # The time limit of the server's own is five minutes.
    assert settles(server), "the query goes on"
    assert ask(server, {"sql": "SELECT 1 AS x"}).text == '{"x":1}\n'


def run_as_many_as_may(server) -> list[socket.socket]:
    """Queries that certainly run, since each has begun to answer, and that end when their clients go away."""
    running = [send(server, {"sql": ENDLESS}) for _ in range(RUNNING)]
    assert all(connection.recv(1) for connection in running)
    return running


def wait_as_many_as_may(server) -> tuple[list[socket.socket], bytes]:
    """Queries that certainly wait, since one more than may was sent and refused; and that one's answer."""
    waiting = [send(server, {"sql": "SELECT 1 AS x"}) for _ in range(WAITING + 1)]
    refused = select.select(waiting, [], [], 25)[0]
    assert len(refused) == 1, f"{len(refused)} of {WAITING + 1} are refused or answered"
    waiting.remove(refused[0])
    return waiting, read_all(refused[0])


def read_all(connection: socket.socket) -> bytes:
    with connection, connection.makefile("rb") as answer:
        return answer.read()


def test_only_so_many_queries_at_once(server, table):
    """Four run, sixteen wait, the next is refused; when those that run go away, those that wait get their turn."""
    running = run_as_many_as_may(server)
    waiting, refused = wait_as_many_as_may(server)
    assert refused.startswith(b"HTTP/1.1 429 ") and b"too_many_queries" in refused
    assert int(re.search(rb"(?i)\r\nretry-after: (\d+)\r\n", refused)[1]) >= 1
    # Ingest and other routes are not held up.
    assert requests.get(f"{server.url}/readyz", timeout=20).status_code == 200
    assert select.select(waiting, [], [], 0.5)[0] == []
    for connection in running:
        connection.close()
    answers = [read_all(connection) for connection in waiting]
    assert all(answer.startswith(b"HTTP/1.1 200 ") and b'{"x":1}\n' in answer for answer in answers)


def wait_for_connections(client, count: int) -> None:
    """Until the server has so many; the client's own is one of them."""
    deadline, found = time.monotonic() + 20, -1
    while found != count:
        assert time.monotonic() < deadline, f"the server has {found} connections, not {count}"
        text = client.once("GET", "/metrics").ok().text
        found = int(re.search(r"^firn_http_connections (\d+)$", text, re.MULTILINE)[1])


def test_a_waiting_client_that_leaves_makes_room(server, client, table):
    running = run_as_many_as_may(server)
    waiting, _ = wait_as_many_as_may(server)
    wait_for_connections(client, RUNNING + WAITING + 1)
    waiting.pop().close()
    wait_for_connections(client, RUNNING + WAITING)
    late = send(server, {"sql": "SELECT 2 AS x"})
    assert select.select([late], [], [], 0.5)[0] == [], "refused, though there is room"
    for connection in running:
        connection.close()
    for connection in [*waiting, late]:
        assert read_all(connection).startswith(b"HTTP/1.1 200 ")
