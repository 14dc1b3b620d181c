"""Bodies in CSV, Avro, Arrow and Parquet, made by other programs, land as the rows they were made from."""

import datetime
import gzip
import json
import random
import uuid
from decimal import Decimal

import pytest

from support import bodies
from support.bodies import ARROW, AVRO, COLUMNS, CSV, PARQUET, UTC
from support.cli import firn
from support.readers import READERS, MapOf, assert_same_records, sql_catalog

TABLE = "app.formats"
COMMITTED = {"Prefer": "wait=committed"}


def land(client, data, kind, table=TABLE, accepted=None):
    answer = client.records(table, data, content_type=kind, headers=COMMITTED).ok()
    assert answer.json["rejected"] == [], answer.text[:2000]
    if accepted is not None:
        assert answer.json["accepted"] == accepted
    return answer


def assert_landed(warehouse, rows, table=TABLE, engines=("pyiceberg", "duckdb")):
    for engine in engines:
        expected = rows
        if engine == "pyiceberg":
            # PyIceberg 0.12 reads a null list, or map, of structs as an empty one; see test_types.py.
            expected = [{k: [] if v is None and k in ("lo", "mi") else v for k, v in row.items()} for row in rows]
        assert_same_records(READERS[engine](warehouse, table), expected, "id", engine)


@pytest.mark.parametrize("form", ["plain", "lz4", "zstd", "one-batch", "file", "views"])
def test_arrow_of_every_type(client, warehouse, form):
    # Polars has neither types of fixed length nor maps.
    names = [name for name in COLUMNS if form != "views" or name not in {"fx", "m", "mi", "ts_s", "t32", "d64"}]
    table, rows = bodies.table_and_rows(names)
    client.create_table(TABLE, bodies.short_schema(names))
    data = {
        "plain": lambda: bodies.arrow_stream(table),
        "lz4": lambda: bodies.arrow_stream(table, "lz4"),
        "zstd": lambda: bodies.arrow_stream(table, "zstd"),
        "one-batch": lambda: bodies.arrow_stream(table, chunk=1000),
        "file": lambda: bodies.arrow_file(table),
        "views": lambda: bodies.polars_arrow(table),
    }[form]()
    land(client, data, ARROW, accepted=60)
    assert_landed(warehouse, rows, engines=tuple(READERS))


@pytest.mark.parametrize("form", ["v1", "v2", "polars", "duckdb"])
def test_parquet_of_every_type(client, warehouse, tmp_path, form):
    foreign = {"fx", "m", "mi", "ts_s", "d64"} if form in ("polars", "duckdb") else {"ts_s"}
    names = [name for name in COLUMNS if name not in foreign | ({"nothing"} if form == "duckdb" else set())]
    table, rows = bodies.table_and_rows(names)
    client.create_table(TABLE, bodies.short_schema(names))
    data = {
        "v1": lambda: bodies.parquet(table),
        "v2": lambda: bodies.parquet(table, data_page_version="2.0", compression="zstd", store_schema=False),
        "polars": lambda: bodies.polars_parquet(table),
        "duckdb": lambda: bodies.duckdb_file(table, tmp_path / "x.parquet", "FORMAT parquet"),
    }[form]()
    land(client, data, PARQUET, accepted=60)
    assert_landed(warehouse, rows)


AVRO_SCHEMA = {
    "type": "record", "name": "row", "namespace": "app",
    "fields": [
        {"name": "id", "type": "int"},
        {"name": "b", "type": ["null", "boolean"]},
        {"name": "n", "type": ["long", "null"]},
        {"name": "f", "type": "float"},
        {"name": "d", "type": "double"},
        {"name": "s", "type": ["null", "string"]},
        {"name": "bin", "type": "bytes"},
        {"name": "fx", "type": {"type": "fixed", "name": "three", "size": 3}},
        {"name": "e", "type": {"type": "enum", "name": "colour", "symbols": ["RED", "GREEN"]}},
        {"name": "dec", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "decf", "type": ["null", {"type": "fixed", "name": "dec_t", "size": 16, "logicalType": "decimal",
                                           "precision": 38, "scale": 10}]},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "t", "type": {"type": "int", "logicalType": "time-millis"}},
        {"name": "tu", "type": {"type": "long", "logicalType": "time-micros"}},
        {"name": "tz", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
        {"name": "tzu", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "local", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
        {"name": "u", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "l", "type": {"type": "array", "items": ["null", "int"]}},
        {"name": "m", "type": {"type": "map", "values": ["null", "double"]}},
        {"name": "o", "type": ["null", {"type": "record", "name": "inner", "fields": [
            {"name": "x", "type": ["null", "int"]}, {"name": "again", "type": "colour"},
            {"name": "l", "type": {"type": "array", "items": {"type": "map", "values": "string"}}}]}]},
        {"name": "gone", "type": "null"},
    ],
}  # fmt: skip
AVRO_TABLE = (
    "id long required, b boolean, n long, f double, d double, s string, bin binary, fx fixed[3], e string,"
    " dec decimal(11,4), decf decimal(38,10), day date, t time, tu time, tz timestamptz, tzu timestamp,"
    " local timestamp, u uuid, l list<long>, m map<string, double>,"
    " o struct<x long, again string, l list<map<string, string>>>, gone string"
)


def avro_row(n: int) -> tuple[dict, dict]:
    """A record for fastavro, and the row it stands for."""
    moment = datetime.datetime(2024, 2, 29, 12, n % 60, 0, 789000, UTC)
    inner = None if n % 3 == 0 else {"x": None if n % 2 else n, "again": "RED", "l": [{"k": "v"}, {}]}
    record = {
        "id": n, "b": None if n % 4 == 0 else n % 2 == 0, "n": None if n % 5 == 0 else n * 2**40, "f": 0.5, "d": 0.1,
        "s": None if n % 6 == 0 else f"é{n}", "bin": b"\0\xff" * (n % 3), "fx": b"abc", "e": ["RED", "GREEN"][n % 2],
        "dec": Decimal("-1.25"), "decf": None if n % 2 else Decimal("-1234567890123456789012345678.0123456789"),
        "day": moment.date(), "t": datetime.time(1, 2, 3, 4000), "tu": datetime.time(1, 2, 3, 4),
        "tz": None if n % 7 == 0 else moment, "tzu": moment, "local": moment.replace(tzinfo=None),
        "u": uuid.UUID(int=n), "l": [None, n][: n % 3], "m": {"a": 0.5, "b": None} if n % 2 else {}, "o": inner,
        "gone": None,
    }  # fmt: skip
    row = record | {
        "dec": Decimal("-1.2500"), "tzu": moment.replace(tzinfo=None), "m": MapOf(record["m"]),
        "o": inner and inner | {"l": [MapOf({"k": "v"}), MapOf()]},
    }  # fmt: skip
    return record, row


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_avro_of_every_type(client, warehouse, codec):
    pairs = [avro_row(n) for n in range(300)]
    client.create_table(TABLE, AVRO_TABLE)
    land(client, bodies.avro(AVRO_SCHEMA, [record for record, _ in pairs], codec), AVRO, accepted=300)
    assert_landed(warehouse, [row for _, row in pairs])


CSV_NAMES = ["b", "i8", "u32", "i64", "f64", "s", "dec", "d", "ts_us", "t64"]


@pytest.mark.parametrize("form", ["pyarrow", "polars", "duckdb", "duckdb-quoted"])
def test_csv(client, warehouse, tmp_path, form):
    table, rows = bodies.table_and_rows(CSV_NAMES)
    client.create_table(TABLE, bodies.short_schema(CSV_NAMES))
    data = {
        "pyarrow": lambda: bodies.arrow_csv(table),
        "polars": lambda: bodies.polars.from_arrow(table).write_csv(quote_style="non_numeric").encode(),
        "duckdb": lambda: bodies.duckdb_file(table, tmp_path / "x.csv", "FORMAT csv, HEADER"),
        "duckdb-quoted": lambda: bodies.duckdb_file(table, tmp_path / "x.csv", "FORMAT csv, HEADER, FORCE_QUOTE (s)"),
    }[form]()
    land(client, data, CSV, accepted=60)
    # Writers disagree about which of an empty string and null is quoted; null is what nothing at all stands for.
    quotes_empty = form != "polars"
    if not quotes_empty or form == "duckdb-quoted":
        for row in rows:
            row.pop("s")
    assert_landed(warehouse, rows)


def test_csv_with_nested_columns_and_line_ends(client, warehouse):
    client.create_table(TABLE, "id long, s string, l list<int>, o struct<a string>, bin binary")
    data = (
        '\ufeffid,o,s,l,bin\r\n1,"{""a"": ""x,y""}","two\r\nlines, ""quoted""","[1, null]",AAE=\r\n'
        '2,,"",[],\r\n\r\n3,{},é,,\r\n'
    )
    land(client, data.encode(), "text/csv; charset=utf-8; header=present", accepted=3)
    rows = [
        {"id": 1, "s": 'two\r\nlines, "quoted"', "l": [1, None], "o": {"a": "x,y"}, "bin": b"\0\x01"},
        {"id": 2, "s": "", "l": [], "o": None, "bin": None},
        {"id": 3, "s": "é", "l": None, "o": {"a": None}, "bin": None},
    ]
    assert_landed(warehouse, rows)


# Of these records the second and the fourth do not fit `id int required, at timestamp, o struct<d decimal(4,1)>`.
MISFITS = [
    {"id": 1, "at": 1_000, "d": Decimal("1.10")},
    {"id": None, "at": 2_000, "d": None},
    {"id": 3, "at": 3_000, "d": Decimal("2.50")},
    {"id": 4, "at": 4_000, "d": Decimal("0.25")},
]


def misfit_table():
    pa = bodies.pa
    return pa.table(
        {
            "id": pa.array([r["id"] for r in MISFITS], pa.int64()),
            "at": pa.array([r["at"] for r in MISFITS], pa.timestamp("ns")),
            "o": pa.array([{"d": r["d"]} for r in MISFITS], pa.struct([("d", pa.decimal128(6, 2))])),
        }
    )


def misfit_avro():
    fields = [
        {"name": "id", "type": ["null", "long"]},
        {"name": "at", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
        {"name": "o", "type": {"type": "record", "name": "o", "fields": [
            {"name": "d", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}]}]}},
    ]  # fmt: skip
    schema = {"type": "record", "name": "r", "fields": fields}
    epoch = datetime.datetime(1970, 1, 1)
    rows = [
        {"id": r["id"], "at": epoch + datetime.timedelta(microseconds=r["at"] // 1000), "o": {"d": r["d"]}}
        for r in MISFITS
    ]
    return bodies.avro(schema, rows)


MISFIT_BODIES = {
    "arrow": lambda: (bodies.arrow_stream(misfit_table(), chunk=1), ARROW, [2, 4]),
    "parquet": lambda: (bodies.parquet(misfit_table(), row_group_size=3), PARQUET, [2, 4]),
    "avro": lambda: (misfit_avro(), AVRO, [2, 4]),
    "csv": lambda: (
        b'id,at,o\n1,1970-01-01 00:00:00.000001,"{""d"":1.1}"\n,1970-01-01 00:00:00,\n'
        b'3,1970-01-01 00:00:00.000003,"{""d"":2.50}"\n4,1970-01-01 00:00:00,"{""d"":0.25}"\n', CSV, [3, 5]),
}  # fmt: skip


@pytest.mark.parametrize("form", MISFIT_BODIES)
def test_rejected_records_leave_the_others(client, warehouse, form):
    client.create_table(TABLE, "id int required, at timestamp, o struct<d decimal(4,1)>")
    data, kind, places = MISFIT_BODIES[form]()
    answer = client.records(TABLE, data, content_type=kind, headers=COMMITTED).ok().json
    assert answer["accepted"] == 2
    found = [(r["line"], r["column"], r["code"]) for r in answer["rejected"]]
    assert found == [(places[0], "id", "missing_required"), (places[1], "o.d", "decimal_scale")]
    assert all(len(r["message"]) > 10 for r in answer["rejected"])
    rows = [
        {"id": n, "at": datetime.datetime(1970, 1, 1, 0, 0, 0, n), "o": {"d": Decimal(d)}}
        for n, d in ((1, "1.1"), (3, "2.5"))
    ]
    assert_landed(warehouse, rows)


def test_a_body_of_misfits_only(client):
    client.create_table(TABLE, "id int required")
    pa = bodies.pa
    data = bodies.arrow_stream(pa.table({"id": pa.array([None, 2**40], pa.int64())}))
    problem = client.records(TABLE, data, content_type=ARROW).problem(422, "all_records_rejected")
    assert [r["code"] for r in problem["rejected"]] == ["missing_required", "out_of_range"]


def sample(form, names=("id", "s")):
    pa = bodies.pa
    table = pa.table({name: pa.array([1, 2, 3]) if name != "s" else pa.array(["a", "b", None]) for name in names})
    avro_fields = [{"name": n, "type": ["null", "string"] if n == "s" else "long"} for n in names]
    return {
        "arrow": lambda: (bodies.arrow_stream(table), ARROW),
        "parquet": lambda: (bodies.parquet(table), PARQUET),
        "csv": lambda: (bodies.arrow_csv(table), CSV),
        "avro": lambda: (
            bodies.avro({"type": "record", "name": "r", "fields": avro_fields}, table.to_pylist()), AVRO),
    }[form]()  # fmt: skip


FORMS = ["arrow", "parquet", "avro", "csv"]


@pytest.mark.parametrize("form", FORMS)
def test_columns_that_do_not_match(client, warehouse, form):
    client.create_table("app.narrow", "id long")
    client.create_table("app.other", "id long, s string, more double")
    client.create_table("app.needs", "id long, s string, more double required")
    client.create_table("app.lenient", "id long", properties={"firn.ingest.unknown-columns": "ignore"})
    data, kind = sample(form)
    problem = client.records("app.narrow", data, content_type=kind).problem(400, "unknown_column")
    assert problem["column"] == "s" and "firn.ingest.unknown-columns" in problem["detail"]
    problem = client.records("app.needs", data, content_type=kind).problem(400, "missing_required")
    assert problem["column"] == "more"
    land(client, data, kind, "app.lenient", accepted=3)
    land(client, data, kind, "app.other", accepted=3)
    assert_landed(warehouse, [{"id": n} for n in (1, 2, 3)], "app.lenient")
    assert_landed(warehouse, [{"id": n, "s": s, "more": None} for n, s in ((1, "a"), (2, "b"), (3, None))], "app.other")
    if form != "csv":
        client.create_table("app.typed", "id string, s string")
        problem = client.records("app.typed", data, content_type=kind).problem(400, "wrong_type")
        assert problem["column"] == "id" and "long" in problem["detail"]


@pytest.mark.parametrize("form", FORMS)
def test_tables_from_the_first_body(client, warehouse, form):
    answer = client.once("POST", "/v1/namespaces", body={"namespace": "raw", "properties": {"firn.auto-create-tables": "true"}})
    assert answer.status in (200, 201), answer.text
    data, kind = sample(form)
    land(client, data, kind, "raw.made", accepted=3)
    assert_landed(warehouse, [{"id": n, "s": s} for n, s in ((1, "a"), (2, "b"), (3, None))], "raw.made")
    fields = sql_catalog(warehouse).load_table("raw.made").schema().fields
    assert [(f.name, str(f.field_type), f.required) for f in fields] == [
        ("id", "long", False), ("s", "string", False),
    ]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.limit(300)
def test_damaged_bodies(client, server, form):
    client.create_table(TABLE, "id long, s string, lo list<struct<a int, t list<string>>>, o struct<x long>")
    data, kind = sample(form)
    dice = random.Random(form)
    cuts = sorted({dice.randrange(1, len(data)) for _ in range(40)})
    for cut in cuts:
        answer = client.records(TABLE, data[:cut], content_type=kind)
        assert answer.status == 200 or 400 <= answer.status < 500, f"cut at {cut}: {answer.text[:500]}"
        if form in ("parquet", "avro"):
            assert answer.status >= 400 or form == "avro", f"cut at {cut} of {len(data)}: {answer.text[:500]}"
    for _ in range(150):
        broken = bytearray(data)
        for _ in range(dice.randint(1, 4)):
            broken[dice.randrange(len(broken))] = dice.choice([0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)])
        answer = client.records(TABLE, bytes(broken), content_type=kind)
        assert answer.status == 200 or 400 <= answer.status < 500, answer.text[:500]
    for nonsense in (b"x", b"\0" * 1000, b"ARROW1\0\0", b"PAR1PAR1", b"Obj\x01", b"\xff" * 64):
        answer = client.records(TABLE, nonsense, content_type=kind)
        assert 400 <= answer.status < 500, answer.text[:500]
    server.assert_alive()
    land(client, data, kind, accepted=3)


@pytest.mark.parametrize("form", FORMS)
def test_replay_decodes_again(make_server, warehouse, form):
    """What is acknowledged but not committed when the process dies comes back from the log, record for record."""
    from support.client import Client

    server = make_server(warehouse, flush_interval_ms=3_600_000).start()
    client = Client(server)
    client.create_table(TABLE, "id long, s string")
    data, kind = sample(form)
    assert client.records(TABLE, data, content_type=kind).ok().json["accepted"] == 3
    server.restart_after_kill()
    client.flush(TABLE)
    assert_landed(warehouse, [{"id": n, "s": s} for n, s in ((1, "a"), (2, "b"), (3, None))])


def test_epoch_units(client, warehouse):
    properties = {"firn.column.s.epoch-unit": "s", "firn.column.o.ms.epoch-unit": "ms"}
    client.create_table(TABLE, "id long, s timestamptz, o struct<ms timestamp>", properties=properties)
    moment = datetime.datetime(2023, 11, 14, 22, 13, 20, 123456)
    lines = [
        {"id": 1, "s": 1700000000.123456, "o": {"ms": 1700000000123.456}},
        {"id": 2, "s": "2023-11-14T22:13:20.123456Z", "o": {"ms": "2023-11-14T22:13:20.123456"}},
    ]
    land(client, "\n".join(json.dumps(line) for line in lines).encode(), "application/x-ndjson", accepted=2)
    land(client, b'id,s,o\n3,1700000000.123456,"{""ms"":1700000000123.456}"\n', CSV, accepted=1)
    pa = bodies.pa
    table = pa.table({"id": [4], "s": [1700000000], "o": [{"ms": 1700000000123}]})
    land(client, bodies.arrow_stream(table), ARROW, accepted=1)
    rows = [{"id": n, "s": moment.replace(tzinfo=UTC), "o": {"ms": moment}} for n in (1, 2, 3)]
    rows.append(
        {"id": 4, "s": moment.replace(microsecond=0, tzinfo=UTC), "o": {"ms": moment.replace(microsecond=123000)}})
    assert_landed(warehouse, rows)
    answer = client.records(TABLE, b'{"s":1700000000000}\n{"s":0.0000001}\n')
    codes = [r["code"] for r in answer.problem(422, "all_records_rejected")["rejected"]]
    assert codes == ["out_of_range", "invalid_timestamp"]


def test_content_types(client):
    client.create_table(TABLE, "id long, s string")
    for form, kinds in {
        "csv": ["text/csv", "TEXT/CSV; charset=utf-8"], "avro": ["application/avro", "avro/binary"],
        "parquet": ["application/x-parquet"], "arrow": ["application/vnd.apache.arrow.file"],
    }.items():  # fmt: skip
        for kind in kinds:
            land(client, sample(form)[0], kind, accepted=3)
    packed = client.records(
        TABLE, gzip.compress(sample("csv")[0]), content_type="text/csv", headers={"Content-Encoding": "gzip"}
    )
    assert packed.ok().json["accepted"] == 3
    problem = client.records(TABLE, b"x", content_type="text/plain").problem(415, "unsupported_media_type")
    assert "text/csv" in problem["detail"]


def test_ingest_command_takes_files(warehouse, tmp_path):
    firn("table", "create", TABLE, "id long, s string", warehouse=warehouse).ok()
    table = bodies.pa.table({"id": range(500), "s": [f'"{n}"\nline two, {n}' for n in range(500)]})
    rows = [{"id": n, "s": f'"{n}"\nline two, {n}'} for n in range(500)]
    files = {
        "a.csv": bodies.arrow_csv(table), "b.parquet": bodies.parquet(table), "c.arrows": bodies.arrow_stream(table),
        "d.arrow": bodies.arrow_file(table), "e.csv.gz": gzip.compress(bodies.arrow_csv(table)),
        "f.jsonl": b"".join(json.dumps(row).encode() + b"\n" for row in rows),
        "g.json": json.dumps(rows).encode(),
    }  # fmt: skip
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        result = firn("ingest", TABLE, tmp_path / name, "--batch-bytes", "4000", warehouse=warehouse).ok()
        assert "accepted 500, rejected 0" in result.stdout, name
    (tmp_path / "data").write_bytes(files["a.csv"])
    assert "--format" in firn("ingest", TABLE, tmp_path / "data", warehouse=warehouse).stderr
    firn("ingest", TABLE, tmp_path / "data", "--format", "csv", warehouse=warehouse).ok()
    found = READERS["pyiceberg"](warehouse, TABLE).to_pylist()
    assert len(found) == 500 * 8
    assert sorted(row["id"] for row in found) == sorted(list(range(500)) * 8)
    assert {(row["id"], row["s"]) for row in found} == {(row["id"], row["s"]) for row in rows}


def test_ingest_command_numbers_lines(warehouse, tmp_path):
    """Batches get the header again; a rejection still names the line of the file."""
    firn("table", "create", TABLE, "id int, s string", warehouse=warehouse).ok()
    lines = ["id,s"]
    for n in range(300):
        lines += [f'{"bad" if n == 250 else n},"two', 'lines"']
    (tmp_path / "x.csv").write_text("\n".join(lines) + "\n")
    result = firn("ingest", TABLE, tmp_path / "x.csv", "--batch-bytes", "500", warehouse=warehouse)
    assert result.code == 1 and "accepted 299, rejected 1" in result.stdout
    assert f"line {2 + 250 * 2}: column id:" in result.stderr


def test_ingest_command_resumes(warehouse, tmp_path):
    """A run that was cut off after some batches goes on where it stopped, with batches of another size."""
    firn("table", "create", TABLE, "id int, s string", warehouse=warehouse).ok()
    rows = [f'{n},"two\nlines"\n' for n in range(300)]
    (tmp_path / "x.csv").write_text("id,s\n" + "".join(rows[:100]))
    arguments = ("ingest", TABLE, tmp_path / "x.csv", "--producer", "nightly", "--batch-bytes")
    firn(*arguments, "300", warehouse=warehouse).ok()
    (tmp_path / "x.csv").write_text("id,s\n" + "".join(rows))
    assert "accepted 200," in firn(*arguments, "777", warehouse=warehouse).ok().stdout
    assert "accepted 0," in firn(*arguments, "500", warehouse=warehouse).ok().stdout
    assert sorted(row["id"] for row in READERS["pyiceberg"](warehouse, TABLE).to_pylist()) == list(range(300))
