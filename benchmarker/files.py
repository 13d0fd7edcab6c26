"""Read and write small files: whoever reads one finds the old content or the new, and nothing in between.

Everything is written to a hidden file beside the target, synchronised to the disk, and renamed over the target. Whole
folders are published in the same way.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from benchmarker.errors import StorageError

PARTIAL_SUFFIX = ".partial"
"""Suffix of the hidden file that holds new content until it is complete."""

FREED_SUFFIX = ".freed"
"""Suffix of a hidden folder that is being removed."""

_AS_IT_IS = os.O_NOFOLLOW | os.O_NONBLOCK
"""Flags that refuse links, and do not wait for the other end of a pipe."""


def _no_objection() -> None:
    pass


@contextmanager
def atomic_write(path: Path, *, confirm: Callable[[], object] = _no_objection) -> Iterator[IO[bytes]]:
    """Open a binary stream whose content replaces a file once the block ends without an error.

    Parameters
    ----------
    path : Path
        Path of the file; its folder exists.
    confirm : callable
        Called when the new content is complete, just before it replaces the old; raises what keeps it from that.

    Yields
    ------
    binary stream
        Whatever is written to it. If the block raises, the old file stays and nothing else is left behind.

    Raises
    ------
    StorageError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(Path(folder, "notes.txt")) as stream:
    ...         _ = stream.write(b"3C 31")
    ...     Path(folder, "notes.txt").read_text()
    '3C 31'
    """
    # Nobody can prepare a file or a link under a name that cannot be guessed, and one that exists is not opened.
    aside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}{PARTIAL_SUFFIX}")
    try:
        # Not in the mode "xb", which astropy does not know.
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        confirm()
        aside.replace(path)
        _synchronise_folder(path.parent)
    except OSError as error:
        aside.unlink(missing_ok=True)
        if error.filename == str(aside):
            error.filename = str(path)  # users know this file, and not the hidden one
        raise storage_error(error, path) from error
    except BaseException:  # Ctrl-C, too, leaves no half-written file behind
        aside.unlink(missing_ok=True)
        raise


def remove_partial_files(folder: Path) -> None:
    """Remove what writers that were killed left in a folder and its subfolders.

    Raises
    ------
    OSError
        If a file cannot be removed.
    """
    for aside in folder.rglob(f".*{PARTIAL_SUFFIX}"):
        if stat.S_ISREG(aside.lstat().st_mode):
            aside.unlink()


def open_ordinary(path: Path) -> IO[bytes]:
    """Open a file of a study to read it, but no link, pipe or device.

    A study is examined before it is read, but somebody who can write to it may put something else in the place of a
    file in between. Therefore the file is judged once it is open.

    Parameters
    ----------
    path : Path
        Path of the file.

    Returns
    -------
    binary stream
        The open file.

    Raises
    ------
    OSError
        If it cannot be opened, or is no ordinary file.

    Examples
    --------
    >>> from pathlib import Path
    >>> open_ordinary(Path("/dev/null"))
    Traceback (most recent call last):
        ...
    OSError: [Errno 22] is no ordinary file: '/dev/null'
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | _AS_IT_IS)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "is a symbolic link", os.fspath(path)) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is no ordinary file", os.fspath(path))
    return os.fdopen(descriptor, "rb")


def read_ordinary(path: Path) -> bytes:
    """Return the content of a file of a study, see `open_ordinary`.

    Raises
    ------
    OSError
        If it cannot be read, or is no ordinary file.
    """
    with open_ordinary(path) as stream:
        return stream.read()


def read_ordinary_text(path: Path, *, errors: str = "strict") -> str:
    """Return the text of a file of a study in UTF-8, with line ends as they are; see `open_ordinary`.

    Raises
    ------
    OSError
        If it cannot be read, or is no ordinary file.
    UnicodeDecodeError
        If it is not UTF-8.
    """
    return read_ordinary(path).decode("utf-8", errors)


def publish(aside: Path, final: Path, *, confirm: Callable[[], object] = _no_objection) -> None:
    """Give a complete folder its final name, once everything in it has reached the disk.

    Without that, a machine that loses its power may keep the name and lose the content.

    Parameters
    ----------
    aside, final : Path
        Paths of the folder now and afterwards, on one file system. There is nothing at the second one.
    confirm : callable
        Called just before the folder is renamed; raises what keeps it from that.

    Raises
    ------
    OSError
        If the disk does not take everything, or the folder cannot be renamed.
    """
    synchronise(aside)
    confirm()
    aside.rename(final)
    _synchronise_folder(final.parent)


def discard(folder: Path, *, confirm: Callable[[], object] = _no_objection, strict: bool = False) -> None:
    """Rename a folder, and remove it under a name that nobody looks for.

    So nobody finds half of it, and a process that was given up and comes back cannot go on writing into it.

    Parameters
    ----------
    folder : Path
        Path of the folder; one that does not exist is ignored.
    confirm : callable
        As `move` takes it.
    strict : bool
        Whether it is an error that something in the folder cannot be removed. Otherwise it is left to `benchmarker gc`.

    Raises
    ------
    OSError
        If the folder cannot be renamed.
    """
    aside = folder.with_name(f".{folder.name.lstrip('.')}.{os.urandom(4).hex()}{FREED_SUFFIX}")
    try:
        move(folder, aside, confirm=confirm)
    except FileNotFoundError:
        return
    shutil.rmtree(aside, ignore_errors=not strict)


def move(folder: Path, target: Path, *, confirm: Callable[[], object]) -> None:
    """Rename a folder under a claim that may be lost just before.

    Parameters
    ----------
    folder, target : Path
        Paths of the folder now and afterwards.
    confirm : callable
        Called before the folder is renamed and again after that; raises what keeps it from that. In the second case the
        folder gets its name back.

    Raises
    ------
    OSError
        If the folder cannot be renamed.
    """
    confirm()
    folder.rename(target)
    try:
        confirm()
    except BaseException:
        with contextlib.suppress(OSError):  # another folder has its name by now
            target.rename(folder)
        raise


def synchronise(folder: Path) -> None:
    """Wait until everything in a folder has reached the disk.

    Raises
    ------
    OSError
        If the disk does not take everything.
    """
    for inner, _, names in os.walk(folder, topdown=False):
        for path in (Path(inner, name) for name in names):
            if stat.S_ISREG(path.lstat().st_mode):
                _synchronise(path)
        _synchronise_folder(Path(inner))


def _synchronise(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | _AS_IT_IS)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _synchronise_folder(path: Path) -> None:
    """Make the names in a folder survive, where its file system can do that."""
    with contextlib.suppress(OSError):
        _synchronise(path)


def write_bytes(path: Path, content: bytes, *, confirm: Callable[[], object] = _no_objection) -> None:
    """Write a file atomically; ``confirm`` is that of `atomic_write`.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    with atomic_write(path, confirm=confirm) as stream:
        stream.write(content)


def copy_file(source: Path, target: Path, *, confirm: Callable[[], object] = _no_objection) -> None:
    """Copy the content of a file atomically; ``confirm`` is that of `atomic_write`.

    Raises
    ------
    StorageError
        If the source cannot be read, or the target cannot be written.
    """
    with atomic_write(target, confirm=confirm) as stream, open_ordinary(source) as content:
        shutil.copyfileobj(content, stream)


def copy_folder(source: Path, target: Path, *, replace: bool = False) -> None:
    """Copy a folder of a study with everything in it, but not through links; times of files are kept.

    Parameters
    ----------
    source, target : Path
        Paths of the folder and of its copy.
    replace : bool
        Whether the copy may exist, and files in it are replaced.

    Raises
    ------
    OSError
        If something cannot be copied. A link is copied as a link, and the copy is then refused like any study with one.
    """
    shutil.copytree(source, target, symlinks=True, copy_function=_copy_with_times, dirs_exist_ok=replace)


def _copy_with_times(source: str, target: str) -> None:
    if os.path.islink(target):  # noqa: PTH114 - left by others, and not written through
        os.unlink(target)  # noqa: PTH108
    with open_ordinary(Path(source)) as content, open(target, "wb") as stream:  # noqa: PTH123
        shutil.copyfileobj(content, stream)
        status = os.fstat(content.fileno())
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.chmod(target, stat.S_IMODE(status.st_mode))  # noqa: PTH101


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8 and without changing its line ends.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any, *, confirm: Callable[[], object] = _no_objection) -> None:
    """Write indented JSON atomically; ``confirm`` is that of `atomic_write`.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode(), confirm=confirm)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a CSV file atomically, with line feeds at line ends, so that its bytes are the same everywhere.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    with atomic_write(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        text.detach()  # flushes it, and leaves the stream open for `atomic_write`


def open_to_append(path: Path) -> IO[bytes]:
    """Open a file that grows, created if need be, but never a link, a pipe, or a file that also has another name.

    Parameters
    ----------
    path : Path
        Path of the file.

    Returns
    -------
    binary stream
        Whatever is written to it is appended.

    Raises
    ------
    StorageError
        If it cannot be opened, or is none of the project's own files.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | _AS_IT_IS, 0o666)
    except OSError as error:
        raise storage_error(error, path) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise StorageError(f"{path}: is a pipe, a device or a file with several names, and is not written; remove it")
    return os.fdopen(descriptor, "ab")


def remove_half_line(path: Path) -> None:
    """Cut off an incomplete last line, left by a writer that was killed; a missing file is ignored."""
    if path.exists():
        with path.open("r+b") as stream:
            stream.truncate(stream.read().rfind(b"\n") + 1)


def make_folder(path: Path) -> Path:
    """Create a folder and its parents, and return its path.

    Raises
    ------
    StorageError
        If that is not possible.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, path) from error
    return path


def require_possible(folder: Path) -> None:
    """Make sure that a folder exists or can be created, and that files can be created in it; nothing is created.

    Raises
    ------
    StorageError
        If that is not possible.
    """
    for place in (folder, *folder.absolute().parents):
        try:
            is_folder = stat.S_ISDIR(place.stat().st_mode)
        except FileNotFoundError:
            if place.is_symlink():
                raise StorageError(f"{place}: is a link to nothing; correct it, or choose another folder") from None
            continue
        except OSError as error:
            raise storage_error(error, place) from error
        if not is_folder:
            raise storage_error(NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)), place)
        if not os.access(place, os.W_OK | os.X_OK):
            raise storage_error(PermissionError(errno.EACCES, os.strerror(errno.EACCES)), place)
        return


def storage_error(error: OSError, path: Path) -> StorageError:
    """Return an error that says why a file could not be written, and what to do about it.

    Parameters
    ----------
    error : OSError
        Error of the operating system, or of numpy.
    path : Path
        Path to name where the error names none.
    """
    place = error.filename or path
    cut_short = error.errno is None and " requested and " in str(error)  # numpy's words for an incomplete write
    if cut_short or error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return StorageError(f"{place}: the disk is full; free some space and run the same command again")
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return StorageError(f"{place}: cannot be written ({error.strerror}); choose another folder")
    if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP}:
        return StorageError(f"{place}: {error.strerror}; correct the path, or choose another folder")
    return StorageError(f"{place}: {error.strerror or error}")
