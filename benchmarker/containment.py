"""Contains what the code of plugins does: whatever it raises, and whatever it does while it is imported."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final

from benchmarker.errors import BenchmarkerError, PluginError, shorten

_WARN: Final = "default"
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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


def only_warned(filters: str) -> str:
    """Return the value of ``PYTHONWARNINGS`` with warnings that it turns into errors as warnings again.

    Libraries warn of deprecations that do not concern the user, and a cell, a report or an import must not end with
    one.

    Examples
    --------
    >>> only_warned("error::DeprecationWarning,ignore::UserWarning")
    'default::DeprecationWarning,ignore::UserWarning'
    """
    return ",".join(map(_warning_filter, filters.split(",")))


def _warning_filter(entry: str) -> str:
    action, colon, rest = entry.partition(":")
    # Python takes abbreviations.
    is_error = action.strip() and "error".startswith(action.strip())
    return f"{_WARN}{colon}{rest}" if is_error else entry


def tolerate_warnings() -> None:
    """Undo ``PYTHONWARNINGS=error`` and ``python -W error`` in this process and those that it starts."""
    if (filters := os.environ.get("PYTHONWARNINGS")) is not None:
        os.environ["PYTHONWARNINGS"] = only_warned(filters)
    if any(only_warned(option) != option for option in sys.warnoptions):
        warnings.simplefilter(_WARN)


_importing = threading.RLock()


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Import code of a plugin: output goes to standard error, and settings of the process are restored.

    Standard output belongs to the command, whose JSON or table somebody may read with a program. A module that chooses
    a backend in the environment, as many scripts do in their first line, would choose it for every network.
    """
    with _importing, _working_directory(), _environment(), _interpreter(), _output_on_stderr():
        yield


@contextlib.contextmanager
def _interpreter() -> Iterator[None]:
    """Restore what ends commands later: handlers of signals, limits, and warnings as errors."""
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    limit, disabled = sys.getrecursionlimit(), logging.root.manager.disable
    known = list(warnings.filters)
    try:
        yield
    finally:
        sys.setrecursionlimit(max(limit, sys.getrecursionlimit()))  # libraries may need a deeper one
        logging.disable(disabled)
        if any(each[0] == "error" and each not in known for each in warnings.filters):
            filters: Any = warnings.filters
            filters[:] = [each for each in warnings.filters if each[0] != "error" or each in known]
            warnings.simplefilter(_WARN, append=True)  # the list alone would not be read again
        for number, handler in handlers.items():
            if signal.getsignal(number) is not handler and handler is not None:
                with contextlib.suppress(ValueError):  # outside the main thread, which cannot have set it either
                    signal.signal(number, handler)


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update({name: value for name, value in before.items() if os.environ.get(name) != value})


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
