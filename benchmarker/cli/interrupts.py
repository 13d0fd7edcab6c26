"""Signals that end a command: Ctrl-C, SIGTERM from a batch system, SIGHUP from a closed terminal."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

INTERRUPTED = 130


class EndedError(KeyboardInterrupt):
    """SIGTERM or SIGHUP asked this process to end.

    Parameters
    ----------
    number : int
        Number of the signal.
    """

    def __init__(self, number: int) -> None:
        self.code = 128 + number  # the exit code that shells report
        super().__init__(number)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise a `KeyboardInterrupt` at SIGTERM and SIGHUP, so that they end a command as cleanly as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: object) -> None:
        raise EndedError(number)

    # A signal that is ignored, as SIGHUP is under nohup, stays ignored.
    handled = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) == signal.SIG_DFL]
    for number in handled:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)


def exit_code(interrupt: BaseException | None, after_ctrl_c: int = INTERRUPTED) -> int:
    """Return the exit code that says which signal interrupted a command."""
    return interrupt.code if isinstance(interrupt, EndedError) else after_ctrl_c
