"""How a study is run: jobs, devices, retries. None of it changes a result."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarker.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How the cells of a study are run.

    Parameters
    ----------
    jobs : int, optional
        Number of cells at once; by default as many as `benchmarker.run.jobs.choose_jobs` finds.
    timeout : float, optional
        Seconds after which an attempt at a cell is ended; never by default.
    retries : int
        Number of times that a cell is tried again after a failure of the machine: a crash, too little memory, a
        timeout.
    retry_failed : bool
        Whether to also run cells that failed in an earlier call.
    fail_fast : bool
        Whether to stop at the first failure; what has not finished is pending then.
    gpus : tuple of str, optional
        Devices to spread the cells over; an empty tuple uses only the processor. By default those of this machine.
    """

    jobs: int | None = None
    timeout: float | None = None
    retries: int = 1
    retry_failed: bool = False
    fail_fast: bool = False
    gpus: tuple[str, ...] | None = None


def parse_gpus(text: str) -> tuple[str, ...]:
    """Read ``0,1`` or ``none``.

    Raises
    ------
    ConfigurationError
        If an entry is empty or repeated.
    """
    if text.strip().lower() == "none":
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if "" in names or len(set(names)) < len(names):
        raise ConfigurationError(
            f"--gpus: different devices separated by commas, or none, were expected. Received: {text!r}"
        )
    return names
