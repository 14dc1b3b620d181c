"""Power loss on a real file system: a loop device that forgets what was not synced.

The kernel's shutdown ioctl, without flushing the journal, leaves on the device what a power cut would. The server is
frozen first: otherwise a sync that runs at that very moment may report success for what the cut then takes away.
"""

import fcntl
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
        for _ in range(100):
            done = subprocess.run(["umount", str(self.mount_point)], capture_output=True, text=True)
            if done.returncode == 0 or "not mounted" in done.stderr:
                return
            time.sleep(0.05)
        subprocess.run(["umount", "--lazy", str(self.mount_point)], check=True)


class PowerCuts(Killer):
    """Every kill is a power cut."""

    def __init__(self, server, seed: int, cuts: int, disk: LoopDisk):
        super().__init__(server, seed, cuts)
        self.disk = disk

    def kill(self) -> None:
        self.server.process.send_signal(signal.SIGSTOP)
        self.disk.cut()
        self.server.kill()
        self.disk.unmount()
        problem = self.disk.mount()
        assert problem is None, f"the file system did not survive: {problem}"
        self.kills += 1


def missing(*tools: str) -> list[str]:
    return [tool for tool in tools if shutil.which(tool) is None]
