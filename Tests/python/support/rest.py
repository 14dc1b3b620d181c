"""Clients of the server's Iceberg REST catalog: plain HTTP, PyIceberg and DuckDB."""

import json
import time
from pathlib import Path

import duckdb_extension_httpfs
import duckdb
from pyiceberg.catalog.rest import RestCatalog

from support.client import Answer, Client
from support.readers import duckdb_connection

SCHEMA = {
    "type": "struct",
    "schema-id": 0,
    "fields": [
        {"id": 1, "name": "id", "required": False, "type": "long"},
        {"id": 2, "name": "name", "required": False, "type": "string"},
    ],
}


class Rest:
    """The protocol by hand."""

    def __init__(self, server, prefix: str = ""):
        self.client = Client(server)
        self.base = "/iceberg/v1"
        self.prefix = self.base + (f"/{prefix}" if prefix else "")

    def call(self, method: str, path: str, body=None, **kwargs) -> Answer:
        return self.client.once(method, self.prefix + path, body=body, **kwargs)

    def ok(self, method: str, path: str, body=None, **kwargs) -> Answer:
        return self.call(method, path, body, **kwargs).ok()

    def error(self, method: str, path: str, status: int, kind: str, body=None, **kwargs) -> str:
        """Asserts an error of the catalog's own shape; answers its message."""
        answer = self.call(method, path, body, **kwargs)
        return assert_error(answer, status, kind)

    def create_namespace(self, *levels: str, **properties) -> None:
        self.ok("POST", "/namespaces", {"namespace": list(levels), "properties": properties})

    def create_table(self, table: str, **extra) -> dict:
        namespace, name = table.split(".")
        return self.ok("POST", f"/namespaces/{namespace}/tables", {"name": name, "schema": SCHEMA} | extra).json

    def load(self, table: str, **kwargs) -> dict:
        return self.ok("GET", path(table), **kwargs).json

    def commit(self, table: str, updates: list, requirements: list = (), **kwargs) -> Answer:
        return self.call("POST", path(table), {"requirements": list(requirements), "updates": updates}, **kwargs)

    def set_property(self, table: str, key: str, value: str, *requirements, **kwargs) -> Answer:
        return self.commit(
            table, [{"action": "set-properties", "updates": {key: value}}], requirements, **kwargs
        )


def path(table: str) -> str:
    namespace, name = table.split(".")
    return f"/namespaces/{namespace}/tables/{name}"


def assert_error(answer: Answer, status: int, kind: str) -> str:
    assert answer.status == status, f"expected HTTP {status}, got {answer.status}: {answer.text[:1000]}"
    assert answer.headers["content-type"] == "application/json", answer.headers
    error = answer.json["error"]
    assert set(answer.json) == {"error"} and {"message", "type", "code"} <= set(error), answer.text
    assert (error["type"], error["code"]) == (kind, status), answer.text
    assert error["message"], answer.text
    return error["message"]


def follow(metadata: dict, **changes) -> dict:
    """An update that adds a snapshot after the current one, with the files of that one."""
    last = next(s for s in metadata["snapshots"] if s["snapshot-id"] == metadata["current-snapshot-id"])
    snapshot = {
        "snapshot-id": last["snapshot-id"] % (1 << 60) + 1,
        "parent-snapshot-id": last["snapshot-id"],
        "sequence-number": metadata["last-sequence-number"] + 1,
        "timestamp-ms": int(time.time() * 1000),
        "manifest-list": last["manifest-list"],
        "summary": {"operation": "append"},
        "schema-id": metadata["current-schema-id"],
    } | changes
    return {"action": "add-snapshot", "snapshot": {k: v for k, v in snapshot.items() if v is not None}}


def move_main(snapshot_id: int) -> dict:
    return {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": snapshot_id}


def pyiceberg_catalog(server, **properties) -> RestCatalog:
    return RestCatalog("firn", uri=server.url + "/iceberg", **properties)


def duckdb_catalog(server) -> duckdb.DuckDBPyConnection:
    """DuckDB with the catalog attached as `lake`."""
    connection = duckdb_connection()
    folder = Path(duckdb_extension_httpfs.__file__).parent / "extensions" / f"v{duckdb.__version__}"
    connection.execute(f"LOAD '{folder}/httpfs.duckdb_extension'")
    connection.execute(
        f"ATTACH 'warehouse' AS lake (TYPE iceberg, ENDPOINT '{server.url}/iceberg', AUTHORIZATION_TYPE 'none')"
    )
    return connection


def gzip_json(body) -> bytes:
    import gzip

    return gzip.compress(json.dumps(body).encode())
