"""JSONTestSuite (https://github.com/nst/JSONTestSuite) against the ingest path.

Every document stands as a value in a record, `{"v": <document>}`, and, where it is an object, as a record too. The
table ignores unknown columns, so that only the grammar decides. `FIRN_CORPORA` names the folder of corpora; without
it, `../shared/corpora` beside the repository is looked for.
"""

import os
import re

import pytest

from support.server import ROOT

SUITE = os.path.join(os.environ.get("FIRN_CORPORA", ROOT / ".." / "shared" / "corpora"), "jsontestsuite/test_parsing")
TABLE = "app.json_suite"
JSON = "application/json"

pytestmark = pytest.mark.skipif(
    not os.path.isdir(SUITE), reason=f"there is no JSONTestSuite at {SUITE}; set FIRN_CORPORA"
)


def documents(prefix):
    for name in sorted(os.listdir(SUITE)):
        if name.startswith(prefix):
            with open(os.path.join(SUITE, name), "rb") as file:
                yield name, file.read()


@pytest.fixture
def table(client):
    client.create_table(TABLE, "row_number long", properties={"firn.ingest.unknown-columns": "ignore"})
    return client


def wrapped(document: bytes) -> bytes:
    return b'{"row_number": 1, "v": ' + document + b"}"


def is_object(document: bytes) -> bool:
    return document.strip(b" \t\r\n").startswith(b"{")


def test_accepts_what_it_must(table, server):
    count = 0
    for name, document in documents("y_"):
        count += 1
        bodies = [(JSON, wrapped(document))] + ([(JSON, document)] if is_object(document) else [])
        if b"\n" not in document:
            bodies.append(("application/x-ndjson", wrapped(document) + b"\n" + wrapped(document)))
        for kind, body in bodies:
            answer = table.records(TABLE, body, content_type=kind)
            expected = 2 if kind != JSON else 1
            assert answer.status == 200 and answer.json["accepted"] == expected, f"{name}: {answer.text[:500]}"
            assert answer.json["rejected"] == [], f"{name}: {answer.text[:500]}"
    assert count > 80
    server.assert_alive()


def test_rejects_what_it_must(table, server):
    count = 0
    for name, document in documents("n_"):
        count += 1
        for body in (wrapped(document), document):
            answer = table.records(TABLE, body, content_type=JSON)
            assert 400 <= answer.status < 500, f"{name}: HTTP {answer.status} {answer.text[:500]}"
            problem = answer.problem(answer.status)
            assert re.fullmatch(r"[a-z0-9_]+", problem["code"]) and len(problem["detail"]) > 10, f"{name}: {problem}"
        if b"\n" in document:
            continue
        lines = wrapped(b"1") + b"\n" + wrapped(document) + b"\n" + wrapped(b"2")
        answer = table.records(TABLE, lines).ok()
        assert answer.json["accepted"] == 2, f"{name}: {answer.text[:500]}"
        (rejection,) = answer.json["rejected"]
        assert rejection["line"] == 2 and rejection["code"] and rejection["message"], f"{name}: {rejection}"
    assert count > 150
    server.assert_alive()


def test_survives_what_it_may_take_or_not(table, server):
    count = 0
    for name, document in documents("i_"):
        count += 1
        for body in (wrapped(document), document):
            answer = table.records(TABLE, body, content_type=JSON)
            assert answer.status == 200 or 400 <= answer.status < 500, f"{name}: HTTP {answer.status}"
    assert count > 20
    server.assert_alive()
    assert table.records(TABLE, wrapped(b"true"), content_type=JSON).ok().json["accepted"] == 1
