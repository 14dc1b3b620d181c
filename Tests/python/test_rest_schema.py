"""The REST catalog against its own description: Schemathesis makes requests of it, by the rules and against them.

Whatever comes in, the answer is one that the description has for this path, in the form that it has there, and never an
error of the server's own. `FIRN_SCHEMA_EXAMPLES` sets how many requests each operation gets.
"""

import copy
import os

import pytest

from support.client import Client, ndjson
from support.rest import Rest
from support.server import ROOT, Server

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from hypothesis.errors import Unsatisfiable  # noqa: E402
from schemathesis import GenerationMode  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.core.control import SkipTest  # noqa: E402
from schemathesis.errors import FailureGroup  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

EXAMPLES = int(os.environ.get("FIRN_SCHEMA_EXAMPLES", "6"))
FILE = ROOT / "Schemas/openapi.yaml"
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
DESCRIPTION = schemathesis.openapi.from_path(FILE)
ICEBERG = DESCRIPTION.include(path_regex="^/iceberg/")
OPERATIONS = {
    f"{found.ok().method.upper()} {found.ok().path}": found.ok() for found in ICEBERG.get_all_operations()
}
# What every server has without saying so.
UNLISTED = {"GET /iceberg/v1/config", "POST /iceberg/v1/oauth/tokens"}
# A request with these finds something; all others are about things that do not exist.
KNOWN = {"namespace": ["shop", "a\x1fb"], "table": ["orders", "other"], "view": ["totals"]}


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """One server for all operations: what one has left behind, others meet."""
    folder = tmp_path_factory.mktemp("schema")
    server = Server(folder / "warehouse", folder, flush_interval_ms=600_000).start()
    yield server
    server.kill()


def furnish(server) -> None:
    """Makes what an earlier request has dropped."""
    rest, client = Rest(server), Client(server)
    for levels in (["shop"], ["a", "b"]):
        rest.call("POST", "/namespaces", {"namespace": levels})
    for name in ("orders", "other"):
        fields = [{"id": 1, "name": "id", "required": False, "type": "long"}]
        body = {"name": name, "schema": {"type": "struct", "fields": fields}}
        if rest.call("POST", "/namespaces/shop/tables", body).status == 200:
            client.records(f"shop.{name}", ndjson([{"id": 1}]))


def test_every_endpoint_is_described_and_every_description_served(server):
    listed = {
        endpoint.replace(" /v1/{prefix}/", " /iceberg/v1/")
        for endpoint in Rest(server).ok("GET", "/config").json["endpoints"]
    }
    assert listed | UNLISTED == set(OPERATIONS)
    assert not listed & UNLISTED


def test_the_server_hands_out_the_description(client):
    assert client.once("GET", "/openapi.yaml").ok().text == FILE.read_text()


def ask(server, operation, mode, examples: int) -> None:
    """Makes requests of the operation, the same ones in every run, and checks the answers."""

    @settings(
        max_examples=examples, derandomize=True, database=None, deadline=None,
        phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(data=st.data())
    def check(data):
        case = data.draw(operation.as_strategy(generation_mode=mode))
        for parameter, known in KNOWN.items():
            if parameter in (case.path_parameters or {}) and data.draw(st.booleans()):
                case.path_parameters[parameter] = data.draw(st.sampled_from(known))
        response = case.call(base_url=server.url, timeout=30)
        case.validate_response(response, checks=CHECKS)
        server.assert_alive()

    check()


@pytest.mark.limit(120 + 2 * EXAMPLES)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_answer_is_one_that_is_described(described, name, mode):
    furnish(described)
    try:
        ask(described, OPERATIONS[name], mode, EXAMPLES)
    except (SkipTest, Unsatisfiable):
        pytest.skip("nothing about this request can be invalid")


@pytest.mark.parametrize("fault", ["member", "status"])
def test_a_wrong_description_is_noticed(described, fault):
    """Otherwise the tests above would prove nothing."""
    wrong = copy.deepcopy(DESCRIPTION.raw_schema)
    if fault == "member":
        wrong["components"]["schemas"]["IcebergConfig"]["required"].append("nonsense")
        wrong_path = "/iceberg/v1/config"
    else:
        wrong_path = "/iceberg/v1/namespaces/{namespace}/tables"
        del wrong["paths"][wrong_path]["get"]["responses"]["404"]
    operation = schemathesis.openapi.from_dict(wrong)[wrong_path]["GET"]
    with pytest.raises(FailureGroup):
        ask(described, operation, GenerationMode.POSITIVE, 30)
