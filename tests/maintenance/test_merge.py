"""``benchmarker merge``: the union of plans, each run once, and no result overwritten."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarker.claims import is_claim_file
from benchmarker.cli import main
from benchmarker.errors import StorageError
from benchmarker.files import make_folder
from benchmarker.maintenance.merge import merge_studies
from benchmarker.results.leaderboard import build_leaderboard
from benchmarker.results.study import Study, read_study
from benchmarker.study.claims import joined
from benchmarker.study.plan import read_plan
from benchmarker.trail import Trail
from tests.claims.holding import StoppedCommand
from tests.conftest import FINGERPRINT

if TYPE_CHECKING:
    from tests.conftest import StudyFiles


@pytest.fixture
def two(study: StudyFiles, tmp_path: Path) -> tuple[StudyFiles, StudyFiles]:
    """Two empty studies of the same data."""
    return study, type(study)(tmp_path / "other")


def trail(folder: Path, *epochs: str, fingerprint: Mapping[str, Any] = FINGERPRINT) -> None:
    """Give a run a trail."""
    chain = Trail()
    chain.add("cell", {"key": folder.name})
    chain.add("fingerprint", dict(fingerprint))
    for number, weights in enumerate(epochs, start=1):
        chain.add(f"epoch {number}", {"order": "a" * 64, "weights": weights * 64})
    (folder / "trail.json").write_text(json.dumps({"format": 1, "links": chain.to_json()}))
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"trail": chain.head}))


def contents(folder: Path) -> dict[str, str]:
    """Return the digest of every file in a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not is_claim_file(path)
    }


def merge(folders: Iterable[StudyFiles], into: Path) -> int:
    return main(["merge", *(str(one.folder) for one in folders), "--into", str(into)])


def test_different_cells_are_merged(
    two: tuple[StudyFiles, StudyFiles], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for files, seeds in zip(two, ((1, 2), (2, 3, 4)), strict=True):
        for seed in seeds:
            cell = files.cell("convxpress", seed)
            if seed < 4:
                trail(files.finish(cell, 90 + seed), "b", "c")
    (two[0].folder / "registry.yaml").write_text("seeds: [1, 2]\n")
    (two[1].folder / "registry.yaml").write_text("seeds: [2, 3, 4]\n")
    before = [contents(files.folder) for files in two]
    into = tmp_path / "deep" / "all"
    assert merge(two, into) == 0
    out = capsys.readouterr().out
    assert out == f"{into}: 3 run(s) copied, 1 were there already; 3 of 4 cells finished, 1 pending.\n"
    assert [contents(files.folder) for files in two] == before
    joined = read_study(into)
    assert [(cell.seed, cell.status) for cell in joined.cells] == [(1, "ok"), (2, "ok"), (3, "ok"), (4, "pending")]
    (row,) = build_leaderboard(joined, checkpoints=("best",)).rows
    assert (row.n, row.planned) == (3, 4)
    for record, files in ((joined.cells[0], two[0]), (joined.cells[2], two[1])):
        assert record.folder is not None
        assert contents(record.folder) == contents(files.folder / "runs" / record.folder.name)
    assert not [path for path in (into / "runs").iterdir() if path.name.startswith(".")]
    assert len(list(into.glob("registry*.yaml"))) == 2
    assert (into / "registry.yaml").read_text() == "seeds: [1, 2]\n"
    # Again: nothing is left to do.
    assert merge(two, into) == 0
    assert "0 run(s) copied" in capsys.readouterr().out
    assert len(list(into.glob("registry*.yaml"))) == 2


def test_conflicts_name_the_differing_link_and_overwrite_nothing(
    two: tuple[StudyFiles, StudyFiles], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = []
    for files, weights, accuracy in zip(two, "cd", (90, 91), strict=True):
        folders.append(files.finish(files.cell("convxpress", 1), accuracy))
        trail(folders[-1], "b", weights)
    into = tmp_path / "all"
    assert merge(two, into) == 1
    out = capsys.readouterr().out
    assert (
        "conflict: convxpress/real/1: the runs differ at 'epoch 2': weights (cccccccccccc... / dddddddddddd...)" in out
    )
    assert f"  kept {folders[0]}\n  left {folders[1]}\n" in out
    assert contents(into / "runs" / folders[0].name) == contents(folders[0])
    # The other way round, what is there stays.
    assert merge((two[1],), into) == 1
    assert contents(into / "runs" / folders[0].name) == contents(folders[0])


def test_runs_of_different_environments_conflict(two: tuple[StudyFiles, StudyFiles], tmp_path: Path) -> None:
    for files, threads in zip(two, (2, 4), strict=True):
        folder = files.finish(files.cell("convxpress", 1), 90, fingerprint={"threads": threads})
        trail(folder, "b", fingerprint={**FINGERPRINT, "threads": threads})
    (conflict,) = merge_studies([files.folder for files in two], tmp_path / "all").conflicts
    assert (conflict.link, conflict.detail) == ("fingerprint", "threads (2 / 4)")


def test_a_trail_that_ends_earlier_is_a_conflict(two: tuple[StudyFiles, StudyFiles], tmp_path: Path) -> None:
    for files, epochs in zip(two, ("b", "bc"), strict=True):
        trail(files.finish(files.cell("convxpress", 1), 90), *epochs)
    (conflict,) = merge_studies([files.folder for files in two], tmp_path / "all").conflicts
    assert (conflict.link, conflict.detail) == ("epoch 2", "the other trail ends before it")


@pytest.mark.parametrize(
    ("digests", "accuracy", "link"),
    [({"data": "1" * 64, "initial_weights": "3" * 64}, 90, "initial weights"), (None, 91, "metrics"), (None, 90, None)],
)
def test_runs_without_trails_are_compared_by_their_digests(
    two: tuple[StudyFiles, StudyFiles], tmp_path: Path, digests: dict[str, str] | None, accuracy: int, link: str | None
) -> None:
    two[0].finish(two[0].cell("convxpress", 1), 90)
    path = two[1].finish(two[1].cell("convxpress", 1), accuracy) / "manifest.json"
    if digests:
        path.write_text(json.dumps(json.loads(path.read_text()) | {"digests": digests}))
    merged = merge_studies([files.folder for files in two], tmp_path / "all")
    assert [conflict.link for conflict in merged.conflicts] == ([link] if link else [])
    assert merged.identical == (link is None)


@pytest.mark.parametrize("harm", ["edited", "missing", "other", "garbage"])
def test_a_run_whose_trail_was_changed_is_not_copied(
    two: tuple[StudyFiles, StudyFiles], tmp_path: Path, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [files.finish(files.cell("convxpress", 1), 90) for files in two]
    for folder in folders:
        trail(folder, "b", "c")
    path = folders[0] / "trail.json"
    if harm == "edited":
        path.write_text(path.read_text().replace("b" * 64, "e" * 64))
    elif harm == "missing":
        path.unlink()
    elif harm == "garbage":
        path.write_text('{"links": [1]}')
    else:
        manifest = folders[0] / "manifest.json"
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"trail": "0" * 64}))
    into = tmp_path / "all"
    assert merge(two, into) == 1
    out = capsys.readouterr().out
    assert f"not copied: convxpress/real/1: {folders[0]}: its" in out
    assert contents(into / "runs" / folders[1].name) == contents(folders[1])


def test_failed_pending_and_unreadable_cells_are_merged(
    two: tuple[StudyFiles, StudyFiles], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = two
    cells = [[files.cell("convxpress", seed) for seed in (1, 2, 3, 4)] for files in two]
    one.fail(cells[0][0], "crashed", "ended by SIGKILL")
    other.finish(cells[1][0], 90)
    one.fail(cells[0][1], "crashed", "first")
    other.fail(cells[1][1], "timeout", "second")
    (one.finish(cells[0][2], 90) / "metrics.json").write_text("{")
    other.finish(cells[1][2], 92)
    into = tmp_path / "all"
    assert merge(two, into) == 1
    assert "metrics.json: Invalid JSON" in capsys.readouterr().out
    assert [(c.status, c.message) for c in read_study(into).cells] == [
        ("ok", ""), ("failed", "first"), ("ok", ""), ("pending", ""),
    ]  # fmt: skip


def test_a_result_replaces_a_failure_in_the_study_that_is_added_to(two: tuple[StudyFiles, StudyFiles]) -> None:
    one, other = two
    failed = one.fail(one.cell("convxpress", 1), "crashed", "ended by SIGKILL")
    other.finish(other.cell("convxpress", 1), 90)
    assert merge([other], one.folder) == 0
    assert not failed.exists()
    assert [cell.status for cell in read_study(one.folder).cells] == ["ok"]


def test_an_unreadable_run_is_moved_aside_for_a_good_one(two: tuple[StudyFiles, StudyFiles]) -> None:
    one, other = two
    folder = one.finish(one.cell("convxpress", 1), 90)
    (folder / "costs.json").write_text("{")
    other.finish(other.cell("convxpress", 1), 91)
    assert merge([other], one.folder) == 1
    assert [cell.status for cell in read_study(one.folder).cells] == ["ok"]
    assert (folder.with_name(f".{folder.name}.unreadable") / "costs.json").read_text() == "{"


def test_studies_of_different_data_are_refused(
    two: tuple[StudyFiles, StudyFiles], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two[1].plan["dataset"] = {**two[1].plan["dataset"], "digest": "2" * 64}
    for files in two:
        files.finish(files.cell("convxpress", 1), 90)
    assert merge(two, tmp_path / "all") == 2
    assert "'synthetic-radio' (digest 111111111111) and 'synthetic-radio' (digest 2222" in capsys.readouterr().err
    assert not (tmp_path / "all").exists()


def test_studies_that_were_looked_at_in_different_rounds_are_refused(
    two: tuple[StudyFiles, StudyFiles], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rounds = {"seeds": [1, 2, 3], "at_least": 2, "rounds": [{"seeds": 2, "rows": ["convxpress/real"]}]}
    two[1].plan["until_decided"] = rounds
    for files in two:
        files.finish(files.cell("convxpress", 1), 90)
    assert merge(two, tmp_path / "all") == 2
    assert "until_decided" in capsys.readouterr().err
    assert not (tmp_path / "all").exists()
    two[0].plan["until_decided"] = rounds
    for files in two:
        files.write_plan()
    assert merge(two, tmp_path / "all") == 0
    merged = read_plan(tmp_path / "all")
    assert merged is not None
    assert merged.until_decided is not None
    assert merged.until_decided.seeds == (1, 2, 3)


def test_a_name_with_different_settings_is_refused(
    two: tuple[StudyFiles, StudyFiles], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two[0].cell("convxpress", 1)
    two[1].cell("convxpress", 2, epochs=30)
    assert merge(two, tmp_path / "all") == 2
    err = capsys.readouterr().err
    assert "convxpress in arm real: model.epochs 16 / 30" in err
    assert not (tmp_path / "all").exists()


def test_one_cell_under_two_names_is_one_cell(two: tuple[StudyFiles, StudyFiles], tmp_path: Path) -> None:
    two[0].cell("convxpress", 1)
    two[1].cell("convxpress", 1)["model"] = "cx"
    two[1].write_plan()
    merged = merge_studies([files.folder for files in two], tmp_path / "all")
    assert merged.cells == 1
    assert "cx in arm real" in merged.notes[0]
    assert [cell.model for cell in read_study(tmp_path / "all").cells] == ["convxpress"]


def test_folders_that_cannot_be_merged_into_are_refused(
    study: StudyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study.cell("convxpress", 1)
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.tex").write_text("precious")
    assert merge([study], full) == 2
    assert "is not a study and not empty" in capsys.readouterr().err
    assert merge([study], study.folder) == 2
    assert "nothing to merge" in capsys.readouterr().err
    assert main(["merge", str(tmp_path / "gone"), "--into", str(tmp_path / "all")]) == 1
    assert "there is no such folder" in capsys.readouterr().err


def test_a_study_in_use_is_not_merged_into(
    two: tuple[StudyFiles, StudyFiles], capsys: pytest.CaptureFixture[str]
) -> None:
    for files in two:
        files.cell("convxpress", 1)
    with joined(two[0].folder):
        assert merge([two[1]], two[0].folder) == 1
    assert "a run is working on this study" in capsys.readouterr().err


def test_remains_of_a_killed_merge_are_removed(two: tuple[StudyFiles, StudyFiles], tmp_path: Path) -> None:
    folder = two[0].finish(two[0].cell("convxpress", 1), 90)
    into = tmp_path / "all"
    merge_studies([two[0].folder], into)
    done = into / "runs" / folder.name
    done.rename(done.with_name(f".{folder.name}.merging"))
    (done.with_name(f".{folder.name}.merging") / "half").write_text("x")
    assert merge_studies([two[0].folder], into).copied == 1
    assert contents(into / "runs") == contents(two[0].folder / "runs")


def settled(folder: Path) -> dict[str, str]:
    """Return the digest of every file that is complete."""
    return {name: digest for name, digest in contents(folder).items() if not name.endswith(".partial")}


@pytest.mark.parametrize(
    "moment",
    [
        {"before": "benchmarker.files:os.fsync"},
        {"before": "benchmarker.maintenance.merge:write_bytes"},
        {"before": "benchmarker.maintenance.merge:copy_file"},
        {"after": "benchmarker.maintenance.merge:copy_folder"},
        {"after": "benchmarker.maintenance.merge:publish"},
    ],
    ids=["plan", "registry", "split", "run", "failure"],
)
def test_a_stopped_merge_changes_nothing_in_a_study_that_a_run_uses(
    two: tuple[StudyFiles, StudyFiles], moment: dict[str, str]
) -> None:
    """It is stopped before it publishes something, or removes a failure."""
    target, source = two
    target.fail(target.cell("convxpress", 1), "crashed", "ended by SIGKILL")
    source.finish(source.cell("convxpress", 1), 91)
    (source.folder / "registry.yaml").write_text("seeds: [1]\n")
    (source.folder / "splits").mkdir(exist_ok=True)
    (source.folder / "splits" / "1-abc.csv").write_text("source,part\n")
    stopped = StoppedCommand("merge", str(source.folder), "--into", str(target.folder), **moment)
    with joined(target.folder):
        before = settled(target.folder)
        code, errors = stopped.proceed()
        assert code == 1
        assert "another process has taken over" in errors
        assert settled(target.folder) == before


@pytest.mark.parametrize(
    "moment", [{"after": "benchmarker.maintenance.merge:copy_folder"}, {"before": "pathlib:Path.rename"}]
)
def test_a_stopped_merge_does_not_mix_its_copies_with_those_of_the_next(
    two: tuple[StudyFiles, StudyFiles], tmp_path: Path, moment: dict[str, str]
) -> None:
    for seed in (1, 2):
        two[0].finish(two[0].cell("convxpress", seed), 90)
    into = tmp_path / "all"
    stopped = StoppedCommand("merge", str(two[0].folder), "--into", str(into), **moment)
    assert merge_studies([two[0].folder], into).copied == 2
    before = contents(into)
    code, errors = stopped.proceed()
    assert code == 1
    assert "another process has taken over" in errors
    assert contents(into) == before
    assert contents(into / "runs") == contents(two[0].folder / "runs")


def test_a_stopped_merge_does_not_write_into_the_copies_of_the_next(
    two: tuple[StudyFiles, StudyFiles], tmp_path: Path
) -> None:
    """It comes back when the next one has copied a run, but not published it."""
    for files, accuracy in zip(two, (90, 91), strict=True):
        run = files.finish(files.cell("convxpress", 1), accuracy)
        for number in range(5):
            (run / f"predictions_{number}.csv").write_text(str(accuracy))
    into = tmp_path / "all"
    given_up, following = (
        StoppedCommand("merge", str(files.folder), "--into", str(into), after=after, host=host)
        for files, after, host in zip(
            two,
            ("benchmarker.files:_copy_with_times", "benchmarker.maintenance.merge:copy_folder"),
            ("one", "another"),
            strict=True,
        )
    )
    assert given_up.proceed()[0] == 1
    assert following.proceed() == (0, "")
    assert contents(into / "runs") == contents(two[1].folder / "runs")


def test_the_plan_is_read_when_nobody_else_can_change_it(
    two: tuple[StudyFiles, StudyFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    target, source = two
    target.cell("convxpress", 1)
    source.cell("convxpress", 2)

    def read(folder: Path) -> Study:
        if folder == target.folder:
            with pytest.raises(StorageError, match="merge"), joined(folder):
                pass
        return read_study(folder)

    monkeypatch.setattr("benchmarker.maintenance.merge.read_study", read)
    assert merge_studies([source.folder], target.folder).cells == 2


def test_a_study_that_appears_meanwhile_is_not_overwritten(
    two: tuple[StudyFiles, StudyFiles], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for files, seed in zip(two, (1, 2), strict=True):
        files.cell("convxpress", seed)
    into = tmp_path / "all"

    def make(folder: Path) -> Path:
        monkeypatch.undo()
        merge_studies([two[0].folder], into)
        return make_folder(folder)

    monkeypatch.setattr("benchmarker.maintenance.merge.make_folder", make)
    with pytest.raises(StorageError, match="meanwhile"):
        merge_studies([two[1].folder], into)
    assert merge_studies([two[1].folder], into).cells == 2


def test_json_lists_runs_and_conflicts(
    two: tuple[StudyFiles, StudyFiles], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for files, accuracy in zip(two, (90, 91), strict=True):
        files.finish(files.cell("convxpress", 1), accuracy)
    arguments = ["merge", *(str(files.folder) for files in two), "--into", str(tmp_path / "all"), "--json"]
    assert main(arguments) == 1
    value = json.loads(capsys.readouterr().out)
    assert (value["cells"], value["ok"], value["copied"], value["pending"]) == (1, 1, 1, 0)
    assert value["conflicts"][0]["link"] == "metrics"
