"""An Iceberg REST catalog over PyIceberg's SqlCatalog, as small as DuckDB can do with.

DuckDB writes tables through a REST catalog only. This one hands its commits to the catalog file of a warehouse.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

from pyiceberg.exceptions import CommitFailedException, NoSuchTableError
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import CommitTableRequest, TableIdentifier
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER


class RestCatalog:
    """Serves one catalog on a free port of the loopback interface until it is closed."""

    def __init__(self, catalog):
        self.catalog = catalog
        self.failures: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_arguments):
                pass

            def answer(self, status: int, body=None):
                data = b"" if body is None else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            def handle_any(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else {}
                parts = [part for part in self.path.split("?")[0].split("/") if part][1:]
                try:
                    answer = outer.route(self.command, parts, body)
                except NoSuchTableError as error:
                    answer = 404, problem(404, "NoSuchTableException", error)
                except CommitFailedException as error:
                    answer = 409, problem(409, "CommitFailedException", error)
                except Exception as error:
                    outer.failures.append(f"{self.command} {self.path}: {error!r}")
                    answer = 500, problem(500, type(error).__name__, error)
                try:
                    self.answer(*answer)
                except ConnectionError:
                    self.close_connection = True  # The client was killed meanwhile.

            do_GET = do_POST = do_HEAD = do_DELETE = handle_any

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def route(self, method: str, parts: list[str], body: dict):
        match (method, parts):
            case ("GET", ["config"]):
                return 200, {"defaults": {}, "overrides": {}}
            case ("GET", ["namespaces"]):
                return 200, {"namespaces": [list(name) for name in self.catalog.list_namespaces()]}
            case ("GET" | "HEAD", ["namespaces", name]):
                return 200, {"namespace": [name], "properties": {}}
            case ("GET", ["namespaces", name, "tables"]):
                tables = [{"namespace": [name], "name": table} for _, table in self.catalog.list_tables(name)]
                return 200, {"identifiers": tables}
            case ("POST", ["namespaces", name, "tables"]):
                return 200, self.create(name, body)
            case ("GET", ["namespaces", name, "tables", table]):
                return 200, described(self.catalog.load_table((name, table)))
            case ("HEAD", ["namespaces", name, "tables", table]):
                self.catalog.load_table((name, table))
                return 204, None
            case ("POST", ["namespaces", name, "tables", table]):
                return 200, self.commit(name, table, body)
            case ("POST", ["transactions", "commit"]):
                for change in body["table-changes"]:
                    identifier = change["identifier"]
                    self.commit(identifier["namespace"][0], identifier["name"], change)
                return 204, None
        raise ValueError(f"no route for {method} {parts}")

    def create(self, namespace: str, body: dict) -> dict:
        spec = body.get("partition-spec")
        arguments = {
            "identifier": (namespace, body["name"]), "schema": Schema.model_validate(body["schema"]),
            "partition_spec": PartitionSpec.model_validate(spec) if spec else UNPARTITIONED_PARTITION_SPEC,
            "sort_order": UNSORTED_SORT_ORDER, "properties": body.get("properties") or {},
        }  # fmt: skip
        if body.get("stage-create"):
            return described(self.catalog._create_staged_table(location=None, **arguments))
        return described(self.catalog.create_table(**arguments))

    def commit(self, namespace: str, name: str, body: dict) -> dict:
        identifier = TableIdentifier(namespace=[namespace], name=name)
        request = CommitTableRequest.model_validate({**body, "identifier": identifier})
        table = SimpleNamespace(name=lambda: (namespace, name))
        answer = self.catalog.commit_table(table, request.requirements, request.updates)
        return {"metadata-location": answer.metadata_location, "metadata": json.loads(answer.metadata.model_dump_json())}


def described(table) -> dict:
    location = getattr(table, "metadata_location", None)
    return {"metadata-location": location, "metadata": json.loads(table.metadata.model_dump_json()), "config": {}}


def problem(code: int, kind: str, error: Exception) -> dict:
    return {"error": {"message": str(error), "type": kind, "code": code}}
