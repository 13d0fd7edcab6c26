"""Shares: signs that a process uses something, which any number of processes may."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarker.claims.exclusive import INTERVAL_SECONDS, Claim, attempt, verdict_of
from benchmarker.claims.heart import Beating, Held, LostClaimError
from benchmarker.claims.holders import Holder, create, read, token_of
from benchmarker.claims.watching import Verdict, watcher
from benchmarker.files import storage_error

_SUFFIX = ".shared-"


class Share(Held):
    """A share that this process holds; leaving its ``with`` block releases it.

    A process that gives no sign of life for a while loses its shares: whoever wants something for itself removes them.
    When it comes back, what it uses may have changed. So it confirms its shares before it publishes anything.

    Parameters
    ----------
    path : Path
        What is shared; also an attribute.
    beating : Beating
        Its file.
    """

    def require(self) -> None:
        """Make sure that no other process took this one for dead.

        Raises
        ------
        LostClaimError
            If one did.
        """
        if not self.is_held():
            raise _lost(self.path)

    def _remove_files(self) -> None:
        self.file.unlink(missing_ok=True)  # nobody else has a file of this name


def _lost(path: Path) -> LostClaimError:
    return LostClaimError(
        f"{path}: another process took this one for dead, because it gave no sign of life for a while, and may have "
        "changed what it uses; run the same command again"
    )


@contextlib.contextmanager
def confirmed_if_it_fails(use: Share) -> Iterator[None]:
    """Confirm a share if the block raises an exception: what fails may fail because the share is lost.

    Raises
    ------
    LostClaimError
        If it is; the exception is its context.
    """
    try:
        yield
    except Exception:
        use.require()
        raise


def require_shared(file: Path) -> None:
    """Make sure that a share, which a process holds for this one, is not lost.

    Parameters
    ----------
    file : Path
        Path of its file.

    Raises
    ------
    LostClaimError
        If it is.
    """
    name, _, token = file.name.rpartition(_SUFFIX)
    if token_of(read(file)) != token:
        raise _lost(file.with_name(name))


def _attempt(path: Path) -> Share | Verdict:
    """Share something, or return what is known of the process that has claimed it for itself."""
    holder = Holder.here()
    file = path.with_name(f"{path.name}{_SUFFIX}{holder.token}")
    create(file, holder.to_bytes())
    try:
        # Whoever claims it looks for shares after that. So of the two at least one sees the other.
        verdict = verdict_of(path)
        if verdict is Verdict.DEAD:
            verdict = _supersede(path)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    if verdict is None:
        return Share(path, Beating(file, holder))
    file.unlink(missing_ok=True)
    return verdict


def _supersede(path: Path) -> Verdict | None:
    """Take over from a dead holder, which then knows that it lost its claim if it comes back, and release that.

    Returns
    -------
    Verdict or None
        What is known of another process that was quicker; None if nobody claims it any more.
    """
    found = attempt(path)
    if not isinstance(found, Claim):
        return found
    found.release()
    return None


def wait_for_share(path: Path, *, timeout: float) -> Share | None:
    """Share something, or return None if a process that is alive does not release its claim in time.

    Parameters
    ----------
    path : Path
        What is shared; files whose names begin with its name are created beside it.
    timeout : float
        How long to wait for a process that is alive, in seconds.

    Raises
    ------
    StorageError
        If a file cannot be created or read.
    """
    until = time.monotonic() + timeout
    while not isinstance(found := _attempt(path), Share):
        if found is Verdict.LIVES and time.monotonic() >= until:
            return None
        time.sleep(INTERVAL_SECONDS)
    return found


def share(
    path: Path, *, waiting: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext
) -> Share:
    """Share something, however long another process claims it; parameters and errors are those of `claim`."""
    if isinstance(found := _attempt(path), Share):
        return found
    with waiting():
        while not isinstance(found := _attempt(path), Share):
            time.sleep(INTERVAL_SECONDS)
    return found


def _files(path: Path) -> list[Path]:
    try:
        return sorted(each for each in path.parent.iterdir() if each.name.startswith(f"{path.name}{_SUFFIX}"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise storage_error(error, path.parent) from error


def _verdicts(path: Path) -> Iterator[Verdict]:
    """Yield what is known of each process that shares something; the files of dead ones are removed."""
    for file in _files(path):
        content = read(file)
        if content is None:
            watcher.forget(file)
            continue
        verdict = watcher.judge(file, content)
        if verdict is Verdict.DEAD:
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)
        yield verdict


def is_shared(path: Path) -> bool:
    """Whether a process shares something; waits until that is known of processes on other machines."""
    while True:
        verdicts = set(_verdicts(path))
        if Verdict.LIVES in verdicts:
            return True
        if Verdict.UNKNOWN not in verdicts:
            return False
        time.sleep(INTERVAL_SECONDS)


def try_claim_alone(path: Path) -> Claim | None:
    """Claim something that no process shares, or return None; waits until processes on other machines are judged.

    Raises
    ------
    StorageError
        If a file cannot be created or read.
    """
    while not is_shared(path):
        found = attempt(path)
        if isinstance(found, Claim):
            if set(_verdicts(path)) <= {Verdict.DEAD}:
                return found
            found.release()
            return None
        if found is Verdict.LIVES:
            return None
        time.sleep(INTERVAL_SECONDS)
    return None
