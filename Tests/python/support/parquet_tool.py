"""`parquet-tool`, the executable beside `firn` through which tests reach the Parquet module."""

import json
import os
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from support.server import ROOT, clean_environment

TOOL = Path(os.environ.get("FIRN_PARQUET_TOOL", ROOT / ".build" / "release" / "parquet-tool"))


def run(*arguments) -> subprocess.CompletedProcess:
    assert TOOL.exists(), f"{TOOL} does not exist: run `make test-python`, which builds it, or set FIRN_PARQUET_TOOL"
    return subprocess.run(
        [str(TOOL), *map(str, arguments)], capture_output=True, text=True, timeout=110, env=clean_environment()
    )


def tool(*arguments) -> list[dict]:
    """The lines of JSON that a command prints."""
    done = run(*arguments)
    assert done.returncode == 0, f"parquet-tool {' '.join(map(str, arguments))}: {done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def rewrite(source: Path, target: Path, *options) -> dict:
    return tool("rewrite", source, target, *options)[0]


def read_through_firn(source: Path, scratch: Path) -> pa.Table:
    """What Firn reads, handed on in a file that could not be simpler."""
    plain = scratch / f"{source.name}.plain"
    rewrite(source, plain, "--codec", "uncompressed", "--dictionary-bytes", 0, "--no-page-index")
    return pq.read_table(plain)
