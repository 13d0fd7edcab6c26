"""``benchmarker gc`` lists what is no longer needed, and removes it only on request."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarker.claims import claim
from benchmarker.cli import main
from benchmarker.data import downloads
from benchmarker.data.cache import claim_path, held, is_held
from benchmarker.errors import StorageError
from benchmarker.maintenance.gc import find_garbage, free
from benchmarker.study.claims import exclusive, is_in_use, joined, planning
from tests.claims.holding import HoldingProcess, StoppedCommand

if TYPE_CHECKING:
    from tests.conftest import StudyFiles

STRANGER = "0123456789abcdef"


def age(path: Path, days: float) -> Path:
    """Set the age of a file, or of a folder with everything in it."""
    then = time.time() - days * 86_400
    for one in (*path.rglob("*"), path):
        os.utime(one, (then, then))
    return path


def folder(path: Path, size: int = 10_000) -> Path:
    path.mkdir(parents=True)
    (path / "snapshot-000001.npz").write_bytes(os.urandom(size))
    return path


def names(studies: list[Path], cache: Path | None = None, *, older_than: float = 30) -> dict[str, str]:
    return {item.path.name: item.kind for item in find_garbage(studies, cache, older_than=older_than).items}


@pytest.fixture
def untidy(study: StudyFiles) -> StudyFiles:
    """A study with a finished, a failed and two pending cells, and all kinds of remains."""
    ok, failed, fresh, stale = (study.cell("convxpress", seed) for seed in (1, 2, 3, 4))
    name = study.finish(ok, 90).name
    study.fail(failed, "crashed", "ended by SIGKILL")
    runs = study.folder / "runs"
    folder(runs / f".{name}.partial")
    folder(runs / f"{name}.failed")
    folder(runs / f".{fresh['key'][:16]}.partial")
    age(folder(runs / f".{stale['key'][:16]}.partial"), 40)
    folder(runs / f".{name}.replaced")
    folder(runs / f".{STRANGER}.merging")
    folder(runs / f".{STRANGER}.partial")
    age(folder(runs / STRANGER), 40)
    folder(runs / f"{STRANGER[::-1]}")
    folder(runs / "notes")
    return study


def test_garbage_is_listed_and_results_are_kept(untidy: StudyFiles) -> None:
    ok, failed, fresh, stale = (cell["key"][:16] for cell in untidy.cells)
    expected = {
        f".{ok}.partial": "unfinished run",
        f"{ok}.failed": "failed run",
        f".{stale}.partial": "unfinished run",
        f".{ok}.replaced": "remains",
        f".{STRANGER}.merging": "remains",
        f".{STRANGER}.partial": "unfinished run",
        STRANGER: "superseded run",
    }
    assert names([untidy.folder]) == expected
    more = {f".{fresh}.partial": "unfinished run", f"{failed}.failed": "failed run", STRANGER[::-1]: "superseded run"}
    assert names([untidy.folder], older_than=0) == expected | more
    age(untidy.folder / "runs" / f"{failed}.failed", 40)
    assert f"{failed}.failed" in names([untidy.folder])


def test_a_resumable_training_is_kept_where_saved_weights_were_tested(study: StudyFiles) -> None:
    run = study.finish(study.cell("convxpress", 1), 90)
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"trained": False}))
    folder(run.with_name(f".{run.name}.partial"))
    folder(run.with_name(f".{run.name}.tested.partial"))
    assert names([study.folder]) == {f".{run.name}.tested.partial": "remains"}


def test_nothing_is_removed_by_default(untidy: StudyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(untidy.folder.rglob("*"))
    assert main(["gc", str(untidy.folder), "--older-than", "0"]) == 0
    out = capsys.readouterr().out
    assert "10 item(s), " in out
    assert "Nothing was removed; --yes removes them." in out
    assert "its cell has finished" in out
    assert sorted(untidy.folder.rglob("*")) == before


def test_listed_files_are_removed_with_yes(untidy: StudyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc", str(untidy.folder), "--older-than", "0", "--yes"]) == 0
    assert "freed." in capsys.readouterr().out
    left = {path.name for path in (untidy.folder / "runs").iterdir()}
    assert left == {untidy.cells[0]["key"][:16], "notes"}
    assert main(["gc", str(untidy.folder), "--yes"]) == 0
    assert capsys.readouterr().out == "There is nothing to remove.\n"
    assert main(["leaderboard", str(untidy.folder)]) == 0
    assert "1 of 4 cells finished, 3 pending" in capsys.readouterr().out


def test_of_very_many_items_the_largest_are_shown(untidy: StudyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(250):
        folder(untidy.folder / "runs" / f"{number:016x}", size=number << 12)
    assert main(["gc", str(untidy.folder), "--older-than", "0"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("superseded run") == 200
    assert "1.0 MB" in printed
    assert " 0 bytes" not in printed
    assert " more, none of them larger" in printed


def test_json_lists_items_and_sizes(untidy: StudyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc", str(untidy.folder), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert len(value["items"]) == 7
    assert value["bytes"] == sum(item["bytes"] for item in value["items"]) >= 60_000
    assert value["freed_bytes"] == 0


@pytest.mark.parametrize("use", [joined, planning, exclusive])
def test_a_study_in_use_is_skipped(
    untidy: StudyFiles, use: Callable[[Path], AbstractContextManager[object]], capsys: pytest.CaptureFixture[str]
) -> None:
    before = {one.name for one in (untidy.folder / "runs").iterdir()}
    with use(untidy.folder):
        assert main(["gc", str(untidy.folder), "--older-than", "0", "--yes"]) == 0
        assert is_in_use(untidy.folder)
    out = capsys.readouterr().out
    assert "a run is working on it" in out
    assert "There is nothing to remove." in out
    assert {one.name for one in (untidy.folder / "runs").iterdir()} == before
    assert not is_in_use(untidy.folder)


def test_files_that_came_into_use_are_not_removed(untidy: StudyFiles) -> None:
    found = find_garbage([untidy.folder], None, older_than=0)
    with joined(untidy.folder), pytest.raises(StorageError, match="a run is working"):
        free(found.items)
    assert all(item.path.exists() for item in found.items)
    with exclusive(untidy.folder):
        assert is_in_use(untidy.folder)


def test_old_cached_data_are_removed_unless_held(isolated_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepared = isolated_cache / "prepared"
    old, new, used = (folder(prepared / (letter * 32)) for letter in "abc")
    folder(prepared / f"{'d' * 32}.partial")
    fetched = isolated_cache / "downloads" / "mnist"
    fetched.mkdir(parents=True)
    (fetched / "mnist.npz").write_bytes(bytes(5000))
    (fetched / "fresh.npz").write_bytes(bytes(5000))
    (isolated_cache / "README").write_text("mine")
    for path in (old, used, fetched / "mnist.npz"):
        age(path, 40)
    with held(used):
        assert is_held(used)
        assert main(["gc", "--cache", "--older-than", "30", "--yes"]) == 0
    assert not is_held(used)
    assert "3 item(s)" in capsys.readouterr().out
    assert (old.exists(), new.exists(), used.exists()) == (False, True, True)
    assert sorted(path.name for path in fetched.iterdir()) == ["fresh.npz"]
    assert (isolated_cache / "README").exists()
    # Held a moment ago, it is not old, whatever its files say.
    assert names([], isolated_cache) == {}
    with held(used):
        assert main(["gc", "--cache", "--older-than", "0", "--yes"]) == 0
    assert f"kept: {used}: a run is using it" in capsys.readouterr().out
    assert used.exists()
    assert not new.exists()


def test_data_that_another_process_writes_are_skipped(isolated_cache: Path) -> None:
    writing = folder(isolated_cache / "prepared" / f"{'a' * 32}.partial")
    with claim(claim_path(writing.with_name("a" * 32))):
        found = find_garbage([], isolated_cache, older_than=0)
    assert (found.items, len(found.kept)) == ([], 1)


@pytest.mark.parametrize("moment", [{"before": "pathlib:Path.rename"}, {"after": "benchmarker.files:shutil.rmtree"}])
def test_a_stopped_command_removes_nothing_from_a_study_that_a_run_uses(
    untidy: StudyFiles, moment: dict[str, str]
) -> None:
    """It is stopped within the removal of the first item."""
    stopped = StoppedCommand("gc", str(untidy.folder), "--older-than", "0", "--yes", **moment)
    with joined(untidy.folder) as share:
        before = sorted((untidy.folder / "runs").iterdir())
        code, errors = stopped.proceed()
        assert code == 1
        assert "another process has taken over" in errors
        assert sorted((untidy.folder / "runs").iterdir()) == before
        share.require()
    assert len(names([untidy.folder], older_than=0)) == (10 if "before" in moment else 9)


@pytest.mark.parametrize("name", ["prepared", "downloads"])
def test_a_stopped_command_removes_nothing_from_the_cache_that_is_used(isolated_cache: Path, name: str) -> None:
    cached = isolated_cache / name / ("a" * 32)
    if name == "prepared":
        folder(cached)
        stopped = StoppedCommand("gc", "--cache", "--older-than", "0", "--yes", before="pathlib:Path.rename")
        using: AbstractContextManager[object] = held(cached)
    else:
        cached.parent.mkdir(parents=True)
        part = cached.with_name(f".{cached.name}.01234567.part")
        part.write_bytes(b"half")
        stopped = StoppedCommand(
            "gc", "--cache", "--older-than", "0", "--yes", before="benchmarker.claims.exclusive:Claim.require"
        )
        using = claim(downloads.claim_path(cached))
        cached = part
    with using:
        code, errors = stopped.proceed()
        assert code == 1
        assert "another process has taken over" in errors
        assert cached.exists()
    assert names([], isolated_cache, older_than=0) == {
        cached.name: "prepared data" if name == "prepared" else "download"
    }


def test_a_process_whose_unfinished_data_are_removed_lost_its_claim(isolated_cache: Path) -> None:
    """It was given up, comes back while they are removed, and must not go on as if it held them."""
    cached = isolated_cache / "prepared" / ("a" * 32)
    cached.parent.mkdir(parents=True)
    dead = HoldingProcess(claim_path(cached), host="another machine")
    folder(cached.with_suffix(f".{dead.token}.partial"))
    dead.signal(signal.SIGSTOP)
    found = find_garbage([], isolated_cache, older_than=30)
    assert free(found.items) == found.n_bytes > 0
    dead.signal(signal.SIGCONT)
    assert dead.ask("require") == "LostClaimError"
    dead.kill()
    assert list(cached.parent.iterdir()) == []


def test_what_is_wanted_since_it_was_listed_is_kept(untidy: StudyFiles, isolated_cache: Path) -> None:
    used = age(folder(isolated_cache / "prepared" / ("a" * 32)), 40)
    finished, _, again, resumed = (cell["key"][:16] for cell in untidy.cells)
    plan = (untidy.folder / "plan.json").read_text()
    shrunk = json.loads(plan)
    shrunk["cells"] = [cell for cell in shrunk["cells"] if not cell["key"].startswith(again)]
    (untidy.folder / "plan.json").write_text(json.dumps(shrunk))
    found = find_garbage([untidy.folder], isolated_cache, older_than=0)
    with held(used):
        pass
    (untidy.folder / "plan.json").write_text(plan)
    (untidy.folder / "runs" / f".{resumed}.partial" / "snapshot-000002.npz").write_bytes(b"newer")
    assert 0 < free(found.items) < found.n_bytes
    assert used.exists()
    left = {path.name for path in (untidy.folder / "runs").iterdir()}
    assert left == {finished, "notes", f".{again}.partial", f".{resumed}.partial"}


def test_studies_are_found_in_results(
    untidy: StudyFiles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["gc"]) == 1
    assert "there are no studies in results/" in capsys.readouterr().err
    (tmp_path / "results").mkdir()
    untidy.folder.rename(tmp_path / "results" / "mine")
    assert main(["gc"]) == 0
    assert "7 item(s)" in capsys.readouterr().out
    assert main(["gc", str(tmp_path)]) == 1
    assert "holds no plan.json" in capsys.readouterr().err
