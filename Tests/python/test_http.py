"""The front door on the wire: requests cut, glued, slow, oversize or ambiguous, and both protocols on one port."""

import gzip
import json
import socket
import subprocess
import threading
import time

import httpx
import pytest
import zstandard

from support import raw
from support.client import NDJSON, Client, ndjson

SCHEMA = "id long required, who string"
PATH = "/v1/tables/app/events/records"


@pytest.fixture
def table(client):
    client.once("POST", "/v1/namespaces", body={"namespace": "app"}).ok()
    client.once("POST", "/v1/tables", body={"namespace": "app", "name": "events", "schema": SCHEMA}).ok()
    return "app.events"


class Wire:
    """A bare connection that reads answers one by one, whatever pieces they come in."""

    def __init__(self, port: int, timeout: float = 20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.input = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _more(self) -> bool:
        data = self.socket.recv(65536)
        self.input += data
        return bool(data)

    def answer(self) -> tuple[int, dict, bytes]:
        """The next answer; interim ones (1xx) have no body."""
        while b"\r\n\r\n" not in self.input:
            assert self._more(), f"the connection ended in the head of an answer: {self.input!r}"
        head, self.input = self.input.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        status = int(lines[0].split()[1])
        headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        while len(self.input) < length:
            assert self._more(), "the connection ended in the body of an answer"
        body, self.input = self.input[:length], self.input[length:]
        return status, headers, body

    def is_closed(self) -> bool:
        """Nothing more comes."""
        try:
            return self.socket.recv(65536) == b"" and not self.input
        except ConnectionResetError:
            return True


def request(body: bytes, headers: dict | None = None, path: str = PATH) -> bytes:
    fields = {"Content-Type": NDJSON, "Content-Length": str(len(body))} | (headers or {})
    return raw.request_head("POST", path, fields) + body


def record(number: int) -> bytes:
    return b'{"id":%d,"who":"w"}\n' % number


def ids(client, table) -> list[int]:
    client.flush(table)
    answer = client.once("POST", "/v1/query", data=f"SELECT id FROM {table} ORDER BY id").ok()
    return [json.loads(line)["id"] for line in answer.text.splitlines()]


def test_requests_in_one_packet_are_answered_in_order(table, server, client):
    with Wire(server.port) as wire:
        get = raw.request_head("GET", "/healthz", {})
        missing = request(record(0), path="/v1/tables/app/nosuch/records")
        wire.send(request(record(1)) + get + request(record(2)) + missing + request(record(3)) + get)
        statuses = [wire.answer()[0] for _ in range(6)]
    assert statuses == [200, 200, 200, 404, 200, 200]
    assert ids(client, table) == [1, 2, 3]


def test_many_requests_in_one_go(table, server, client):
    """More than are read ahead: the rest waits in the socket, and nothing is lost or reordered."""
    count = 300
    with Wire(server.port) as wire:
        sender = threading.Thread(target=wire.send, args=(b"".join(request(record(n)) for n in range(count)),))
        sender.start()
        answers = [wire.answer() for _ in range(count)]
        sender.join()
    assert all(status == 200 for status, _, _ in answers)
    assert ids(client, table) == list(range(count))


def test_a_producers_pipelined_batches_land_one_after_the_other(table, server, client):
    stamp = {"Firn-Producer": "p", "Firn-Epoch": "1"}
    with Wire(server.port) as wire:
        wire.send(b"".join(request(record(n), stamp | {"Firn-Sequence": str(n)}) for n in range(1, 21)))
        answers = [wire.answer() for _ in range(20)]
    assert [status for status, _, _ in answers] == [200] * 20
    positions = [json.loads(body)["position"] for _, _, body in answers]
    assert positions == sorted(positions)
    assert ids(client, table) == list(range(1, 21))


def test_one_byte_at_a_time(table, server, client):
    with Wire(server.port) as wire:
        for byte in request(record(1)):
            wire.send(bytes([byte]))
        assert wire.answer()[0] == 200
        chunked = raw.request_head("POST", PATH, {"Content-Type": NDJSON, "Transfer-Encoding": "chunked"})
        for byte in chunked + b"5;x=y\r\n" + record(2)[:5] + b"\r\n%x\r\n%s\r\n0\r\nT: v\r\n\r\n" % (
            len(record(2)) - 5, record(2)[5:],
        ):  # fmt: skip
            wire.send(bytes([byte]))
        assert wire.answer()[0] == 200
    assert ids(client, table) == [1, 2]


def test_ingest_and_other_routes_share_a_connection(table, server, client):
    with Wire(server.port) as wire:
        for number in range(5):
            wire.send(request(record(number)))
            assert wire.answer()[0] == 200
            wire.send(raw.request_head("GET", "/v1/tables/app/events", {}))
            status, _, body = wire.answer()
            assert status == 200 and json.loads(body)["name"] == "events"
            wire.send(request(b"SELECT 1 AS one", {"Content-Type": "text/plain"}, path="/v1/query?x=1"))
            wire_status = read_chunked(wire)
            assert wire_status == (200, b'{"one":1}\n')
    assert ids(client, table) == list(range(5))


def read_chunked(wire: Wire) -> tuple[int, bytes]:
    status, headers, _ = wire.answer()
    assert headers["transfer-encoding"] == "chunked"
    body = b""
    while True:
        while b"\r\n" not in wire.input:
            assert wire._more()
        size, wire.input = wire.input.split(b"\r\n", 1)
        need = int(size, 16) + 2
        while len(wire.input) < need:
            assert wire._more()
        body, wire.input = body + wire.input[: need - 2], wire.input[need:]
        if need == 2:
            return status, body


@pytest.mark.parametrize(
    "head",
    [
        {"Content-Length": "20", "Transfer-Encoding": "chunked"},
        {"Transfer-Encoding": "chunked", "Content-Length": "20"},
        {"Content-Length": "20, 20"},
        {"Content-Length": "+20"},
        {"Content-Length": "20\x00"},
        {"X": "a\r\n b"},
        {"X ": "a"},
        {"X": "a\rb"},
        {"Host": "b"},
    ],
    ids=lambda head: "-".join(f"{k}={v!r}" for k, v in head.items()),
)
def test_ambiguous_heads_are_refused_and_what_follows_is_not_read(table, server, client, head):
    """Whoever is in front may see the next request elsewhere: after such a head nothing more is answered."""
    smuggled = request(record(666))
    with Wire(server.port) as wire:
        wire.send(raw.request_head("POST", PATH, {"Content-Type": NDJSON} | head) + smuggled)
        status, headers, body = wire.answer()
        assert status == 400 and headers["connection"] == "close"
        assert json.loads(body)["code"] == "bad_request"
        assert wire.is_closed()
    assert ids(client, table) == []


def test_a_head_that_is_too_large(table, server, client):
    with Wire(server.port) as wire:
        wire.send(raw.request_head("POST", PATH, {"X": "a" * 20_000}))
        assert wire.answer()[0] == 431
        assert wire.is_closed()
    with Wire(server.port) as wire:
        wire.send(raw.request_head("POST", PATH, {f"X{n}": "a" for n in range(101)}))
        assert wire.answer()[0] == 431


def test_versions(table, server, client):
    with Wire(server.port) as wire:
        wire.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        status, headers, _ = wire.answer()
        assert status == 200 and headers["connection"] == "close"
        assert wire.is_closed()
    with Wire(server.port) as wire:
        wire.send(b"GET /healthz HTTP/3.0\r\nHost: h\r\n\r\n")
        assert wire.answer()[0] == 505


def test_expect_100_continue(table, server, client):
    body = record(1)
    head = request(b"", {"Content-Length": str(len(body)), "Expect": "100-continue"})
    with Wire(server.port) as wire:
        wire.send(head)
        assert wire.answer()[0] == 100
        wire.send(body)
        assert wire.answer()[0] == 200
        # What is refused by its head alone is refused before the body is sent.
        wire.send(request(b"", {"Content-Length": "9", "Expect": "100-continue", "Content-Type": "text/xml"}))
        status, headers, _ = wire.answer()
        assert status == 415 and headers["connection"] == "close"
    with Wire(server.port) as wire:
        wire.send(request(b"", {"Content-Length": str(1 << 40), "Expect": "100-continue"}))
        assert wire.answer()[0] == 413
    assert ids(client, table) == [1]


def test_curl_sends_large_bodies_with_expect(table, server, client):
    body = ndjson({"id": n, "who": "x" * 100} for n in range(20_000))
    command = [
        "curl", "-sS", "--fail-with-body", "-H", f"Content-Type: {NDJSON}", "-H", "Expect: 100-continue",
        "--data-binary", "@-", server.url + PATH,
    ]  # fmt: skip
    done = subprocess.run(command, input=body, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accepted"] == 20_000


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_compressed_bodies(table, server, client, coding):
    body = ndjson({"id": n, "who": "w"} for n in range(1000))
    packed = gzip.compress(body) if coding == "gzip" else zstandard.compress(body)
    with Wire(server.port) as wire:
        wire.send(request(packed, {"Content-Encoding": coding}))
        status, _, answer = wire.answer()
        assert status == 200 and json.loads(answer)["accepted"] == 1000
        wire.send(request(packed[:-20], {"Content-Encoding": coding}))
        assert wire.answer()[0] == 400
        wire.send(request(packed, {"Content-Encoding": "br"}))
        assert wire.answer()[0] == 415
        # All three were answered on one connection, which still serves.
        wire.send(request(record(5000)))
        assert wire.answer()[0] == 200


def test_oversize_bodies_are_cut_off_early(table, server, client):
    with Wire(server.port) as wire:
        wire.send(request(b"", {"Content-Length": str(100 << 20)}))
        status, headers, body = wire.answer()
        assert status == 413 and headers["connection"] == "close"
        assert json.loads(body)["code"] == "body_too_large"
        assert wire.is_closed()


def test_refused_requests_leave_the_connection_usable(table, server, client):
    with Wire(server.port) as wire:
        for headers in ({"Content-Type": "text/xml"}, {"Firn-Sequence": "1"}, {"Content-Encoding": "lzma"}):
            wire.send(request(record(1) * 1000, headers))
            assert wire.answer()[0] in (400, 415)
        wire.send(request(record(1)))
        assert wire.answer()[0] == 200
    assert ids(client, table) == [1]


def test_half_closed_connections_get_their_answer(table, server, client):
    with Wire(server.port) as wire:
        wire.send(request(record(1)))
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.answer()[0] == 200
        assert wire.is_closed()


@pytest.mark.limit(60)
def test_a_slow_head_is_cut_off(table, server, client):
    with Wire(server.port, timeout=30) as wire:
        began = time.monotonic()
        wire.send(b"POST /v1/tables/app/ev")
        status, headers, body = wire.answer()
        assert status == 408 and headers["connection"] == "close"
        assert json.loads(body)["code"] == "request_timeout"
        assert time.monotonic() - began > 5
    server.assert_alive()


def test_a_body_that_trickles_is_cut_off(table, server, client):
    with Wire(server.port) as wire:
        wire.send(request(b"", {"Content-Length": "1000000"}))
        wire.socket.settimeout(0.5)
        status, deadline = None, time.monotonic() + 60
        while status is None:
            assert time.monotonic() < deadline, "a body that came at two bytes a second was waited for"
            try:
                wire.send(b"x")
            except OSError:
                wire.socket.settimeout(20)  # The connection has ended; what it said before is there to be read.
            try:
                status, _, _ = wire.answer()
            except TimeoutError:
                continue
        assert status == 408
    assert client.records(table, record(1)).ok().json["accepted"] == 1


def test_connections_are_bounded(make_server, warehouse):
    server = make_server(warehouse, options=("--max-connections", 5)).start()
    open_wires = [Wire(server.port) for _ in range(5)]
    for wire in open_wires:
        wire.send(raw.request_head("GET", "/healthz", {}))
        assert wire.answer()[0] == 200
    with Wire(server.port) as wire:
        status, headers, body = wire.answer()
        assert status == 503 and headers["retry-after"] == "1"
        assert json.loads(body)["code"] == "too_many_connections"
    open_wires.pop().socket.close()
    deadline = time.monotonic() + 30
    while True:
        try:
            with Wire(server.port) as wire:
                wire.send(raw.request_head("GET", "/healthz", {}))
                if wire.answer()[0] == 200:
                    break
        except OSError:
            pass
        assert time.monotonic() < deadline, "a closed connection did not make room"
    for wire in open_wires:
        wire.socket.close()


def test_http2_with_curl(table, server, client):
    def curl(*arguments, data=None):
        command = ["curl", "-sS", "--http2-prior-knowledge", "-w", "\n%{http_version} %{http_code}", *arguments]
        done = subprocess.run(command, input=data, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().rsplit("\n", 1)

    body, status = curl(server.url + "/healthz")
    assert (json.loads(body)["status"], status) == ("ok", "2 200")
    headers = ["-H", f"Content-Type: {NDJSON}"]
    body, status = curl(*headers, "--data-binary", "@-", server.url + PATH, data=record(1))
    assert (json.loads(body)["accepted"], status) == (1, "2 200")
    body, status = curl(*headers, "--data-binary", "@-", server.url + PATH, data=b"{")
    assert (json.loads(body)["code"], status) == ("all_records_rejected", "2 422")
    assert ids(client, table) == [1]


def test_http2_with_httpx(table, server, client):
    with httpx.Client(http1=False, http2=True, base_url=server.url, trust_env=False) as h2:
        for number in range(50):
            answer = h2.post(PATH, content=record(number), headers={"Content-Type": NDJSON})
            assert answer.http_version == "HTTP/2" and answer.status_code == 200, answer.text
        answer = h2.post(PATH, content=gzip.compress(record(50)),
                         headers={"Content-Type": NDJSON, "Content-Encoding": "gzip"})  # fmt: skip
        assert answer.status_code == 200, answer.text
        assert h2.get("/nosuch").status_code == 404
    assert ids(client, table) == list(range(51))


def test_http2_bodies_are_bounded(make_server, warehouse):
    server = make_server(warehouse, options=("--body-limit-mb", 1)).start()
    with httpx.Client(http1=False, http2=True, base_url=server.url, trust_env=False) as h2:
        answer = h2.post(PATH, content=b"x" * (1 << 20) + b"x", headers={"Content-Type": NDJSON})
        assert answer.status_code == 413 and answer.json()["code"] == "body_too_large"
        assert h2.get("/healthz").status_code == 200


def test_stopping_finishes_what_is_under_way(make_server, warehouse):
    server = make_server(warehouse, flush_interval_ms=2000).start()
    client = Client(server)
    client.once("POST", "/v1/namespaces", body={"namespace": "app"}).ok()
    client.once("POST", "/v1/tables", body={"namespace": "app", "name": "events", "schema": SCHEMA}).ok()
    idle, late, waiting = Wire(server.port), Wire(server.port), Wire(server.port)
    idle.send(raw.request_head("GET", "/healthz", {}))
    assert idle.answer()[0] == 200
    stamp = {"Firn-Producer": "p", "Firn-Epoch": "1", "Firn-Sequence": "1"}
    waiting.send(request(record(1), {"Prefer": "wait=committed"} | stamp))
    late.send(request(b"", {"Content-Length": str(len(record(2))), "Expect": "100-continue"}))
    # Both are under way: the head of one is read, the record of the other is in the log.
    assert late.answer()[0] == 100
    producer, deadline = "/v1/tables/app/events/producers/p", time.monotonic() + 30
    while client.once("GET", producer).status == 404:
        assert time.monotonic() < deadline, "the record does not arrive"
        time.sleep(0.01)
    stopper = threading.Thread(target=server.stop)
    stopper.start()
    assert idle.is_closed()
    late.send(record(2))
    status, headers, _ = late.answer()
    assert status == 200 and headers["connection"] == "close"
    assert waiting.answer()[0] == 200
    assert late.is_closed() and waiting.is_closed()
    stopper.join()
    assert server.process.returncode == 0
    assert not (warehouse / "wal" / "server.json").exists()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.port), timeout=5)
