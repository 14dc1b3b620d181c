"""What the kernel tells of a process, for tests that act once it does something, however slow the machine is."""

import fcntl
import os
import struct
import termios
import time
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_busy(pid: int, seconds: float = 0.3, timeout: float = 60) -> None:
    """Until the process has computed for so long from now on: what it was asked to do is under way."""
    until, deadline = cpu_seconds(pid) + seconds, time.monotonic() + timeout
    while cpu_seconds(pid) < until:
        assert time.monotonic() < deadline, f"process {pid} does not compute"
        time.sleep(0.02)


def wait_until_read(pipe, timeout: float = 60) -> None:
    """Until whoever reads the other end of a pipe has taken all that was written."""
    deadline = time.monotonic() + timeout
    while struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]:
        assert time.monotonic() < deadline, "nobody reads"
        time.sleep(0.005)
