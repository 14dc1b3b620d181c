"""Firn's Iceberg REST catalog as its clients see it: plain requests, and PyIceberg's catalog."""

from pyiceberg.catalog.rest import RestCatalog

from support.client import Answer, Client

ROOT = "/iceberg/v1"


def table_url(table: str, kind: str = "tables") -> str:
    """The path of `ns.name`; levels of the namespace are joined by the unit separator."""
    *levels, name = table.split(".")
    return f"{ROOT}/namespaces/{'%1F'.join(levels)}/{kind}/{name}"


def refused(answer: Answer, status: int, kind: str) -> str:
    """Asserts an error in the protocol's form and returns its message."""
    assert answer.status == status, f"expected HTTP {status}, got {answer.status}: {answer.text[:2000]}"
    error = answer.json["error"]
    assert (error["code"], error["type"]) == (status, kind), answer.text
    assert error["message"], answer.text
    return error["message"]


def pyiceberg_catalog(server, **properties) -> RestCatalog:
    return RestCatalog("firn", uri=f"{server.url}/iceberg", **properties)


def create_namespace(client: Client, *levels: str) -> None:
    assert client.once("POST", f"{ROOT}/namespaces", body={"namespace": list(levels)}).status == 200
