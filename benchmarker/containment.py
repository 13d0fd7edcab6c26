"""Contains what the code of plugins does: whatever it raises, and whatever it does while it is imported."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from types import TracebackType

from benchmarker.errors import BenchmarkerError, PluginError, shorten


class PluginErrors:
    """Turns whatever the code of a plugin raises into a `PluginError`.

    That includes `SystemExit`: a plugin that calls ``sys.exit(0)`` has failed, and must not end the command with the
    exit code of success. Errors of the benchmarker and Ctrl-C pass through.

    Parameters
    ----------
    what : str
        What the plugin was doing, such as ``"reading the dataset 'mnist'"``.
    passing : tuple of exception classes
        Other errors that pass through, such as `OSError` where a full disk is not the plugin's fault.

    Examples
    --------
    >>> import sys
    >>> with PluginErrors("drawing the sky"):
    ...     sys.exit(0)
    Traceback (most recent call last):
        ...
    benchmarker.errors.PluginError: drawing the sky failed: SystemExit: 0
    """

    def __init__(self, what: str, *, passing: tuple[type[BaseException], ...] = ()) -> None:
        self._what = what
        self._passing: tuple[type[BaseException], ...] = (BenchmarkerError, KeyboardInterrupt, GeneratorExit, *passing)

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, self._passing):
            raise PluginError(f"{self._what} failed: {describe(error)}") from error


def describe(error: BaseException) -> str:
    """Return the type and the message of an exception, which may be any text of foreign code, shortened.

    Examples
    --------
    >>> describe(ValueError("no")), describe(KeyError())
    ('ValueError: no', 'KeyError')
    """
    message = str(error)
    return shorten(f"{type(error).__name__}: {message}") if message else type(error).__name__


_importing = threading.RLock()


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Import code of a plugin: what it prints goes to standard error, and the working directory is restored.

    Standard output belongs to the command, whose JSON or table somebody may read with a program.
    """
    with _importing, _working_directory(), _output_on_stderr():
        yield


@contextlib.contextmanager
def _working_directory() -> Iterator[None]:
    try:
        descriptor = os.open(".", os.O_RDONLY)
    except OSError:  # it was removed, or cannot be read
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.fchdir(descriptor)
        os.close(descriptor)


@contextlib.contextmanager
def _output_on_stderr() -> Iterator[None]:
    """Send what Python code, compiled code and child processes print to standard error."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none
        sys.stdout.flush()
    try:
        saved = os.dup(1)
    except OSError:  # it is closed
        with contextlib.redirect_stdout(sys.stderr):
            yield
        return
    try:
        with contextlib.suppress(OSError):
            os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)
