"""The file of a claim: which process holds it, on which machine, and how often it has said that it lives."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import socket
import stat
import uuid
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Self

from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.files import storage_error

HEARTBEAT_VARIABLE = "BENCHMARKER_HEARTBEAT"
"""Environment variable: seconds between two heartbeats of a claim."""

HOST_VARIABLE = "BENCHMARKER_HOST"
"""Environment variable: name of this machine in claims, where its own does not tell it from others."""

DEFAULT_SECONDS = 6.0
_SHORTEST, _LONGEST = 0.05, 600.0
_LARGEST_BYTES = 65536
_DIGITS = 12
_FILE = re.compile(r".*\.(claim|held)(-\d+|\.shared-[0-9a-f]{16})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that holds a claim or a share.

    Parameters
    ----------
    token : str
        Name of the claim, which no other has: 16 hexadecimal digits.
    host : str
        Machine, since when it runs, and name space of its processes; processes of one host can see each other.
    pid : int
        Number of the process.
    started : str
        When it started, in the units of the kernel; tells it from a later process of the same number.
    interval : float
        Seconds between two heartbeats.
    after : tuple of str
        Tokens of dead holders that it succeeds.
    pulse : int
        Number of heartbeats so far.
    """

    token: str
    host: str
    pid: int
    started: str
    interval: float
    after: tuple[str, ...] = ()
    pulse: int = 0

    @classmethod
    def here(cls, after: tuple[str, ...] = ()) -> Self:
        """Return a new holder: this process."""
        pid = os.getpid()
        return cls(
            token=os.urandom(8).hex(),
            host=this_host(),
            pid=pid,
            started=_start_of(pid) or "",
            interval=heartbeat_seconds(),
            after=after,
        )

    def next(self) -> Self:
        """Return the holder at its next heartbeat."""
        return replace(self, pulse=self.pulse + 1)

    def to_bytes(self) -> bytes:
        """Return the content of the file, as long at every heartbeat, so that it can be written in place."""
        return json.dumps({**asdict(self), "pulse": f"{self.pulse:0{_DIGITS}d}"}).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes) -> Self | None:
        """Return the holder that a file names; None if it is not, or not yet, the file of a claim."""
        try:
            found = json.loads(content)
            return cls(
                token=str(found["token"]),
                host=str(found["host"]),
                pid=int(found["pid"]),
                started=str(found["started"]),
                interval=min(max(float(found["interval"]), _SHORTEST), _LONGEST),
                after=tuple(str(token) for token in found["after"]),
                pulse=int(found["pulse"]),
            )
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
            return None

    @property
    def is_local(self) -> bool:
        """Whether this process could see it."""
        return self.host == this_host()

    @property
    def has_ended(self) -> bool:
        """Whether it is known to have ended; False where that cannot be known."""
        return self.is_local and self.pid > 0 and _start_of(self.pid) not in {self.started, ""}


def heartbeat_seconds() -> float:
    """Return the seconds between two heartbeats of this process.

    Raises
    ------
    ConfigurationError
        If the environment asks for something else than a possible number of seconds.
    """
    given = os.environ.get(HEARTBEAT_VARIABLE) or str(DEFAULT_SECONDS)
    try:
        wanted = float(given)
    except ValueError:
        wanted = math.nan
    if not _SHORTEST <= wanted <= _LONGEST:
        raise ConfigurationError(
            f"{HEARTBEAT_VARIABLE} must be a number of seconds from {_SHORTEST:g} to {_LONGEST:g}. Received: {given!r}"
        )
    return wanted


def this_host() -> str:
    """Return what distinguishes the processes that this one can see from those of other machines and containers."""
    return os.environ.get(HOST_VARIABLE) or _found_host()


@lru_cache(maxsize=1)
def _found_host() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = Path("/proc/self/ns/pid").readlink().name
    except (OSError, ValueError):
        boot, space = f"{uuid.getnode():x}", ""
    return f"{socket.gethostname()}/{boot}/{space}"


def _start_of(pid: int) -> str | None:
    """Return when a process of this machine started; "" where the system does not say it, None if there is none."""
    try:
        # man 5 proc: state and start, the first and 20th field after the name, which may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if fields[0] in {"Z", "X"} else fields[19]
    except (OSError, IndexError):
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        return ""
    return ""


def read(path: Path) -> bytes | None:
    """Return the content of the file of a claim; None if there is none.

    Raises
    ------
    StorageError
        If it cannot be read, or is a link, a pipe or the like, which no process of this program makes.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ESTALE:  # removed on another machine
            return None
        raise storage_error(error, path) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StorageError(f"{path}: is no file, although it has the name of a claim; remove it")
        return os.read(descriptor, _LARGEST_BYTES)
    except OSError as error:
        if error.errno == errno.ESTALE:
            return None
        raise storage_error(error, path) from error
    finally:
        with contextlib.suppress(OSError):  # of a file that another machine has removed, for example
            os.close(descriptor)


def rewrite(path: Path, holder: Holder) -> bool:
    """Write the next heartbeat of a holder into its file; return False if the file is gone, or another's by now.

    It is compared and written through one descriptor. So a file that has taken its name meanwhile is never written to.

    Raises
    ------
    OSError
        If the disk does not answer.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ESTALE}:
            return False
        raise
    try:
        if token_of(os.read(descriptor, _LARGEST_BYTES)) != holder.token:
            return False
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, holder.to_bytes())
    finally:
        os.close(descriptor)  # network file systems write now
    return True


def token_of(content: bytes | None) -> str | None:
    """Return the token of the holder that a file names; None if there is none."""
    holder = None if content is None else Holder.from_bytes(content)
    return None if holder is None else holder.token


def create(path: Path, content: bytes) -> bool:
    """Create the file of a claim; return False if it exists.

    Raises
    ------
    StorageError
        If it cannot be created.
    """
    try:
        descriptor = _open_new(path)
    except FileExistsError:
        return False
    except OSError as error:
        raise storage_error(error, path) from error
    try:
        try:
            os.write(descriptor, content)
        finally:
            os.close(descriptor)  # network file systems write now
    except OSError as error:
        left = read(path)
        if left is not None and content.startswith(left):
            path.unlink(missing_ok=True)
        raise storage_error(error, path) from error
    return True


def _open_new(path: Path, attempts: int = 3) -> int:
    """Create a file, and return its descriptor.

    SFTP has no word for a file that exists. Where another machine was quicker by less than it takes to ask, sshfs says
    EPERM; and the file may be gone again by then.

    Raises
    ------
    FileExistsError
        If another process was quicker.
    OSError
        If the file cannot be created.
    """
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except PermissionError as error:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        if error.errno != errno.EPERM or attempts == 1:
            raise
    return _open_new(path, attempts - 1)


def is_claim_file(path: Path) -> bool:
    """Whether a file has the name of a claim or a share: it says nothing once its process has ended."""
    return _FILE.fullmatch(path.name) is not None
