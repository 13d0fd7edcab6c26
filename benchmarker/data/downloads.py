"""Download published files once, verify them, or use the user's own copies instead.

pooch downloads and verifies. This module adds what pooch lacks: mirrors, resuming an interrupted download, protection
against two processes that download the same file, and a message that says how to fetch the file by hand.
"""

from __future__ import annotations

import hashlib
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarker._version import __version__
from benchmarker.claims import Claim, LostClaimError, claim
from benchmarker.contracts.plugins import Download
from benchmarker.disk import require_free
from benchmarker.errors import DataError, DownloadError
from benchmarker.files import copy_file
from benchmarker.paths import reading_problem

if TYPE_CHECKING:
    from requests import Response
    from rich.progress import Progress, TaskID

logger = logging.getLogger(__name__)

_PART = re.compile(r"\.(?P<name>.+)\.[^.]{1,8}\.part")
_CHUNK_BYTES = 1 << 16
_TIMEOUT_SECONDS = (10, 30)
_ATTEMPTS = 5
_MOST_BYTES = 256 << 30
_SLOWEST_BYTES = 1 << 20
_SLOWEST_SECONDS = 600.0
"""A server that sends less than `_SLOWEST_BYTES` in this time only keeps other processes waiting."""

_PARTIAL = 206
_RANGE_NOT_SATISFIABLE = 416


def fetch(download: Download, folder: Path, *, offline: bool = False, progress: bool = True) -> Path:
    """Return a published file, downloaded once into a folder and verified.

    Parameters
    ----------
    download : Download
        Name, addresses and checksum of the file.
    folder : Path
        Folder of the cache, created if it is missing. A file that a user puts there by hand is used like a download.
    offline : bool
        Never use the network.
    progress : bool
        Show a progress bar if standard error is a terminal.

    Returns
    -------
    Path
        The verified file. An incomplete file never has this name.

    Raises
    ------
    DownloadError
        If no address provides the right file; the message names every address with the reason, and how to download
        the file by hand.
    """
    path = folder / download.filename
    if _verified(path, download.checksum):
        return path
    if offline:
        raise DownloadError(
            f"{download.filename} is {_state(path)}, and --offline forbids downloading it.\n"
            f"{_by_hand(download, folder)}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            with claim(claim_path(path)) as held:
                # Another process may have downloaded it while this one waited.
                if _verified(path, download.checksum):
                    return path
                with suppress(LostClaimError):  # whoever has taken over downloads it
                    return _from_mirrors(download, folder, held, progress=progress)
    except OSError as error:
        reason = error.strerror or error
        raise DownloadError(
            f"{download.filename} cannot be written to {folder}: {reason}.\n{_by_hand(download, folder)}"
        ) from error


def claim_path(file: Path) -> Path:
    """Return what is claimed while a file is downloaded; the file may be what there is of it so far."""
    part = _PART.fullmatch(file.name)
    return file.with_name(f".{part['name'] if part else file.name}.claim")


def user_file(download: Download, path: Path) -> Path:
    """Return the file or folder that a user gave instead of a download.

    Parameters
    ----------
    download : Download
        The published file.
    path : Path
        The user's file or folder.

    Returns
    -------
    Path
        The file itself. Of a folder, the file with the published name if there is one, otherwise the folder, which is
        then expected to hold the unpacked data. A file with another checksum than the published one is used, and a
        warning is logged.

    Raises
    ------
    DataError
        If there is no such file or folder.
    """
    if problem := reading_problem(path):
        raise DataError(problem)
    file = path / download.filename if path.is_dir() else path
    if not file.is_file():
        return path
    status = file.stat()
    _warn_of_other_file(file, (status.st_size, status.st_mtime_ns), download)
    return file


@cache
def _warn_of_other_file(file: Path, _version: tuple[int, int], download: Download) -> None:
    """Warn once if a file of the user is not a published one; a dataset is opened several times in one command."""
    if not any(_verified(file, checksum) for checksum in (download.checksum, *download.other_checksums)):
        logger.warning(
            "%s is not the published file (its checksum is not %s); it is used anyway", file, download.checksum
        )


def _from_mirrors(download: Download, folder: Path, held: Claim, *, progress: bool) -> Path:
    import pooch

    part = _part(download, folder)
    if held.predecessors and part.is_file():
        copy_file(part, part)  # one that comes back goes on to write into the file that it has open

    # pooch logs to standard error by itself; this module logs the same through the program's own logger.
    pooch.get_logger().setLevel(logging.WARNING)
    reasons: list[str] = []
    for url in download.urls:
        logger.info("downloading %s", url)
        reason = _from_mirror(url, download, folder, held, progress=progress)
        if reason is None:
            return folder / download.filename
        reasons.append(f"  {url}\n    {reason}")
        logger.warning("%s: %s", url, reason)
    raise DownloadError(
        "\n".join([f"{download.filename} could not be downloaded:", *reasons, _by_hand(download, folder)])
    )


def _from_mirror(url: str, download: Download, folder: Path, held: Claim, *, progress: bool) -> str | None:
    """Download from one address, and return why that failed, or None if it succeeded."""
    import pooch
    import requests

    part = _part(download, folder)
    reason = None
    for _ in range(_ATTEMPTS):
        before = _size(part)
        try:
            pooch.retrieve(
                url,
                known_hash=download.checksum,
                fname=download.filename,
                path=folder,
                downloader=_Resuming(part, download.filename, held.require, progress=progress),
            )
        except requests.RequestException as error:
            reason = _short(error)
            # Another attempt is worthwhile as long as each one extends the file or discards a wrong beginning.
            if _size(part) == before:
                return reason
        except ValueError:
            reason = f"the file there has another checksum than {download.checksum}"
            # The beginning may belong to another file: download once more from the start.
            if not before:
                return reason
        else:
            return None
    return reason


def _part(download: Download, folder: Path) -> Path:
    """Return what an incomplete download is kept in; the checksum keeps those of two versions of a file apart."""
    return folder / f".{download.filename}.{download.checksum.rpartition(':')[2][:8]}.part"


class _Resuming:
    """A pooch downloader that resumes an interrupted download.

    Parameters
    ----------
    part : Path
        File that holds the bytes until the download is complete; pooch deletes its own temporary file after a failure.
    name : str
        Name beside the progress bar.
    confirm : callable
        Called before the file is opened and before it is handed over; raises what keeps it from that.
    progress : bool
        Show a progress bar if standard error is a terminal.
    """

    def __init__(self, part: Path, name: str, confirm: Callable[[], object], *, progress: bool) -> None:
        self.part = part
        self.name = name
        self.confirm = confirm
        self.progress = progress

    def __call__(self, url: str, output_file: str | Path, pooch: object, check_only: bool = False) -> None:
        """Download ``url`` to ``output_file``, as pooch asks for it."""
        del pooch, check_only
        import requests

        # With a compressed transfer, positions in the file and in the transfer would differ.
        headers = {"Accept-Encoding": "identity", "User-Agent": f"galaxy-benchmarker/{__version__}"}
        start = _size(self.part)
        if start:
            headers["Range"] = f"bytes={start}-"
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS) as response:
            if response.status_code == _RANGE_NOT_SATISFIABLE and start:
                if _total(response) != start:
                    self.part.unlink()
                    raise requests.RequestException("the partial download does not belong to this file")
            else:
                response.raise_for_status()
                if not (response.status_code == _PARTIAL and _first(response) == start):
                    start = 0
                self._receive(response, start)
        self.confirm()
        self.part.replace(output_file)

    def _receive(self, response: Response, start: int) -> None:
        import requests

        length = response.headers.get("Content-Length")
        total = start + int(length) if length and length.isdigit() else None
        if total is not None:
            require_free(self.part.parent, total - start, f"the download of {self.name}")
        self.confirm()
        received, counted, since = start, start, time.monotonic()
        with (
            self.part.open("ab" if start else "wb") as stream,
            _bar(self.name, start, total, show=self.progress) as bar,
        ):
            for chunk in response.iter_content(_CHUNK_BYTES):
                stream.write(chunk)
                bar.advance(len(chunk))
                received += len(chunk)
                if received > (_MOST_BYTES if total is None else min(_MOST_BYTES, total)):
                    self.part.unlink()
                    raise requests.RequestException(f"the server sends more than {received:,} bytes")
                if time.monotonic() - since > _SLOWEST_SECONDS:
                    if received - counted < _SLOWEST_BYTES:
                        raise requests.RequestException(
                            f"the server sent {received - counted:,} bytes in {_SLOWEST_SECONDS:.0f} s"
                        )
                    counted, since = received, time.monotonic()


class _Bar:
    """A progress bar, or nothing where none is shown."""

    def __init__(self, progress: Progress | None = None, task: TaskID | None = None) -> None:
        self._progress = progress
        self._task = task

    def advance(self, amount: int) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, amount)


@contextmanager
def _bar(name: str, start: int, total: int | None, *, show: bool) -> Iterator[_Bar]:
    if not (show and sys.stderr.isatty()):
        yield _Bar()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Bar(progress, progress.add_task(f"downloading {name}", total=total, completed=start))


def _first(response: Response) -> int | None:
    """Return the position in the file at which a partial answer starts."""
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _total(response: Response) -> int | None:
    """Return the size of the whole file from the answer to a refused range, where it is given."""
    found = re.match(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _verified(path: Path, checksum: str) -> bool:
    if not path.is_file():
        return False
    algorithm, _, expected = checksum.rpartition(":")
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, algorithm or "sha256").hexdigest()
    return found == expected.lower()


def _state(path: Path) -> str:
    return f"in {path.parent} with a wrong checksum" if path.is_file() else f"not in {path.parent}"


def _short(error: Exception) -> str:
    """Return the reason for a failed request in one line, without the address, which the message names already."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code} {response.reason}"
    cause: BaseException = error
    while cause.args and isinstance(cause.args[0], BaseException):
        cause = cause.args[0]
    text = str(getattr(cause, "reason", None) or cause)
    return f"{type(error).__name__}: {text}".splitlines()[0][:200]


def _by_hand(download: Download, folder: Path) -> str:
    urls = "".join(f"  {url}\n" for url in download.urls)
    return (
        f"Download it by hand from\n{urls}to {folder / download.filename}\n(checksum {download.checksum}), "
        "or give your own file or folder with -d or as `path` of the dataset in the registry."
    )
