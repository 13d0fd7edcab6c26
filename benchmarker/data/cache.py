"""A cache of folders, each named by the digest of everything that its contents depend on.

A folder gets its name only when it is complete, so a killed process leaves nothing that could be mistaken for data. A
claim lets one process write a folder while others wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from benchmarker.claims import Claim, Share, claim, confirmed_if_it_fails, is_shared, share
from benchmarker.digests import digest_json
from benchmarker.errors import DataError, StorageError
from benchmarker.files import discard, publish, storage_error
from benchmarker.paths import CACHE_VARIABLE, cache_folder

Waiting = Callable[[], AbstractContextManager[object]]
"""Returns a context that is entered while another process is waited for."""


def cache_error(error: OSError | StorageError, path: Path) -> StorageError:
    """Return an error that says why the cache could not be written, and how to choose another folder for it.

    Parameters
    ----------
    error : OSError or StorageError
        Error of the operating system, or what became of it.
    path : Path
        Path to name where the error names none.
    """
    known = error if isinstance(error, StorageError) else storage_error(error, path)
    if CACHE_VARIABLE in str(known):
        return known
    return StorageError(f"{known} ({CACHE_VARIABLE} names another folder for the cache)")


def produce(
    name: str,
    key: Any,
    write: Callable[[Path], object],
    *,
    root: Path | None = None,
    waiting: Waiting = nullcontext,
) -> Path:
    """Return a cached folder, calling ``write(folder)`` only if it does not exist yet.

    Parameters
    ----------
    name : str
        Kind of contents; becomes the name of the parent folder.
    key : JSON value
        Everything that the contents depend on; its digest becomes the name of the folder.
    write : callable
        Fills the empty folder that it is given.
    root : Path, optional
        Folder to use instead of `cache_folder` ().
    waiting : callable
        Returns a context in which the function waits for another process that writes the folder, if there is one.

    Raises
    ------
    StorageError
        If the cache cannot be written.
    DataError
        If ``write`` cannot read one of the user's files.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as cache:
    ...     folder = produce("notes", {"version": 1}, lambda new: (new / "a.txt").touch(), root=Path(cache))
    ...     again = produce("notes", {"version": 1}, lambda new: (new / "b.txt").touch(), root=Path(cache))
    ...     folder == again, [path.name for path in again.iterdir()]
    (True, ['a.txt'])
    """
    root = root or cache_folder()
    folder = root / name / digest_json(key)[:32]
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        while not folder.is_dir():
            with claim(claim_path(folder), waiting=waiting) as held:
                if not folder.is_dir():
                    _write_aside(folder, write, held)
    except StorageError as error:
        raise cache_error(error, folder) from error
    except OSError as error:
        if error.filename and not _is_of(root.absolute(), Path(error.filename).absolute()):
            raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from error
        raise cache_error(error, folder) from error
    return folder


def _is_of(cache: Path, path: Path) -> bool:
    """Whether a path is in the cache, or a folder that holds the cache and must be created first."""
    return path.is_relative_to(cache) or cache.is_relative_to(path)


def _write_aside(folder: Path, write: Callable[[Path], object], held: Claim) -> None:
    """Write a folder, unless another process takes over, which then writes it."""
    for token in held.predecessors:  # of processes that were killed, or come back and then find nothing
        discard(_aside(folder, token))
    aside = _aside(folder, held.token)
    aside.mkdir()
    try:
        write(aside)
        publish(aside, folder, confirm=held.require)
    except BaseException as error:
        with suppress(OSError):
            discard(aside)
        # Whoever takes over renames the folder first, and then everything fails.
        if not isinstance(error, Exception) or held.is_held():
            raise


def _aside(folder: Path, token: str) -> Path:
    return folder.with_suffix(f".{token}.partial")


def claim_path(folder: Path) -> Path:
    """Return what is claimed while a cached folder is written."""
    return folder.with_suffix(".claim")


@contextmanager
def held(folder: Path) -> Iterator[Share | None]:
    """Keep `benchmarker gc` from removing a cached folder while it is used, and record that it was used.

    Parameters
    ----------
    folder : Path
        A folder that `produce` returned. Any number of processes may hold it; the hold of a killed process ends.

    Yields
    ------
    Share or None
        What keeps it, to be confirmed before anything is published; None where the cache cannot be written.

    Raises
    ------
    LostClaimError
        If something fails within the block after another process took this one for dead: the folder may be gone.
    """
    path = held_file(folder)
    try:
        path.touch()
        use = share(path)
    except (OSError, StorageError):  # a cache that cannot be written cannot be cleared either
        yield None
        return
    with use, confirmed_if_it_fails(use):
        yield use


def held_file(folder: Path) -> Path:
    """Return the file that is shared while a cached folder is in use; its modification time is that of the last use."""
    return folder.with_name(f"{folder.name}.held")


def is_held(folder: Path) -> bool:
    """Whether a process uses a cached folder."""
    return is_shared(held_file(folder))
