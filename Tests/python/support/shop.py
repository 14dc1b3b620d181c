"""Fixtures of the tests that speak the REST catalog's protocol by hand: a namespace, and a table in it to begin with."""

import pytest

from support.client import ndjson
from support.rest import Rest

TABLE = "shop.orders"


@pytest.fixture
def rest(server) -> Rest:
    rest = Rest(server)
    rest.create_namespace("shop")
    return rest


@pytest.fixture
def table(rest) -> dict:
    return rest.create_table(TABLE)


def ingest(rest, *ids) -> None:
    """One snapshot with a row for each id."""
    rest.client.records(TABLE, ndjson({"id": n, "name": "x"} for n in ids)).ok()
    rest.client.flush(TABLE)
