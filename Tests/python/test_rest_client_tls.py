"""Attached tables of a catalog that speaks TLS."""

import shutil
import subprocess
from pathlib import Path

import pytest

from support.attached import TABLE, Pair
from support.client import ndjson
from support.proxy import Cut, Proxy

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")


def certificate(folder: Path, name: str, address: str) -> tuple[Path, Path]:
    """A certificate that vouches for itself, and a file of it and its key."""
    public, key, both = folder / f"{name}.pem", folder / f"{name}.key", folder / f"{name}-key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=IP:{address}"]
    subprocess.run([*command, "-keyout", key, "-out", public], check=True, capture_output=True, timeout=60)
    both.write_bytes(public.read_bytes() + key.read_bytes())
    return public, both


@pytest.fixture
def pair(make_server, tmp_path) -> Pair:
    pair = Pair(make_server, tmp_path)
    pair.create("id long required, value string")
    return pair


def rows(*ids) -> bytes:
    return ndjson({"id": n, "value": "v"} for n in ids)


def test_only_who_is_vouched_for_is_spoken_to(pair, tmp_path):
    public, both = certificate(tmp_path, "gateway", "127.0.0.1")
    stranger, _ = certificate(tmp_path, "stranger", "127.0.0.1")
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    with Proxy(pair.hub, certificate=both) as gateway:
        uri = f"{gateway.url}/iceberg"
        for options in ([], ["--ca-file", stranger]):
            refusal = pair.attach(TABLE, *options, uri=uri).failed()
            assert "no TLS connection" in refusal and "CERTIFICATE_VERIFY_FAILED" in refusal
        for missing in (empty, tmp_path / "missing.pem"):
            assert missing.name in pair.attach(TABLE, "--ca-file", missing, uri=uri).failed()
        assert gateway.requests == []
        pair.attach(TABLE, "--ca-file", public, uri=uri).ok()
        for number in range(5):
            gateway.fault = lambda request: Cut() if request.commits and not gateway.faults else None
            pair.at_edge.records(TABLE, rows(number)).ok()
        pair.drain()
        assert gateway.faults and pair.remote.ids() == list(range(5))
        assert pair.query(f"SELECT count(*) AS n FROM {TABLE}") == [{"n": 5}]
        pair.edge.restart_after_kill()
        pair.at_edge.records(TABLE, rows(5)).ok()
        pair.drain()
        assert pair.remote.ids() == list(range(6))


def test_a_certificate_for_another_address(pair, tmp_path):
    public, both = certificate(tmp_path, "elsewhere", "127.0.0.9")
    with Proxy(pair.hub, certificate=both) as gateway:
        refusal = pair.attach(TABLE, "--ca-file", public, uri=f"{gateway.url}/iceberg").failed()
        assert "no TLS connection" in refusal and gateway.requests == []
