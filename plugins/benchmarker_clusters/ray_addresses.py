"""Addresses of Ray clusters: where one is expected, and whether Ray answers there.

Ray itself tries for a minute or more to reach a cluster that is gone, and warns for twenty seconds where something else
answers. A knock takes a fraction of a second.
"""

from __future__ import annotations

import os
import re
import socket
import time
from pathlib import Path

from benchmarker import printable

_KNOCK_SECONDS = 10.0
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What each client of HTTP/2 says first, and therefore each client of gRPC, which is what Ray speaks."""

_SETTINGS_TYPE = 4
_EMPTY_SETTINGS = bytes((0, 0, 0, _SETTINGS_TYPE, 0, 0, 0, 0, 0))
_HEADER_BYTES = len(_EMPTY_SETTINGS)
_LINE_BYTES = 80
_OF_WEB_SERVERS = (b"HTTP/", b"<!DOCTYPE", b"<html")
_HEAD = "--address is that of the head of a cluster, HOST:PORT as `ray start --head` prints it (port 6379 by default)"


def address_of_this_machine() -> str:
    """Return the address that ``auto`` stands for: that of ``RAY_ADDRESS``, or the one that `ray start` wrote down.

    It is empty if there is none; Ray then looks for processes.
    """
    if named := os.environ.get("RAY_ADDRESS", ""):
        return named
    folder = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - as Ray has it
    try:
        return (Path(folder) / "ray" / "ray_current_cluster").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def problem_at(address: str, *, hint: str) -> str | None:
    """Return why no cluster can be reached at a host and port, and what to do; None if one may be there.

    Parameters
    ----------
    address : str
        Address; texts other than ``HOST:PORT`` are left to Ray.
    hint : str
        What to do where nothing answers.
    """
    match = re.fullmatch(r"\[?(?P<host>[\w.:-]+?)\]?:(?P<port>\d{1,5})", address)
    if match is None:
        return None
    try:
        with socket.create_connection((match["host"], int(match["port"])), timeout=_KNOCK_SECONDS) as connection:
            if os.environ.get("RAY_USE_TLS", "0").lower() in {"1", "true"}:  # another handshake comes first
                return None
            return _other_program(connection, address)
    except (OSError, OverflowError) as error:
        return f"no cluster answers at {address}: {error}; {hint}"


def _other_program(connection: socket.socket, address: str) -> str | None:
    """Return what answers a greeting of HTTP/2 in another way than Ray does; None if it is like Ray's."""
    try:
        connection.sendall(_PREFACE + _EMPTY_SETTINGS)
        answer = _received(connection)
    except TimeoutError:
        answer = None
    except OSError:  # the connection was cut
        answer = b""
    if answer is None:
        seen = f"something accepts connections, but says nothing within {_KNOCK_SECONDS:g} s"
    elif not answer:
        seen = "something accepts connections, but ends them at once"
    elif len(answer) >= _HEADER_BYTES and answer[3] == _SETTINGS_TYPE and answer[5:_HEADER_BYTES] == b"\0\0\0\0":
        return None
    else:
        program = "a web server" if answer.startswith(_OF_WEB_SERVERS) else "another program"
        line = answer.splitlines()[0].decode("ascii", errors="replace")
        seen = f"{program} answers ({printable(line)!r})"
    return f"no cluster at {address}: {seen}; {_HEAD}"


def _received(connection: socket.socket) -> bytes:
    """Return the first bytes of an answer: the header of a frame at least, if so many come."""
    until = time.monotonic() + _KNOCK_SECONDS
    answer = b""
    while len(answer) < _HEADER_BYTES:
        connection.settimeout(max(until - time.monotonic(), 0.001))
        part = connection.recv(_LINE_BYTES)
        if not part:
            break
        answer += part
    return answer
