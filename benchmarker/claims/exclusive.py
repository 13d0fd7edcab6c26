"""Claims that one process holds at a time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarker.claims.heart import Beating, Held, LostClaimError
from benchmarker.claims.holders import Holder, create, read, token_of
from benchmarker.claims.watching import Verdict, watcher

INTERVAL_SECONDS = 0.05
"""Seconds between two attempts at a claim that another process holds."""


class Use(Protocol):
    """What a claim may rely on: a share of this process."""

    @property
    def file(self) -> Path:
        """Path of its file."""

    def require(self) -> None:
        """Raise `LostClaimError` if it is lost."""


class Claim(Held):
    """A claim that this process holds; leaving its ``with`` block releases it.

    Parameters
    ----------
    path : Path
        What is claimed: the path that the names of the claim's files begin with.
    number : int
        Generation of the claim, counted from 1; also an attribute.
    beating : Beating
        Its file.

    Attributes
    ----------
    token : str
        Name of this claim, which no other has: 16 hexadecimal digits.
    predecessors : tuple of str
        Tokens of dead holders, which may have left something behind; the oldest first.
    uses : tuple of Use
        Shares that the work under this claim relies on; to confirm the claim is to confirm them, too.
    """

    uses: tuple[Use, ...] = ()

    def __init__(self, path: Path, number: int, beating: Beating) -> None:
        super().__init__(path, beating)
        self.token = beating.holder.token
        self.predecessors = beating.holder.after
        self.number = number

    def require(self) -> None:
        """Make sure that no other process has taken over, and that none has taken what the work relies on.

        Raises
        ------
        LostClaimError
            If one has.
        """
        if not self.is_held():
            raise _lost(self.path)
        for use in self.uses:
            use.require()

    def _remove_files(self) -> None:
        if self.is_held():
            # From the oldest on: a dead holder that comes back never finds its own file without the one that succeeds
            # it.
            for number in range(1, self.number + 1):
                file = generation_file(self.path, number)
                _remove(file, self.token, *self.predecessors, half=number < self.number)


def _remove(file: Path, *tokens: str, half: bool = False) -> None:
    """Remove the file of one of some holders.

    Between the last look at a claim and this one, a process that was stopped may have lost it, and another may have
    finished and a third one begun anew, under the same name.

    Parameters
    ----------
    file : Path
        Path of the file.
    tokens : str
        Tokens of the holders.
    half : bool
        Whether a file is removed, too, that names no holder: its process was killed while it wrote it.
    """
    content = read(file)
    if content is None:
        return
    token = token_of(content)
    if token in tokens or (token is None and half):
        file.unlink(missing_ok=True)


def _lost(path: Path) -> LostClaimError:
    return LostClaimError(
        f"{path}: another process has taken over, because this one gave no sign of life for a while; nothing is lost"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Generation:
    number: int
    path: Path
    content: bytes

    @property
    def holder(self) -> Holder | None:
        return Holder.from_bytes(self.content)


def generation_file(path: Path, number: int) -> Path:
    """Return the path of the file of a generation of a claim."""
    return path.with_name(f"{path.name}-{number}")


def _generations(path: Path, first: int = 1) -> list[_Generation]:
    """Return the files of a claim from a generation on; asked for by name, since lists of folders may be old."""
    found: list[_Generation] = []
    while True:
        number = first + len(found)
        file = generation_file(path, number)
        content = read(file)
        if content is None:
            watcher.forget(file)
            return found
        found.append(_Generation(number=number, path=file, content=content))


def _tokens(generations: list[_Generation]) -> tuple[str, ...]:
    """Return the tokens of all holders that some generations name, and of those that they succeed."""
    holders = [each.holder for each in generations]
    named = [token for holder in holders if holder is not None for token in (*holder.after, holder.token)]
    return tuple(dict.fromkeys(named))


def chain_tokens(path: Path) -> tuple[str, ...]:
    """Return the tokens of the holders of a claim, dead or alive, the newest last; none if nobody claims it."""
    return _tokens(_generations(path))


def attempt(path: Path) -> Claim | Verdict:
    """Claim something, or return what is known of the process that holds the claim.

    Parameters
    ----------
    path : Path
        What is claimed; files whose names begin with its name are created beside it.

    Raises
    ------
    StorageError
        If a file cannot be created or read.
    """
    before = _generations(path)
    if before:
        verdict = watcher.judge(before[-1].path, before[-1].content)
        if verdict is not Verdict.DEAD:
            return verdict
    number = len(before) + 1
    file = generation_file(path, number)
    holder = Holder.here(after=_tokens(before))
    if not create(file, holder.to_bytes()):
        return Verdict.UNKNOWN  # another process was quicker
    if _generations(path, number + 1) or (before and not _is_as_it_was(before[-1])):
        # What was seen was old: the dead holder is gone, with its successors, or they have gone on.
        _remove(file, holder.token)
        return Verdict.UNKNOWN

    return Claim(path, number, Beating(file, holder, lambda: _is_superseded(path, number, holder.token)))


def _is_as_it_was(generation: _Generation) -> bool:
    """Whether the file of a dead holder is still there, and still of that holder."""
    content = read(generation.path)
    if content is None:
        return False
    holder, then = Holder.from_bytes(content), generation.holder
    return content == generation.content if holder is None or then is None else holder == then


def _is_superseded(path: Path, number: int, token: str) -> bool:
    """Whether a later generation says that it succeeds a holder; one that succeeds others does not matter to it."""
    holders = [each.holder for each in _generations(path, number + 1)]
    return any(token in holder.after for holder in holders if holder is not None)


def require_current(path: Path, number: int, token: str) -> None:
    """Make sure that a claim, which a process holds for this one, has not passed to another.

    Parameters
    ----------
    path : Path
        What is claimed.
    number, token
        Attributes of the claim.

    Raises
    ------
    LostClaimError
        If it has.
    """
    if token_of(read(generation_file(path, number))) != token or _is_superseded(path, number, token):
        raise _lost(path)


def try_claim(path: Path) -> Claim | None:
    """Claim something, or return None if another process holds the claim; parameters and errors are those of `claim`.

    A holder on another machine that gives no sign of life is noticed only if this is called again and again.
    """
    found = attempt(path)
    return found if isinstance(found, Claim) else None


def wait_for_claim(path: Path, *, timeout: float) -> Claim | None:
    """Claim something, or return None if another process, which is alive, does not release it in time.

    Parameters
    ----------
    path : Path
        What is claimed.
    timeout : float
        How long to wait for a process that is alive, in seconds. It takes longer to find out that one on another
        machine is not.
    """
    until = time.monotonic() + timeout
    while True:
        found = attempt(path)
        if isinstance(found, Claim):
            return found
        if found is not Verdict.UNKNOWN and time.monotonic() >= until:
            return None
        time.sleep(INTERVAL_SECONDS)


def claim(path: Path, *, waiting: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext) -> Claim:
    """Claim something, however long another process holds it.

    Parameters
    ----------
    path : Path
        What is claimed. It need not exist, but its folder must: the files of the claim are created beside it.
    waiting : callable
        Returns a context that the function waits in, if it must wait.

    Raises
    ------
    StorageError
        If a file cannot be created or read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with claim(Path(folder, "plan.claim")):
    ...         [path.name for path in Path(folder).iterdir()], try_claim(Path(folder, "plan.claim"))
    (['plan.claim-1'], None)
    """
    if (found := try_claim(path)) is not None:
        return found
    with waiting():
        while (found := try_claim(path)) is None:
            time.sleep(INTERVAL_SECONDS)
    return found


def verdict_of(path: Path) -> Verdict | None:
    """Return what is known of the process that claims something; None if nobody does."""
    generations = _generations(path)
    return watcher.judge(generations[-1].path, generations[-1].content) if generations else None


def is_claimed(path: Path) -> bool:
    """Whether a process claims something; waits until that is known of a process on another machine."""
    while (verdict := verdict_of(path)) is Verdict.UNKNOWN:
        time.sleep(INTERVAL_SECONDS)
    return verdict is Verdict.LIVES
