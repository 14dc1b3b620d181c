"""Fixtures: a fresh warehouse and server a test, a hard time limit for each, and the source data once a run."""

import faulthandler
import os
import signal
from pathlib import Path

import pytest

from support import flights as flights_data
from support.client import Client
from support.server import BINARY, Server

DEFAULT_LIMIT_S = 120

# Other libraries would ask the servers of this machine through the proxy that their environment names.
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1,localhost"


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): the hard time limit of a test")
    if not BINARY.exists():
        raise pytest.UsageError(f"{BINARY} does not exist: run `make build`, or set FIRN_BIN")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Ends a hanging test with a traceback instead of a hanging run."""
    marker = item.get_closest_marker("limit")
    seconds = marker.args[0] if marker else DEFAULT_LIMIT_S

    def out_of_time(_signal, _frame):
        faulthandler.dump_traceback()
        raise TimeoutError(f"the test ran longer than {seconds} s")

    previous = signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(seconds)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what its servers last said."""
    report = yield
    if report.failed:
        for server in getattr(item, "firn_servers", []):
            report.sections.append((f"log of the server on {server.warehouse}", server.log_tail()))
    return report


@pytest.fixture
def warehouse(tmp_path) -> Path:
    return tmp_path / "warehouse"


@pytest.fixture
def make_server(request, tmp_path):
    """Makes servers and kills whichever still run at the end."""
    servers: list[Server] = []
    request.node.firn_servers = servers

    def make(warehouse: Path, **settings) -> Server:
        scratch = tmp_path / f"server-{len(servers)}"
        scratch.mkdir()
        servers.append(Server(warehouse, scratch, **settings))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def server(make_server, warehouse) -> Server:
    return make_server(warehouse).start()


@pytest.fixture
def client(server) -> Client:
    return Client(server)


@pytest.fixture(scope="session")
def flights() -> flights_data.Flights:
    return flights_data.load()
