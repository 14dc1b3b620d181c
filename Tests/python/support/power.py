"""Power loss on a real file system: a loop device that forgets what was not synced.

The kernel's shutdown ioctl, without flushing the journal, leaves on the device what a power cut would. The server is
frozen first: otherwise a sync that runs at that very moment may report success for what the cut then takes away.
"""

import fcntl
import gc
import os
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path

from support.chaos import Killer

# _IOR('X', 125, __u32) of ext4, XFS and f2fs; 2 means: do not flush the log.
GOING_DOWN = 0x8004587D
NO_LOG_FLUSH = 2


class LoopDisk:
    """A small file system in a file. `make` is the command that formats it."""

    def __init__(self, folder: Path, make: list[str], size: str = "512M"):
        self.image = folder / "disk.img"
        self.mount_point = folder / "disk"
        self.mount_point.mkdir()
        subprocess.run(["truncate", "-s", size, str(self.image)], check=True)
        subprocess.run([*make, str(self.image)], check=True, capture_output=True)

    def mount(self) -> str | None:
        """None when it worked, or what was wrong."""
        command = ["mount", "-o", "loop", str(self.image), str(self.mount_point)]
        done = subprocess.run(command, capture_output=True, text=True)
        return None if done.returncode == 0 else done.stderr.strip()

    def cut(self) -> None:
        handle = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, GOING_DOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(handle)

    def unmount(self) -> None:
        gc.collect()  # Readers may still hold files open.
        for _ in range(600):
            done = subprocess.run(["umount", str(self.mount_point)], capture_output=True, text=True)
            if done.returncode == 0:
                return
            time.sleep(0.05)
        # Never lazily: mounted again beside a mount that lives on, the image would be torn by two masters.
        raise AssertionError(f"umount: {done.stderr.strip()}")

    def discard(self) -> None:
        """At the end, whoever still holds it."""
        subprocess.run(["umount", "--lazy", str(self.mount_point)], capture_output=True)


def freeze(pid: int) -> None:
    """Returns when every thread stands still; the signal alone only says that they shall."""
    os.kill(pid, signal.SIGSTOP)
    # A thread that waits for the disk only stops when the disk has answered.
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        states = []
        for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
            try:
                states.append(stat.read_text().rpartition(")")[2].split()[0])
            except (FileNotFoundError, ProcessLookupError):
                pass  # The thread has ended.
        if set(states) <= {"T", "Z", "X"}:
            return
        time.sleep(0.001)
    raise AssertionError(f"process {pid} does not stop: {states}")


class PowerCuts(Killer):
    """Every kill is a power cut."""

    def __init__(self, server, seed: int, cuts: int, disk: LoopDisk):
        super().__init__(server, seed, cuts)
        self.disk = disk

    def kill(self) -> None:
        freeze(self.server.process.pid)
        self.disk.cut()
        self.server.kill()
        self.disk.unmount()
        problem = self.disk.mount()
        assert problem is None, f"the file system did not survive: {problem}"
        self.kills += 1


def missing(*tools: str) -> list[str]:
    return [tool for tool in tools if shutil.which(tool) is None]
