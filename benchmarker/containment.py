"""Contains what the code of plugins does: whatever it raises, and whatever it does while it is imported."""

from __future__ import annotations

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
