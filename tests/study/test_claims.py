"""Claims of a study: runs share it, cells pass from a dead run to the next, and plans are not lost."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from benchmarker.claims import LostClaimError, Share, try_claim_alone
from benchmarker.errors import StorageError
from benchmarker.files import write_bytes
from benchmarker.study.claims import CellClaim, claim, find_working, joined, planning
from benchmarker.study.layout import RUNS_FOLDER, RunPaths
from tests.claims.holding import HoldingProcess, succeed

NAME = "0123456789abcdef"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / RUNS_FOLDER).mkdir()
    return tmp_path


def claimed(study: Path, name: str = NAME) -> CellClaim:
    found = claim(study, name)
    assert found is not None
    return found


def test_study_is_shared_by_runs_but_not_with_an_exclusive_command(study: Path) -> None:
    with joined(study), joined(study):
        assert try_claim_alone(study / ".claim") is None
    exclusive = try_claim_alone(study / ".claim")
    assert exclusive is not None
    with exclusive, pytest.raises(StorageError, match="merge"), joined(study):
        pass


def test_cell_is_claimed_by_one_run_at_a_time(study: Path) -> None:
    with claimed(study):
        assert claim(study, NAME) is None
        with claimed(study, "fedcba9876543210"):
            pass
    assert list((study / RUNS_FOLDER).iterdir()) == []


def test_unfinished_run_belongs_to_its_claim_and_rests_between_two(study: Path) -> None:
    at_rest = RunPaths.of(study, NAME).working
    with claimed(study) as first:
        first.paths.working.mkdir()
        assert first.claim.token in first.paths.working.name
        assert find_working(study, NAME) == first.paths.working
    assert find_working(study, NAME) == at_rest
    assert at_rest.is_dir()
    with claimed(study) as second:
        assert second.paths.working.is_dir()
        assert not at_rest.exists()


def test_successor_takes_the_folder_of_a_dead_run_and_keeps_its_files_from_it(study: Path) -> None:
    """The dead one has its log open, and may write on if it was only stopped."""
    dead = HoldingProcess(study / RUNS_FOLDER / f".{NAME}.claim")
    left = RunPaths.of(study, NAME, token=dead.token).working
    left.mkdir()
    (left / "snapshot-000001.npz").write_bytes(b"whole")
    (left / ".snapshot-000002.npz.1.aa.partial").write_bytes(b"half")
    before = (left / "snapshot-000001.npz").stat().st_ino
    with (left / "log.txt").open("w") as log:
        log.write("before\n")
        log.flush()
        assert find_working(study, NAME) == left
        dead.kill()
        with claimed(study) as held:
            working = held.paths.working
            log.write("after\n")
            log.flush()
            assert sorted(path.name for path in working.iterdir()) == ["log.txt", "snapshot-000001.npz"]
            assert (working / "log.txt").read_text() == "before\n"
            assert (working / "snapshot-000001.npz").stat().st_ino == before
            assert not left.exists()


def test_folder_that_is_not_needed_is_removed_under_another_name(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two dead runs left one each: the later one is continued, and the earlier one may come back and write on."""
    tokens = []
    for _ in range(2):
        dead = HoldingProcess(study / RUNS_FOLDER / f".{NAME}.claim")
        tokens.append(dead.token)
        dead.kill()
    older, newer = (RunPaths.of(study, NAME, token=token).working for token in tokens)
    for folder in (older, newer):
        folder.mkdir()
        (folder / "log.txt").write_text(folder.name)
    monkeypatch.setattr("benchmarker.files.shutil.rmtree", lambda *_, **__: None)  # killed before that
    with claimed(study) as held:
        assert (held.paths.working / "log.txt").read_text() == newer.name
    assert not older.exists()
    (freed,) = (study / RUNS_FOLDER).glob("*.freed")
    assert freed.name.startswith(f"{older.name}.")


def test_plan_of_a_process_that_was_given_up_is_not_written(study: Path) -> None:
    with planning(study) as late:

        def take_over_and_confirm() -> None:
            succeed(late)
            late.require()

        with pytest.raises(LostClaimError):
            write_bytes(study / "plan.json", b"old", confirm=take_over_and_confirm)
    left = sorted(path.name for path in study.iterdir())
    assert left == [".plan.claim-1", ".plan.claim-2", RUNS_FOLDER]  # no plan; the claims are its successor's


def test_run_that_lost_its_share_of_the_study_neither_plans_nor_claims(study: Path) -> None:
    """Its machine was suspended, and `merge` has written the plan, or `gc` removed what it found."""
    with joined(study) as share, planning(study, [share]) as late:
        share.file.unlink()
        with pytest.raises(LostClaimError, match="took this one for dead"):
            write_bytes(study / "plan.json", b"old", confirm=late.require)
        with pytest.raises(LostClaimError, match="took this one for dead"):
            claim(study, NAME, [share])
        assert list((study / RUNS_FOLDER).iterdir()) == []
    assert [path.name for path in study.iterdir()] == [RUNS_FOLDER]


def test_error_of_a_run_that_lost_its_share_of_the_study_names_the_reason(study: Path) -> None:
    def fail(share: Share) -> None:
        share.file.unlink(missing_ok=True)
        (study / "plan.json").read_bytes()

    with pytest.raises(LostClaimError, match="run the same command again"), joined(study) as share:
        fail(share)
    with pytest.raises(FileNotFoundError), joined(study):
        (study / "plan.json").read_bytes()


def test_plan_that_was_confirmed_too_late_finds_its_file_removed(study: Path) -> None:
    """A successor removes unfinished plans before it reads the plan."""

    def remove() -> None:
        for aside in study.glob(".plan.json.*.partial"):
            aside.unlink()

    with pytest.raises(StorageError):
        write_bytes(study / "plan.json", b"old", confirm=remove)
    assert not (study / "plan.json").exists()


def test_stopped_run_does_not_move_the_folder_of_its_successor(study: Path) -> None:
    stopped = HoldingProcess(study / RUNS_FOLDER / f".{NAME}.claim", host="another machine")
    left = RunPaths.of(study, NAME, token=stopped.token).working
    left.mkdir()
    stopped.signal(signal.SIGSTOP)
    while (held := claim(study, NAME)) is None:
        pass
    with held:
        stopped.signal(signal.SIGCONT)
        assert stopped.ask("release") == "released"
        assert held.paths.working.is_dir()
        held.claim.require()
    stopped.kill()
