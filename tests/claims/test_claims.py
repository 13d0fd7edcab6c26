"""Claims and shares between real processes, of one machine and of two that see each other's files only."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarker.claims import (
    HEARTBEAT_VARIABLE,
    Claim,
    LostClaimError,
    Share,
    chain_tokens,
    claim,
    is_claim_file,
    is_claimed,
    is_shared,
    share,
    try_claim,
    try_claim_alone,
    wait_for_claim,
    wait_for_share,
)
from benchmarker.claims import exclusive as exclusive_module
from benchmarker.claims import shared as shared_module
from benchmarker.claims.exclusive import attempt
from benchmarker.claims.heart import Beating
from benchmarker.claims.watching import Verdict
from benchmarker.errors import ConfigurationError, StorageError
from tests.claims.holding import HoldingProcess, succeed

ELSEWHERE = "another machine"


@pytest.fixture
def start() -> Iterator[Callable[..., HoldingProcess]]:
    """Return a function that starts a process which holds a claim."""
    with contextlib.ExitStack() as stack:

        def begin(*arguments: Path | str, **options: str) -> HoldingProcess:
            found = HoldingProcess(*arguments, **options)  # type: ignore[arg-type]
            stack.callback(found.kill)
            return found

        yield begin


def test_claim_is_held_once_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.claim"
    with claim(path) as first:
        assert try_claim(path) is None
        assert is_claimed(path)
        assert chain_tokens(path) == (first.token,)
        assert is_claim_file(first.file)
    assert not is_claimed(path)
    assert list(tmp_path.iterdir()) == []


def test_claims_of_different_things_do_not_exclude_each_other(tmp_path: Path) -> None:
    with claim(tmp_path / "a.claim"), claim(tmp_path / "b.claim"):
        assert len(list(tmp_path.iterdir())) == 2


def test_shares_are_held_by_several_and_exclude_a_claim_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.claim"
    with share(path), share(path):
        assert is_shared(path)
        assert try_claim_alone(path) is None
    assert not is_shared(path)
    alone = try_claim_alone(path)
    assert alone is not None
    with alone:
        assert wait_for_share(path, timeout=0) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["claim", "share"])
def test_killed_process_of_this_machine_is_noticed_at_once(
    tmp_path: Path, kind: str, start: Callable[..., HoldingProcess]
) -> None:
    path = tmp_path / "a.claim"
    holder = start(path, kind)
    assert try_claim_alone(path) is None
    holder.kill()
    began = time.monotonic()
    found = try_claim_alone(path)
    assert found is not None
    assert time.monotonic() - began < 0.3  # it would miss ten heartbeats after half a second
    assert found.predecessors == ((holder.token,) if kind == "claim" else ())
    found.release()
    assert list(tmp_path.iterdir()) == []


def test_waiting_process_gets_the_claim_when_it_is_released(
    tmp_path: Path, start: Callable[..., HoldingProcess]
) -> None:
    path = tmp_path / "a.claim"
    holder = start(path)
    assert wait_for_claim(path, timeout=0.1) is None
    assert holder.ask("release") == "released"
    found = wait_for_claim(path, timeout=30)
    assert found is not None
    assert try_claim(path) is None
    found.release()


def test_stopped_process_loses_its_claim_and_writes_nothing_when_it_comes_back(
    tmp_path: Path, start: Callable[..., HoldingProcess]
) -> None:
    path = tmp_path / "a.claim"
    holder = start(path, host=ELSEWHERE)
    assert holder.ask("require") == "held"
    holder.signal(signal.SIGSTOP)
    began = time.monotonic()
    found = claim(path)
    assert 0.4 < time.monotonic() - began < 20
    assert found.predecessors == (holder.token,)
    holder.signal(signal.SIGCONT)
    assert holder.ask("require") == "LostClaimError"
    assert holder.ask("release") == "released"  # and leaves its successor alone
    found.require()
    assert try_claim(path) is None
    found.release()
    assert list(tmp_path.iterdir()) == []


def test_living_process_of_another_machine_keeps_its_claim(
    tmp_path: Path, start: Callable[..., HoldingProcess]
) -> None:
    path = tmp_path / "a.claim"
    holder = start(path, host=ELSEWHERE)
    until = time.monotonic() + 1.5  # three times what a dead one is given
    while time.monotonic() < until:
        assert try_claim(path) is None
        time.sleep(0.02)
    assert is_claimed(path)
    assert holder.ask("require") == "held"


def test_dead_process_of_another_machine_is_succeeded_by_one_process_only(
    tmp_path: Path, start: Callable[..., HoldingProcess]
) -> None:
    path = tmp_path / "a.claim"
    dead = start(path, host=ELSEWHERE)
    dead.kill()
    assert try_claim(path) is None  # nothing is known yet
    found = start(path)
    assert chain_tokens(path) == (dead.token, found.token)
    assert try_claim(path) is None
    found.kill()
    with claim(path) as third:
        assert third.predecessors == (dead.token, found.token)
    assert list(tmp_path.iterdir()) == []


def test_share_of_a_dead_process_of_another_machine_is_removed(
    tmp_path: Path, start: Callable[..., HoldingProcess]
) -> None:
    path = tmp_path / "a.claim"
    start(path, "share", host=ELSEWHERE).kill()
    found = try_claim_alone(path)
    assert found is not None
    found.release()
    assert list(tmp_path.iterdir()) == []


def test_stopped_process_that_claimed_alone_loses_its_claim_to_a_share(
    tmp_path: Path, start: Callable[..., HoldingProcess]
) -> None:
    """Otherwise `gc` would go on to remove what a run uses by now."""
    path = tmp_path / "a.claim"
    holder = start(path, host=ELSEWHERE)
    holder.signal(signal.SIGSTOP)
    with share(path) as held:
        holder.signal(signal.SIGCONT)
        assert holder.ask("require") == "LostClaimError"
        assert holder.ask("release") == "released"
        held.require()
        assert list(tmp_path.iterdir()) == [held.file]
    assert list(tmp_path.iterdir()) == []


def test_shares_that_succeed_a_dead_claim_at_once_are_all_held(
    tmp_path: Path, start: Callable[..., HoldingProcess]
) -> None:
    path = tmp_path / "a.claim"
    for _ in range(10):
        start(path).kill()
        with ThreadPoolExecutor(8) as pool, contextlib.ExitStack() as stack:
            found = [stack.enter_context(each) for each in pool.map(share, [path] * 8)]
            assert sorted(tmp_path.iterdir()) == sorted(each.file for each in found)  # other machines wait for nothing
            assert try_claim_alone(path) is None
    assert list(tmp_path.iterdir()) == []


def test_share_is_not_taken_from_a_holder_that_comes_back_just_then(
    tmp_path: Path, start: Callable[..., HoldingProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.claim"
    holder = start(path)
    monkeypatch.setattr(shared_module, "verdict_of", lambda _: Verdict.DEAD)
    assert wait_for_share(path, timeout=0) is None
    assert holder.ask("require") == "held"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.claim-1"]


def test_share_that_cannot_be_had_for_an_error_leaves_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.claim-1")
    with pytest.raises(StorageError, match=r"a\.claim-1"):
        share(tmp_path / "a.claim")
    assert list(tmp_path.iterdir()) == [tmp_path / "a.claim-1"]


def test_stopped_process_loses_its_share_to_a_claim_alone_and_knows_it(
    tmp_path: Path, start: Callable[..., HoldingProcess]
) -> None:
    path = tmp_path / "a.claim"
    holder = start(path, "share", host=ELSEWHERE)
    assert holder.ask("require") == "held"
    holder.signal(signal.SIGSTOP)
    alone = try_claim_alone(path)
    assert alone is not None
    alone.release()  # it has ended when the other one comes back
    holder.signal(signal.SIGCONT)
    assert holder.ask("require") == "LostClaimError"
    assert holder.ask("release") == "released"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [claim, share])
def test_claim_whose_file_is_gone_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[[Path], Claim | Share]
) -> None:
    monkeypatch.setenv("BENCHMARKER_HEARTBEAT", "0.05")
    with kind(tmp_path / "a.claim") as held:
        told: list[str] = []
        held.on_loss(lambda: told.append("lost"))
        held.file.unlink()
        until = time.monotonic() + 20
        while not told and time.monotonic() < until:
            time.sleep(0.02)
        assert told == ["lost"]
        with pytest.raises(LostClaimError, match=r"a\.claim"):
            held.require()


def test_observer_that_acts_on_an_old_view_takes_nothing_from_a_new_holder(
    tmp_path: Path, start: Callable[..., HoldingProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its look at a dead holder and its own claim, others succeeded, finished, and began anew."""
    path = tmp_path / "a.claim"
    start(path).kill()
    late: list[object] = []
    real = os.open

    def slow(name: str | Path, flags: int, *rest: int) -> int:
        if flags & os.O_EXCL and not late:
            late.append(name)
            claim(path).release()
            late.append(claim(path))
        return real(name, flags, *rest)

    monkeypatch.setattr(os, "open", slow)
    assert try_claim(path) is None
    monkeypatch.undo()
    new = late[1]
    assert isinstance(new, type(claim(tmp_path / "b.claim")))
    new.require()
    assert chain_tokens(path) == (new.token,)
    new.release()


def test_half_written_claim_is_respected_until_it_has_been_observed_for_long(tmp_path: Path) -> None:
    path = tmp_path / "a.claim"
    (tmp_path / "a.claim-1").write_bytes(b'{"token": ')
    assert try_claim(path) is None
    assert try_claim(path) is None


def test_claim_in_a_missing_folder_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        try_claim(tmp_path / "nowhere" / "a.claim")
    assert not is_claimed(tmp_path / "nowhere" / "a.claim")


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_claim_is_never_made_through_a_link_or_a_pipe(tmp_path: Path, kind: str) -> None:
    if kind == "link":
        (tmp_path / "a.claim-1").symlink_to(tmp_path / "made")
    else:
        os.mkfifo(tmp_path / "a.claim-1")
    with pytest.raises(StorageError, match=r"a\.claim-1"):
        try_claim(tmp_path / "a.claim")
    assert not (tmp_path / "made").exists()


def test_waiting_happens_in_the_context_that_was_given(tmp_path: Path) -> None:
    diary: list[str] = []

    @contextlib.contextmanager
    def waiting() -> Iterator[None]:
        diary.append("waits")
        held.release()
        yield
        diary.append("goes on")

    with claim(tmp_path / "a.claim", waiting=waiting):
        assert diary == []
    held = claim(tmp_path / "a.claim")
    with claim(tmp_path / "a.claim", waiting=waiting):
        assert diary == ["waits", "goes on"]


@pytest.mark.parametrize("given", ["soon", "0", "-6", "nan", "1e9"])
def test_impossible_heartbeats_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(HEARTBEAT_VARIABLE, given)
    with pytest.raises(ConfigurationError, match=f"{HEARTBEAT_VARIABLE}.*{re.escape(given)}"):
        try_claim(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


class Stall:
    """Lets a claim pass to a successor, which finishes, and then to a third process, just after it was last confirmed.

    Parameters
    ----------
    held : Claim
        Claim of the process that stalls.
    """

    def __init__(self, held: Claim) -> None:
        self.held = held
        self.third: list[Claim] = []

    def pass_on(self) -> None:
        """Let the others go on."""
        succeed(self.held)
        for number in (1, 2):
            self.held.path.with_name(f"{self.held.path.name}-{number}").unlink()
        self.third.append(claim(self.held.path))


@pytest.fixture
def stall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stall]:
    """A claim that passes on after it was looked at."""
    held = claim(tmp_path / "a.claim")
    stall = Stall(held)
    real = Beating.is_held

    def look_and_stall(beating: Beating) -> bool:
        found = real(beating)
        if beating.path == held.file and not stall.third:
            stall.pass_on()
        return found

    monkeypatch.setattr(Beating, "is_held", look_and_stall)
    yield stall
    monkeypatch.undo()
    for third in stall.third:
        third.release()


def test_claim_that_is_released_too_late_leaves_the_file_of_a_later_holder(stall: Stall) -> None:
    stall.held.release()
    (third,) = stall.third
    third.require()
    assert chain_tokens(third.path) == (third.token,)


def test_heartbeat_that_comes_too_late_leaves_the_file_of_a_later_holder(stall: Stall) -> None:
    told: list[str] = []
    stall.held.on_loss(lambda: told.append("lost"))
    stall.held._beating.beat()
    (third,) = stall.third
    third.require()
    assert chain_tokens(third.path) == (third.token,)
    assert told == ["lost"]


def test_attempt_on_an_old_view_that_stalls_leaves_the_file_of_a_later_holder(
    tmp_path: Path, start: Callable[..., HoldingProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own file is removed by a successor, and another process has made one of that name when it wakes up."""
    path = tmp_path / "a.claim"
    start(path).kill()
    real = exclusive_module._is_as_it_was
    later: list[Claim | None] = []

    def stall(generation: exclusive_module._Generation) -> bool:
        if later:
            return real(generation)
        for number in (1, 2):
            path.with_name(f"{path.name}-{number}").unlink()
        start(path).kill()
        later.append(None)
        later[0] = claim(path)
        return real(generation)

    monkeypatch.setattr(exclusive_module, "_is_as_it_was", stall)
    assert try_claim(path) is None
    (third,) = later
    assert isinstance(third, Claim)
    assert third.number == 2
    third.require()
    third.release()
    assert list(tmp_path.iterdir()) == []


def fail_to_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each descriptor be closed with an error, as of a file on a network file system that another has removed."""
    real = os.close

    def close(descriptor: int) -> None:
        real(descriptor)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "close", close)


def test_file_that_cannot_be_closed_does_not_end_the_heartbeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with claim(tmp_path / "a.claim") as held:
        fail_to_close(monkeypatch)
        held._beating.beat()  # by the thread of all claims of this process, which an error would end
        assert held.is_held()
        monkeypatch.undo()


def test_claim_that_does_not_reach_the_disk_when_it_is_closed_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_to_close(monkeypatch)
    with pytest.raises(StorageError, match=r"a\.claim-1"):
        claim(tmp_path / "a.claim")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("is_there", "n_failures"), [(True, 1), (False, 2)])
def test_disk_that_calls_a_file_that_exists_a_failure_does_not_end_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool, n_failures: int
) -> None:
    """Another machine was quicker, and may have ended since: sshfs says EPERM."""
    real, failed = os.open, list[str]()

    def open_(path: object, flags: int, *more: int) -> int:
        if flags & os.O_EXCL and len(failed) < n_failures:
            failed.append(str(path))
            if is_there:
                os.close(real(str(path), flags, *more))
            raise PermissionError(errno.EPERM, "Operation not permitted")
        return real(str(path), flags, *more)

    monkeypatch.setattr(os, "open", open_)
    found = attempt(tmp_path / "a.claim")
    assert (found is Verdict.UNKNOWN) == is_there
    assert len(failed) == n_failures


def test_folder_that_may_not_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("benchmarker.claims.holders._open_new", refuse)
    with pytest.raises(StorageError, match="Operation not permitted"):
        claim(tmp_path / "a.claim")
