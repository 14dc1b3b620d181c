"""G7, G8: whatever a client sends, it gets a clear answer, the good records land once and the process lives on."""

import gzip
import itertools
import json
import socket
import struct
import zlib
from urllib.parse import quote

import pytest
import zstandard

from support import raw
from support.client import Client, Producer, table_path
from support.readers import READERS, read_pyiceberg
from support.server import Server

SCHEMA = (
    "id long required, small int, price decimal(9,2), ratio float, ok boolean, day date, at timestamptz,"
    " who string, device struct<os string, version int required>, tags list<string>, counts map<string, int>"
)
MIB = 1 << 20
COUNTER = itertools.count(1)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    return tmp_path_factory.mktemp("bad-input") / "warehouse"


@pytest.fixture(scope="module")
def server(warehouse):
    """One process takes everything in this file."""
    scratch = warehouse.parent / "scratch"
    scratch.mkdir()
    server = Server(warehouse, scratch).start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def client(server):
    return Client(server)


@pytest.fixture
def table(client, server):
    """A fresh table for each test."""
    name = f"app.events_{next(COUNTER)}"
    client.create_table(name, SCHEMA)
    yield name
    server.assert_alive()
    assert server.lives == 1


def ids(client, warehouse, table) -> list[int]:
    client.flush(table)
    return sorted(read_pyiceberg(warehouse, table).column("id").to_pylist())


def records_path(table: str) -> str:
    return table_path(table) + "/records"


def good(number: int) -> bytes:
    return b'{"id":%d,"who":"ok"}' % number


# name, the bad line, code, column
BAD_RECORDS = [
    ("not-json", b"{nope}", "malformed_json", None),
    ("cut-off", b'{"id":7,"who":"x', "malformed_json", None),
    ("two-values", b'{"id":7}{"id":8}', "malformed_json", None),
    ("trailing-comma", b'{"id":7,}', "malformed_json", None),
    ("leading-zero", b'{"id":07}', "malformed_json", None),
    ("bare-nan", b'{"id":7,"ratio":NaN}', "malformed_json", None),
    ("array", b"[1,2]", "wrong_type", None),
    ("scalar", b"7", "wrong_type", None),
    ("text-for-long", b'{"id":"seven"}', "wrong_type", "id"),
    ("fraction-for-long", b'{"id":7.5}', "wrong_type", "id"),
    ("number-for-text", b'{"id":7,"who":7}', "wrong_type", "who"),
    ("text-for-boolean", b'{"id":7,"ok":"true"}', "wrong_type", "ok"),
    ("object-for-list", b'{"id":7,"tags":{"a":"b"}}', "wrong_type", "tags"),
    ("list-for-struct", b'{"id":7,"device":[]}', "wrong_type", "device"),
    ("nested-wrong-type", b'{"id":7,"device":{"os":1,"version":2}}', "wrong_type", "device.os"),
    ("element-wrong-type", b'{"id":7,"tags":["a",3]}', "wrong_type", "tags.element"),
    ("map-value-wrong-type", b'{"id":7,"counts":{"a":"b"}}', "wrong_type", "counts.value"),
    ("not-a-date", b'{"id":7,"day":"2024-2-3"}', "invalid_date", "day"),
    ("no-such-day", b'{"id":7,"day":"2023-02-29"}', "out_of_range", "day"),
    ("not-a-time", b'{"id":7,"at":"yesterday"}', "invalid_timestamp", "at"),
    ("long-overflow", b'{"id":9223372036854775808}', "out_of_range", "id"),
    ("int-overflow", b'{"id":7,"small":2147483648}', "out_of_range", "small"),
    ("no-offset", b'{"id":7,"at":"2024-01-01T00:00:00"}', "invalid_timestamp", "at"),
    ("decimal-too-wide", b'{"id":7,"price":12345678.9}', "out_of_range", "price"),
    ("decimal-too-fine", b'{"id":7,"price":1.234}', "decimal_scale", "price"),
    ("float-overflow", b'{"id":7,"ratio":1e300}', "out_of_range", "ratio"),
    ("unknown-column", b'{"id":7,"whom":"x"}', "unknown_column", "whom"),
    ("unknown-nested-column", b'{"id":7,"device":{"version":1,"cpu":2}}', "unknown_column", "device.cpu"),
    ("missing-required", b'{"who":"x"}', "missing_required", "id"),
    ("null-required", b'{"id":null}', "missing_required", "id"),
    ("missing-nested-required", b'{"id":7,"device":{"os":"x"}}', "missing_required", "device.version"),
    ("invalid-utf8", b'{"id":7,"who":"\xff\xfe"}', "invalid_utf8", None),
    ("overlong-utf8", b'{"id":7,"who":"\xc0\xaf"}', "invalid_utf8", None),
    ("lone-surrogate", b'{"id":7,"who":"\\ud800"}', "malformed_json", None),
    ("raw-nul", b'{"id":7,"who":"a\x00b"}', "malformed_json", None),
    ("nul-line", b"\x00\x00\x00", "malformed_json", None),
    ("deep-lists", b'{"id":7,"tags":' + b"[" * 5000 + b"]" * 5000 + b"}", None, None),
    ("deep-unknown", b'{"id":7,"x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", None, None),
    ("huge-number", b'{"id":' + b"9" * 100_000 + b"}", "number_too_long", None),
]


@pytest.mark.parametrize("line, code, column", [case[1:] for case in BAD_RECORDS], ids=[c[0] for c in BAD_RECORDS])
def test_one_bad_record_among_good_ones(table, server, client, warehouse, line, code, column):
    producer = Producer(client, table, "p", sequence=1)
    body = good(1) + b"\n" + line + b"\n\n" + good(2) + b"\r\n" + good(3)
    answer = client.records(table, body, headers=producer.stamp()).ok().json
    assert answer["accepted"] == 3
    (rejected,) = answer["rejected"]
    assert rejected["line"] == 2
    assert rejected["message"] and len(rejected["message"]) < 500
    if code is not None:
        assert rejected["code"] == code, rejected
    if column is not None:
        assert rejected["column"] == column, rejected

    # The duplicate gets the same answer, and the good records are there once.
    again = client.records(table, body, headers=producer.stamp()).ok().json
    assert again["duplicate"] is True
    assert (again["accepted"], again["rejected"]) == (3, answer["rejected"])
    assert ids(client, warehouse, table) == [1, 2, 3]

    # Alone it is a refused request with the same explanation.
    problem = client.records(table, line + b"\n").problem(422)
    assert [(r["line"], r["code"]) for r in problem["rejected"]] == [(1, rejected["code"])]
    assert ids(client, warehouse, table) == [1, 2, 3]


def test_lines_are_counted_as_a_text_editor_counts(table, client):
    body = b"\n\n" + good(1) + b"\n" + b"{nope}\n" + good(2) + b"\n\n" + b'{"id":"x"}\n'
    rejected = client.records(table, body).ok().json["rejected"]
    assert [(r["line"], r["code"]) for r in rejected] == [(4, "malformed_json"), (7, "wrong_type")]


def test_array_elements_are_counted_as_lines(table, client, warehouse):
    body = b"[" + good(1) + b",\n" + b'{"id":"x"},' + good(2) + b"]"
    answer = client.records(table, body, content_type="application/json").ok().json
    assert answer["accepted"] == 2
    assert [(r["line"], r["code"], r["column"]) for r in answer["rejected"]] == [(2, "wrong_type", "id")]
    assert ids(client, warehouse, table) == [1, 2]


def test_escaped_nul_and_odd_texts_are_data(table, client, warehouse):
    """U+0000 in escapes, astral characters, right-to-left marks and newlines are text like any other."""
    texts = ["a\0b", "\U0001f9ca", "\u202eabc", "line\nbreak\r\t", "", " ", "\ufeff", "'; DROP TABLE x; --", "\x7f"]
    rows = [{"id": number, "who": text} for number, text in enumerate(texts)]
    body = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    assert client.records(table, body).ok().json["accepted"] == len(rows)
    client.flush(table)
    for engine, read in READERS.items():
        found = read(warehouse, table).select(["id", "who"]).sort_by("id").to_pylist()
        assert found == rows, engine


def test_many_bad_records_are_listed_up_to_a_bound(table, client, warehouse):
    body = b"".join(b'{"id":"%d"}\n' % n for n in range(5000)) + good(1) + b"\n"
    answer = client.records(table, body).ok().json
    assert answer["accepted"] == 1
    assert len(answer["rejected"]) == 1000 and answer["rejected-count"] == 5000
    assert ids(client, warehouse, table) == [1]


def test_a_line_over_the_record_limit(table, client, warehouse):
    """20 MiB in one record: that record is refused, its neighbours land."""
    body = good(1) + b"\n" + b'{"id":7,"who":"' + b"x" * (20 * MIB) + b'"}\n' + good(2) + b"\n"
    answer = client.records(table, body).ok().json
    assert answer["accepted"] == 2
    assert [(r["line"], r["code"]) for r in answer["rejected"]] == [(2, "record_too_large")]
    assert ids(client, warehouse, table) == [1, 2]


def test_a_100_mb_line_with_its_length_announced(table, server, client, warehouse):
    line = b'{"id":1,"who":"' + b"x" * 100_000_000 + b'"}\n'
    raw.post(server.port, records_path(table), line).problem(413, "body_too_large")
    assert ids(client, warehouse, table) == []


def test_a_100_mb_line_in_chunks(table, server, client, warehouse):
    pieces = [b'{"id":1,"who":"'] + [b"x" * MIB] * 100 + [b'"}\n']
    raw.post_chunked(server.port, records_path(table), pieces).problem(413, "body_too_large")
    assert ids(client, warehouse, table) == []


def test_a_gzip_bomb(table, server, client, warehouse):
    """A quarter of a megabyte that unpacks to a thousand times as much is refused at the bound, in bounded memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b" " * MIB) for _ in range(256)) + packer.flush()
    client.records(table, bomb, headers={"Content-Encoding": "gzip"}).problem(413, "decompressed_too_large")
    with open(f"/proc/{server.process.pid}/status") as status:
        resident_kib = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    assert resident_kib < 700 * 1024


def test_empty_bodies(table, server, client):
    for body in (b"", b"\n\n", b"   \n"):
        client.records(table, body).problem(400, "empty_body")
    client.records(table, b"[]", content_type="application/json").problem(400, "empty_body")
    packed = gzip.compress(b"")
    client.records(table, packed, headers={"Content-Encoding": "gzip"}).problem(400, "empty_body")


def test_broken_compression(table, client, warehouse):
    body = b"".join(good(n) + b"\n" for n in range(1000))
    whole = gzip.compress(body)
    flipped = bytearray(whole)
    flipped[-6] ^= 0xFF  # In the checksum.
    zipped = zstandard.compress(body)
    cases = [
        ("gzip", whole[: len(whole) // 2], "truncated_deflate"),
        ("gzip", whole[:-4], "truncated_deflate"),
        ("gzip", bytes(flipped), "bad_deflate"),
        ("gzip", body, "bad_deflate"),
        ("zstd", zipped[: len(zipped) // 2], "truncated_zstd"),
        ("zstd", body, "bad_zstd"),
        ("zstd", zipped[:4] + b"\xff" * 40, "bad_zstd"),
    ]
    for coding, data, code in cases:
        client.records(table, data, headers={"Content-Encoding": coding}).problem(400, code)
    client.records(table, body, headers={"Content-Encoding": "br"}).problem(415, "unsupported_encoding")
    assert ids(client, warehouse, table) == []


def test_wrong_content_types(table, server, client, warehouse):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "image/png", "nonsense"):
        client.records(table, good(1), content_type=kind).problem(415, "unsupported_media_type")
    assert client.records(table, good(2), content_type="application/x-ndjson; charset=utf-8").ok()
    assert ids(client, warehouse, table) == [2]


def test_a_broken_json_array_lands_nothing(table, client, warehouse):
    """Without its closing bracket nobody knows what was meant: unlike lines, an array is taken whole or not at all."""
    for body in (b'[{"id":1},{"id":2}', b'[{"id":1} {"id":2}]', b'{"id":1', b'[{"id":1}] x', b"nope"):
        client.records(table, body, content_type="application/json").problem(400, "malformed_json")
    assert ids(client, warehouse, table) == []


def test_unknown_tables_and_routes(table, client):
    client.records("app.missing", good(1)).problem(404, "table_not_found")
    client.records("nowhere.events", good(1)).problem(404, "table_not_found")
    client.once("GET", "/v1/tables/app/missing").problem(404, "table_not_found")
    client.once("POST", "/v1/tables/app/missing/compact").problem(404, "table_not_found")
    client.once("GET", table_path(table) + "/producers/nobody").problem(404, "producer_not_found")
    client.once("GET", "/v1/nothing/here").problem(404)
    assert client.once("DELETE", records_path(table)).status in (404, 405)


BAD_NAMES = ["..", "../x", "../../etc", ".", "a/b", 'a"b', "a'b", "a b", "a\\b", "a\0b", "a;b", "\u00e9", "%2e%2e",
             "-a", "n" * 256, "x" * 5000]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: repr(name)[:24])
def test_bad_identifiers(server, client, warehouse, name):
    """Traversal, quotes, control characters, lengths: refused before they become part of a path or of SQL."""
    coded = quote(name, safe="")
    for target in (f"/v1/tables/{coded}/events/records", f"/v1/tables/app/{coded}/records"):
        raw.post(server.port, target, good(1)).problem(400, "bad_identifier")
    for body in ({"namespace": name, "name": "t"}, {"namespace": "app", "name": name}):
        answer = client.once("POST", "/v1/tables", body=body | {"schema": "id long"})
        answer.problem(400, "bad_identifier")
    # Nothing was made beside the warehouse, nor below it but what the one good table needs.
    assert {path.name for path in warehouse.parent.iterdir()} == {"warehouse", "scratch"}
    assert {path.name for path in warehouse.iterdir() if path.is_dir()} <= {"app", "wal"}


def test_unescaped_traversal(server):
    """A target that a client library would have normalised away."""
    for target in ("/v1/tables/../../etc/passwd/records", "/v1/tables/app/../records", "/v1/tables//events/records",
                   "/v1/tables/%2e%2e/events/records", "/v1/tables/%2e%2e%2fx/events/records"):
        answer = raw.post(server.port, target, good(1))
        assert answer.status in (400, 404), f"{target}: {answer.status}"


@pytest.mark.parametrize(
    "schema",
    ["", "id", "id nonsense", "id long, id int", "id decimal(39,2)", "id decimal(2,3)", "s struct<>", "l list<>",
     "m map<string>", "id long required required", "a long,, b int", 7, [], {"type": "struct"},
     {"type": "struct", "fields": [{"name": "a", "type": "varchar"}]}],
    ids=str,
)  # fmt: skip
def test_bad_schemas(server, client, schema):
    name = f"bad_{next(COUNTER)}"
    client.once("POST", "/v1/tables", body={"namespace": "app", "name": name, "schema": schema}).problem(400)
    client.once("GET", f"/v1/tables/app/{name}").problem(404, "table_not_found")
    server.assert_alive()


def test_table_creation_conflicts_and_nonsense(table, client):
    again = {"namespace": "app", "name": table.split(".")[1], "schema": "id long"}
    client.once("POST", "/v1/tables", body=again).problem(409)
    client.once("POST", "/v1/tables", data=b"{", headers={"Content-Type": "application/json"}).problem(400)
    client.once("POST", "/v1/tables", body=["no"]).problem(400)
    client.once("POST", "/v1/tables", body={"namespace": "app"}).problem(400)
    for partition in ("nosuch", "day(who)", "bucket(0, id)", "hour(", "sideways(id)"):
        body = {"namespace": "app", "name": "p", "schema": SCHEMA, "partition": partition}
        client.once("POST", "/v1/tables", body=body).problem(400)


def test_a_client_that_vanishes_mid_body(table, server, client, warehouse):
    """Half a request is no request: nothing of it lands, and the connection's resources come back."""
    headers = {"Content-Type": "application/x-ndjson", "Content-Length": "1000000"}
    head = raw.request_head("POST", records_path(table), headers)
    for _ in range(20):
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        connection.sendall(head + good(66) + b"\n")
        # RST instead of FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert client.records(table, good(1)).ok().json["accepted"] == 1
    assert ids(client, warehouse, table) == [1]


def test_bytes_that_are_not_http(table, server, client):
    for data in (b"\x00" * 100, b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00", b"POST / HTTP/9.9\r\n\r\n", b"A" * 100_000):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            try:
                connection.sendall(data + b"\r\n\r\n")
                connection.shutdown(socket.SHUT_WR)
                connection.recv(4096)
            except OSError:
                pass
    server.assert_alive()
    assert client.once("GET", "/healthz").status == 200


def test_every_bad_record_at_once(table, server, client, warehouse):
    """All of them in one body between good ones: each is explained on its own line."""
    lines, expected = [], []
    for number, (_, line, code, _) in enumerate(BAD_RECORDS):
        lines += [good(number), line]
        expected.append((2 * number + 2, code))
    answer = client.records(table, b"\n".join(lines) + b"\n").ok().json
    assert answer["accepted"] == len(BAD_RECORDS)
    found = [(r["line"], r["code"]) for r in answer["rejected"]]
    open_codes = {line for line, code in expected if code is None}
    assert [(line, None if line in open_codes else code) for line, code in found] == expected
    assert ids(client, warehouse, table) == list(range(len(BAD_RECORDS)))
