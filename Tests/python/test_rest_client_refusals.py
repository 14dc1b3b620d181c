"""What cannot be attached, who is let in, and secrets that must not get out."""

import time

import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField

from support.attached import TABLE, Pair
from support.cli import firn
from support.client import ndjson
from support.gate import Gate
from support.readers import sql_catalog
from support.rest import Rest, pyiceberg_catalog
from support.rest_catalog import RestCatalog

COLUMNS = "id long required, value string"
SECRET = "s3cr3t-0123456789abcdef"


@pytest.fixture
def pair(make_server, tmp_path) -> Pair:
    pair = Pair(make_server, tmp_path)
    pair.create(COLUMNS)
    return pair


@pytest.fixture
def gate(pair):
    with Gate(pair.hub, tokens=[SECRET], credential=f"edge:{SECRET}") as gate:
        yield gate


def rows(*ids) -> bytes:
    return ndjson({"id": n, "value": f"v{n}"} for n in ids)


def said(refusal: str, *words: str) -> None:
    for word in words:
        assert word in refusal, f"{word!r} is not in: {refusal}"


def test_a_table_is_attached_once(pair):
    pair.attach().ok()
    said(pair.attach().failed(), TABLE, "exists already")
    pair.at_edge.create_table("shop.own", COLUMNS)
    said(pair.attach("shop.own", "--remote-table", TABLE).failed(), "shop.own", "exists already")
    # Under a second name it would be two tables with one history.
    pair.attach("shop.twin", "--remote-table", TABLE).failed()


def test_what_is_not_there(pair):
    said(pair.attach("shop.nothing").failed(), "shop.nothing")
    said(pair.attach("nowhere.orders").failed(), "nowhere.orders")
    pair.attach("orders").failed()
    said(pair.attach(uri="http://127.0.0.1:9/iceberg").failed(), "127.0.0.1:9")
    # A server that is none of the protocol, and a folder of one that is.
    pair.attach(uri=f"{pair.hub.url}/nothing-here").failed()
    for uri in ("ftp://127.0.0.1/iceberg", "127.0.0.1", "http://", ""):
        result = pair.attach(uri=uri or "http:///iceberg")
        assert result.code in (1, 2), uri
    pair.hub.stop()
    said(pair.attach().failed(), str(pair.hub.port))
    assert pair.command("table", "list", "--output", "ndjson").rows() == []


def test_an_attached_table_is_not_dropped_or_renamed(pair):
    pair.attach().ok()
    for arguments in (["drop", TABLE], ["drop", TABLE, "--keep-files"], ["rename", TABLE, "shop.other"]):
        said(pair.command("table", *arguments).failed(), "detach")
    path = "/v1/tables/shop/orders"
    for answer in (
        pair.at_edge.once("DELETE", path), pair.at_edge.once("PATCH", path, body={"rename-to": "shop.other"}),
    ):  # fmt: skip
        assert 400 <= answer.status < 500
        said(answer.problem(answer.status, "attached_table")["detail"], "detach")
    for purge in ("false", "true"):
        answer = Rest(pair.edge).call("DELETE", f"/namespaces/shop/tables/orders?purgeRequested={purge}")
        assert 400 <= answer.status < 500, answer.text
    # A table of the edge's own is none to detach.
    pair.at_edge.create_table("shop.own", COLUMNS)
    pair.command("table", "detach", "shop.own").failed()
    pair.command("table", "detach", "shop.nothing").failed()
    pair.at_edge.records(TABLE, rows(1), headers={"Prefer": "wait=committed"}).ok()
    assert pair.remote.ids() == [1]


def test_files_that_cannot_be_reached(make_server, tmp_path):
    edge = make_server(tmp_path / "edge").start()
    (tmp_path / "lake").mkdir()
    catalog = sql_catalog(tmp_path / "lake")
    catalog.create_namespace("shop")
    catalog.create_table(TABLE, Schema(NestedField(1, "id", LongType(), required=False)))

    class Elsewhere(RestCatalog):
        def route(self, method, parts, body):
            status, answer = super().route(method, parts, body)
            if "metadata" in answer:
                if place == "location":
                    answer["metadata"]["location"] = location
                else:
                    answer["metadata-location"] = f"{location}/metadata/00000-a.metadata.json"
            return status, answer

    with Elsewhere(catalog) as remote:
        for location in ("s3://bucket/orders", "file://elsewhere/orders", "relative/orders"):
            for place in ("location", "metadata-location"):
                said(firn("table", "attach", TABLE, "--uri", remote.url, warehouse=edge.warehouse).failed(), location)
        location, place = catalog.load_table(TABLE).location(), "location"
        firn("table", "attach", TABLE, "--uri", remote.url, warehouse=edge.warehouse).ok()
        firn("table", "detach", TABLE, warehouse=edge.warehouse).ok()
    assert firn("table", "list", "--output", "ndjson", warehouse=edge.warehouse).rows() == []


def test_a_token_is_read_from_its_file_each_time(pair, gate, tmp_path):
    token = tmp_path / "token"
    token.write_text(SECRET + "\n")
    pair.attach(TABLE, "--token-file", token, uri=f"{gate.url}/iceberg").ok()
    pair.at_edge.records(TABLE, rows(1), headers={"Prefer": "wait=committed"}).ok()
    gate.revoke_all()
    pair.at_edge.records(TABLE, rows(2)).ok()
    refusal = pair.at_edge.once("POST", "/v1/query", body={"sql": f"SELECT count(*) FROM {TABLE}"})
    refusal.problem(refusal.status, "remote_refused")
    gate.tokens["another-one"] = float("inf")
    token.write_text("another-one")
    pair.drain()
    assert pair.remote.ids() == [1, 2]
    assert pair.query(f"SELECT count(*) AS n FROM {TABLE}") == [{"n": 2}]


@pytest.mark.parametrize("named", [True, False], ids=["token-uri", "default"])
def test_tokens_for_a_credential(pair, gate, tmp_path, named):
    credential = tmp_path / "credential"
    credential.write_text(f"edge:{SECRET}\n")
    gate.revoke_all()
    gate.lifetime_s, gate.scope = 1.0, "lake"
    options = ["--credential-file", credential, "--scope", "lake", "--header", "X-Tenant: north"]
    options += ["--token-uri", f"{gate.url}/sign-in/token"] if named else []
    began = time.monotonic()
    pair.attach(TABLE, *options, uri=f"{gate.url}/iceberg").ok()
    for number in range(8):
        pair.at_edge.records(TABLE, rows(number), headers={"Prefer": "wait=committed"}).ok()
        time.sleep(0.15)
    seconds = time.monotonic() - began
    assert pair.remote.ids() == list(range(8))
    asked = [request for request in gate.requests if not request.path.endswith(("/tokens", "/token"))]
    # Two at least, as time goes by, and not one a request: the command's, and the server's at each half of a life.
    assert 2 <= gate.granted <= 3 + 2 * seconds / gate.lifetime_s, (gate.granted, len(asked), seconds)
    assert {request.headers.get("x-tenant") for request in asked} == {"north"}
    # Tokens that end before their time.
    gate.lifetime_s = 3600
    gate.revoke_all()
    pair.at_edge.records(TABLE, rows(8), headers={"Prefer": "wait=committed"}).ok()
    assert pair.remote.ids() == list(range(9))


def test_who_is_not_let_in(pair, gate, tmp_path):
    uri, wrong, files = f"{gate.url}/iceberg", tmp_path / "wrong", {}
    wrong.write_text("edge:wrong")
    files["nothing"] = []
    files["token"] = ["--token-file", wrong]
    files["credential"] = ["--credential-file", wrong]
    for name, options in files.items():
        refusal = pair.attach(TABLE, *options, uri=uri).failed()
        assert "wrong" not in refusal.replace(str(wrong), ""), name
    missing = tmp_path / "missing"
    said(pair.attach(TABLE, "--token-file", missing, uri=uri).failed(), str(missing))
    assert pair.attach(TABLE, "--token-file", wrong, "--credential-file", wrong, uri=uri).code in (1, 2)
    headers = [f"Authorization: Bearer {SECRET}", f"authorization: Bearer {SECRET}", "no header", "X-A: b\r\nX-C: d"]
    for header in headers:
        refused = pair.attach(TABLE, "--header", header, uri=uri)
        assert refused.code == 1 and SECRET not in refused.stderr, header
    right = tmp_path / "right"
    right.write_text(SECRET)
    gate.forbidden = True
    pair.attach(TABLE, "--token-file", right, uri=uri).failed()
    assert gate.turned_away >= 4
    assert pair.command("table", "list", "--output", "ndjson").rows() == []
    gate.forbidden = False
    pair.attach(TABLE, "--token-file", right, uri=uri).ok()
    gate.forbidden = True
    pair.at_edge.records(TABLE, rows(1)).ok()
    refusal = pair.at_edge.once("POST", "/v1/query", body={"sql": f"SELECT count(*) FROM {TABLE}"})
    refusal.problem(refusal.status, "remote_refused")
    gate.forbidden = False
    pair.drain()
    assert pair.remote.ids() == [1]


@pytest.mark.parametrize("kind", ["token", "credential"])
def test_secrets_stay_in_their_files(pair, gate, tmp_path, kind):
    secrets = tmp_path / "secrets"
    secrets.write_text(SECRET if kind == "token" else f"edge:{SECRET}")
    outputs = [pair.attach(TABLE, f"--{kind}-file", secrets, uri=f"{gate.url}/iceberg").ok()]
    pair.at_edge.records(TABLE, rows(1), headers={"Prefer": "wait=committed"}).ok()
    outputs += [pair.command("table", "show", TABLE, "--output", form).ok() for form in ("table", "json", "ndjson")]
    gate.revoke_all()
    gate.credential = None
    refusal = pair.at_edge.once("POST", "/v1/query", body={"sql": f"SELECT count(*) FROM {TABLE}"})
    assert refusal.status != 200
    outputs.append(pair.attach("shop.second", f"--{kind}-file", secrets, uri=f"{gate.url}/iceberg"))
    texts = [result.stdout + result.stderr for result in outputs] + [refusal.text]
    # Nothing comes or goes while the files are read.
    pair.edge.kill()
    # A granted token is as good as the credential while it lives.
    for secret in (SECRET, "granted-1-edge"):
        assert not [text for text in texts if secret in text]
        files = [path for path in pair.edge.warehouse.rglob("*") if path.is_file()]
        assert pair.edge.warehouse / "catalog.db" in files
        for path in [*files, pair.edge.log_path, pair.hub.log_path]:
            assert secret.encode() not in path.read_bytes(), path
    assert str(secrets) in outputs[2].stdout


def test_the_gate_is_one_that_others_pass(gate):
    gate.revoke_all()
    catalog = pyiceberg_catalog(gate, credential=f"edge:{SECRET}")
    assert catalog.load_table(TABLE).name() == ("shop", "orders")
