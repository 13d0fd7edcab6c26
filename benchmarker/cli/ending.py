"""How a command ends that is told to stop: by Ctrl-C, by a batch system, or with its terminal."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

from benchmarker.cli.base import INTERRUPTED


class EndedError(KeyboardInterrupt):
    """A batch system or a terminal that is closed asks this process to end.

    Parameters
    ----------
    number : int
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        self.code = 128 + number  # as shells say it
        super().__init__(number)


@contextlib.contextmanager
def ended_in_order() -> Iterator[None]:
    """End as after Ctrl-C when told to: the worker is stopped, and nothing half-written stays."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: object) -> None:
        raise EndedError(number)

    # What is ignored stays ignored, as under nohup.
    heard = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) == signal.SIG_DFL]
    for number in heard:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_DFL)


def exit_code(interrupt: KeyboardInterrupt, after_ctrl_c: int = INTERRUPTED) -> int:
    """Return the exit code of a command that was interrupted, which says by what."""
    return interrupt.code if isinstance(interrupt, EndedError) else after_ctrl_c
