"""G1, G7: a warehouse whose disk fills up refuses with 507, keeps what it acknowledged, and recovers by itself."""

import os
import subprocess
import time

import pytest

from support.client import Client, Producer, ndjson
from support.readers import READERS, read_pyiceberg
from support.server import Server

TABLE = "app.events"
DISK_MIB = 256
ROW_TEXT = "z" * 900


@pytest.fixture
def small_disk(tmp_path):
    mount = tmp_path / "disk"
    mount.mkdir()
    size = f"size={DISK_MIB}m"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(mount)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"mounting a small tmpfs was refused: {done.stderr.strip()}")
    yield mount
    subprocess.run(["umount", "--lazy", str(mount)], check=True)


def fill(path, spare_mib: int = 0) -> None:
    """Takes all room but the spare."""
    with open(path, "wb") as filler:
        block = b"\0" * (1 << 20)
        try:
            while True:
                stats = os.statvfs(path)
                if stats.f_bavail * stats.f_frsize <= (spare_mib + 1) << 20:
                    break
                filler.write(block)
                filler.flush()
            if spare_mib == 0:
                filler.write(block * 2)
        except OSError:
            pass


def body(sequence: int) -> bytes:
    return ndjson({"id": sequence * 1000 + n, "text": ROW_TEXT} for n in range(1000))


@pytest.mark.limit(240)
@pytest.mark.parametrize("spare_mib", [0, 6], ids=["at-once", "while-running"])
def test_full_disk(small_disk, tmp_path, spare_mib):
    server = Server(small_disk / "warehouse", tmp_path, flush_interval_ms=200)
    try:
        _fill_refuse_free_recover(server, small_disk, spare_mib)
    finally:
        server.kill()


def _fill_refuse_free_recover(server, small_disk, spare_mib):
    client = Client(server.start())
    client.create_table(TABLE, "id long required, text string")
    producer = Producer(client, TABLE, "p")
    acknowledged = 0
    for _ in range(5):
        acknowledged += producer.send(body(producer.sequence + 1)).json["accepted"]
    client.flush(TABLE)

    filler = small_disk / "filler"
    fill(filler, spare_mib)
    refused = None
    deadline = time.monotonic() + 60
    while refused is None and time.monotonic() < deadline:
        # Room that the log already holds may carry a few more batches; those are acknowledged and must be kept.
        stamp = producer.stamp(producer.sequence + 1)
        answer = client.records(TABLE, body(producer.sequence + 1), headers=stamp)
        if answer.status == 507:
            refused = answer
        elif answer.status != 429:
            acknowledged += answer.ok().json["accepted"]
            producer.sequence += 1
    assert refused is not None, "the disk is full and nobody was told in 60 s"
    problem = refused.problem(507)
    assert "space" in problem["detail"].lower() or "full" in problem["detail"].lower(), problem
    assert refused.headers["retry-after"]
    server.assert_alive()
    # What was committed before is still readable while the disk is full.
    assert read_pyiceberg(server.warehouse, TABLE).num_rows >= 5000

    filler.unlink()
    # The refused batch goes on under its own sequence; no restart.
    lives = server.lives
    for _ in range(5):
        acknowledged += producer.send(body(producer.sequence + 1)).json["accepted"]
    client.flush(TABLE)
    server.assert_alive()
    assert server.lives == lives
    expected = [sequence * 1000 + n for sequence in range(1, producer.sequence + 1) for n in range(1000)]
    assert acknowledged == len(expected)
    for engine, read in READERS.items():
        assert sorted(read(server.warehouse, TABLE).column("id").to_pylist()) == expected, engine

    # And once more after a crash: nothing half-written came back.
    server.restart_after_kill()
    client.flush(TABLE)
    assert sorted(read_pyiceberg(server.warehouse, TABLE).column("id").to_pylist()) == expected


def test_unwritable_warehouse_at_start(tmp_path):
    """A warehouse that cannot be made is one clear line and exit code 1."""
    from support.cli import firn

    (tmp_path / "file").write_text("not a directory")
    line = firn("serve", "--port", "0", warehouse=tmp_path / "file" / "warehouse", timeout=30).failed()
    assert str(tmp_path / "file") in line
