"""Paths that users give, their checks, and the folder of the shipped registries."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from benchmarker.errors import ConfigurationError

CACHE_VARIABLE = "BENCHMARKER_CACHE"
_PACKAGE = Path(__file__).parent
_SHOWN = 100  # characters of a path that is too long to be one


def expand_user(path: str | Path) -> Path:
    """Return a path in which ``~`` and ``~name`` are home folders, also where the shell has left them.

    Parameters
    ----------
    path : str or Path
        Path as a user wrote it. A file or folder whose own name begins with ``~`` stays as it is.

    Raises
    ------
    ConfigurationError
        If there is no such user, the home folder is unknown, or the path holds a NUL character.

    Examples
    --------
    >>> expand_user("images/first").as_posix()
    'images/first'
    >>> expand_user("~no-such-user/images")
    Traceback (most recent call last):
        ...
    benchmarker.errors.ConfigurationError: ~no-such-user/images: there is no user 'no-such-user'; correct the path
    """
    if "\0" in os.fspath(path):
        raise ConfigurationError(f"{path}: no path holds a NUL character; correct it")
    written = Path(path)
    name = written.parts[0][1:] if written.parts and written.parts[0].startswith("~") else None
    if name is None:
        return written
    try:
        expanded = written.expanduser()
    except RuntimeError:
        expanded = written
    if expanded.is_absolute():
        return expanded
    if os.path.lexists(written):
        return written
    if name:
        raise ConfigurationError(f"{path}: there is no user {name!r}; correct the path")
    raise ConfigurationError(f"{path}: the home folder is unknown, because HOME is not set; give a path without ~")


def reading_problem(path: Path) -> str:
    """Return why a path cannot be read, or an empty string if it is a regular file or a folder.

    Named pipes are refused because opening one blocks until another process writes to it, and because its contents
    cannot be read a second time, which checksums and later runs require.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return f"no such file or folder: {path}"
    except (OSError, ValueError) as error:
        return f"{str(path)[:_SHOWN]} cannot be read: {getattr(error, 'strerror', None) or error}"
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return f"{path} is not a regular file, but a pipe, a socket or a device: copy its contents into a file"
    return ""


def shipped_folder() -> Path:
    """Return the folder of the registries that come with the benchmarker.

    A wheel contains them inside the package; an editable install reads the folder of the checkout.
    """
    inside = _PACKAGE / "registries"
    return inside if inside.is_dir() else _PACKAGE.parent / "registries"


def cache_folder() -> Path:
    """Return the folder of downloads and prepared data: ``BENCHMARKER_CACHE``, or else the user's cache folder.

    Raises
    ------
    ConfigurationError
        If ``BENCHMARKER_CACHE`` is below the home folder of an unknown user, or is not set and there is no home folder.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        try:
            return expand_user(chosen).absolute()
        except ConfigurationError as error:
            raise ConfigurationError(f"{CACHE_VARIABLE}={error}") from error
    import platformdirs

    try:
        folder = platformdirs.user_cache_path("galaxy-benchmarker")
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute():  # some versions of platformdirs leave "~" where there is no home folder
        raise ConfigurationError(
            f"the home folder is unknown, so there is no cache folder: set HOME, or set {CACHE_VARIABLE} to a "
            "folder that can be written"
        )
    return folder
