"""A folder that two machines share without common locks: two sshfs mounts, without a network; needs root and FUSE."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

SERVER = Path("/usr/lib/openssh/sftp-server")
_OPTIONS = "cache=no,dir_cache=no,attr_timeout=0,entry_timeout=0,negative_timeout=0"
_SECONDS = 20.0


def is_available() -> bool:
    """Whether folders can be mounted in this way."""
    return (
        os.geteuid() == 0 and shutil.which("sshfs") is not None and SERVER.exists() and os.access("/dev/fuse", os.R_OK)
    )


@contextlib.contextmanager
def mounted(folder: Path, *names: str) -> Iterator[list[Path]]:
    """Yield mounts of one folder, each a file system of its own."""
    shared, script = folder / "shared", folder / "server.sh"
    shared.mkdir()
    script.write_text(f"#!/bin/sh\nexec {SERVER}\n")
    script.chmod(0o755)
    with contextlib.ExitStack() as stack:
        mounts = []
        for name in names:
            mount = folder / name
            mount.mkdir()
            options = f"ssh_command={script},{_OPTIONS}"
            subprocess.run(["sshfs", "-o", options, f"x:{shared}", str(mount)], check=True, timeout=60)
            stack.callback(_unmount, mount)
            mounts.append(mount)
        yield mounts


def _unmount(mount: Path) -> None:
    until = time.monotonic() + _SECONDS
    while subprocess.run(["fusermount3", "-u", str(mount)], capture_output=True, check=False).returncode != 0:
        if time.monotonic() > until:
            subprocess.run(["fusermount3", "-u", "-z", str(mount)], capture_output=True, check=False)
            return
        time.sleep(0.2)
