"""Studies with generators: trained once, before the cells that need their images, on the training part only.

Every process that starts a backend costs seconds, so that one study serves all tests here, audits among them.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarker import discovery
from benchmarker.audit import AuditReport, CellAudit, audit, audit_study, generators
from benchmarker.generation.run_files import GeneratorTrail
from benchmarker.study.observer import CellOutcome
from benchmarker.study.protocol import CellJob
from benchmarker.trail import Trail
from tests.audit.recorded import recorded_digests
from tests.run.painter import install, registry

NAME = "painter/generator/8901"
GENERATED = ("painted", "synthetic-only")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Variables that make this process and its children find the third-party package and a separate cache."""
    site = install(tmp_path_factory.mktemp("painter-site"))
    variables = {"PYTHONPATH": str(site), "BENCHMARKER_CACHE": str(tmp_path_factory.mktemp("painter-cache"))}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.syspath_prepend(site)
        discovery.installed.cache_clear()
        yield variables
    discovery.installed.cache_clear()


@pytest.fixture(scope="module")
def painted(
    tmp_path_factory: pytest.TempPathFactory, fits_folder: Path, place: Mapping[str, str], command_line: Any
) -> Path:
    """A folder with the images and a study on them, run by two jobs, whose generator was killed once on its way."""
    folder = tmp_path_factory.mktemp("painted")
    shutil.copytree(fits_folder, folder / "images")
    (folder / "tiny.yaml").write_text(json.dumps(registry(Path("images"))))
    env = {**place, "PAINTER_DIES": str(folder / "died")}
    done = command_line.run("run", "tiny.yaml", "-p", "study", "--jobs", "2", cwd=folder, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "out.txt").write_text(done.stdout)
    return folder


def generator_run(study: Path) -> Path:
    (generator,) = json.loads((study / "plan.json").read_text())["generators"]
    return study / "runs" / str(generator["key"])[:16]


def manifest(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "manifest.json").read_text())
    return found


def links(run: Path) -> dict[str, Any]:
    return {link["name"]: link["content"] for link in json.loads((run / "trail.json").read_text())["links"]}


def sources(run: Path) -> list[str]:
    with (run / "predictions_final.csv").open(newline="") as stream:
        return [row["source_id"] for row in csv.DictReader(stream)]


def test_one_training_serves_all_cells(painted: Path, place: Mapping[str, str], command_line: Any) -> None:
    out = (painted / "out.txt").read_text()
    assert "plan: 3 cells and 1 generator" in out
    assert "another run" not in out
    assert "3 of 3 cells ok" in out
    study = painted / "study"
    manifests = command_line.manifests(study)
    assert len(manifests) == 4
    generator = manifests["painter", "generator", 8901]
    told = {"key": generator["key"], "weights": generator["digests"]["weights"]}
    for arm, images in zip(GENERATED, (18, 12), strict=True):  # 12 real ones and half as many; those alone, twice
        cell = manifests["dot", arm, 8901]
        found = links(study / "runs" / cell["key"][:16])
        assert list(found)[4:6] == ["generator", "training set"]
        assert found["generator"] == told
        assert found["training set"]["images"] == images
        assert "generator painter" in cell["fingerprint"]["plugins"]
    for name in ("generators", "samples"):  # of two arms that want the same ones at once
        folders = [path for path in (Path(place["BENCHMARKER_CACHE"]) / name).iterdir() if path.is_dir()]
        assert len(folders) == 1
    metrics = json.loads((generator_run(study) / "metrics.json").read_text())
    assert metrics["quality"] == {"n_samples": 12, "n_held_out": 12, "n_train": 12, "rows": []}


def test_killed_generator_resumes_before_its_cells(painted: Path) -> None:
    out = (painted / "out.txt").read_text()
    assert f"{NAME}: crashed" in out
    assert f"{NAME}: resumes after epoch 1 of 3" in out
    for arm in GENERATED:
        assert out.index(f"{NAME}: ok") < out.index(f"dot/{arm}/8901: started")


def test_arms_share_initial_weights_split_and_test_sources(painted: Path, command_line: Any) -> None:
    manifests = command_line.manifests(painted / "study")
    real, *generated = (manifests["dot", arm, 8901] for arm in ("real", *GENERATED))
    predicted = [sources(painted / "study" / "runs" / each["key"][:16]) for each in (real, *generated)]
    for other, names in zip(generated, predicted[1:], strict=True):
        for name in ("data", "split", "initial_weights"):
            assert real["digests"][name] == other["digests"][name]
        assert real["digests"]["final_weights"] != other["digests"]["final_weights"]
        assert names == predicted[0]


def test_study_shows_its_generators_apart_from_its_cells(painted: Path, command_line: Any) -> None:
    shown = command_line.run("show", "study", cwd=painted).stdout
    assert "3 of 3 cells finished" in shown
    assert "painter" in shown
    assert "note:" not in shown
    one = command_line.run("show", "study", "painter", cwd=painted)
    assert one.returncode == 0, one.stderr
    assert "g_loss" in one.stdout
    ranked = command_line.run("leaderboard", "study", "--format", "csv", cwd=painted).stdout
    assert "generator" not in ranked


def test_the_same_command_repeats_nothing(painted: Path, place: Mapping[str, str], command_line: Any) -> None:
    before = {path: path.stat().st_mtime_ns for path in (painted / "study" / "runs").rglob("*")}
    again = command_line.run("run", "tiny.yaml", "-p", "study", cwd=painted, env=place)
    assert again.returncode == 0
    assert "plan: 3 cells and 1 generator, 4 finished before" in again.stdout
    alone = command_line.run("gan", "train", "tiny.yaml", "-p", "study", cwd=painted, env=place)
    assert alone.returncode == 0, alone.stderr
    assert "epoch" not in alone.stdout
    assert {path: path.stat().st_mtime_ns for path in (painted / "study" / "runs").rglob("*")} == before


def test_generators_are_trained_and_sampled_without_networks(
    painted: Path, place: Mapping[str, str], tmp_path: Path, command_line: Any
) -> None:
    """Another study, whose held-out images differ and whose arms use no generator, takes it from the cache.

    Its training would fail.
    """
    from astropy.io import fits

    shutil.copytree(painted / "images", tmp_path / "images")
    cell = command_line.manifests(painted / "study")["dot", "real", 8901]
    held_out = set(sources(painted / "study" / "runs" / cell["key"][:16]))
    assert len(held_out) == 6
    for path in (tmp_path / "images").glob("*/*.fits"):
        if path.stem in held_out:
            with fits.open(path, mode="update") as file:
                file[0].data[:] = file[0].data[::-1] ** 2
    (tmp_path / "tiny.yaml").write_text(json.dumps(registry(Path("images"), arms=["real"])))
    env = {**place, "PAINTER_FAILS": "if it were trained"}
    done = command_line.run("gan", "train", "tiny.yaml", "-p", "study", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in (tmp_path / "study/runs").glob("*/")] == [generator_run(tmp_path / "study").name]
    plans = [json.loads((folder / "study" / "plan.json").read_text()) for folder in (painted, tmp_path)]
    assert plans[0]["dataset"]["digest"] != plans[1]["dataset"]["digest"]
    one, other = (manifest(generator_run(folder / "study")) for folder in (painted, tmp_path))
    assert (one["trained"], other["trained"]) == (True, False)
    for name in ("key", "digests", "trail", "fingerprint"):
        assert one[name] == other[name]
    wrong = command_line.run("gan", "grid", "study", "--seed", "7", "--out", "h.png", cwd=tmp_path, env=place)
    assert wrong.returncode == 2
    assert "it has: painter (seed 8901, ok)" in wrong.stderr


@pytest.fixture
def audited(
    painted: Path, place: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[AuditReport, CellAudit]]:
    """Audit the cell of the arm ``painted``, assuming that its weights are those of its trail."""

    def run(folder: Path = painted, **options: Any) -> tuple[AuditReport, CellAudit]:
        report = audit_study(folder / "study", plugins=discovery.installed(), cells="dot/painted", **options)
        (cell,) = report.cells
        return report, cell

    assert place
    monkeypatch.setattr(audit, "weight_digests", recorded_digests)
    return run


Audit = Callable[..., tuple[AuditReport, CellAudit]]


@pytest.mark.long
def test_audit_repeats_a_generated_arm_bit_for_bit_with_a_new_generator(
    painted: Path, tmp_path: Path, audited: Audit
) -> None:
    """The generator was killed on its way, which changed no bit."""
    report, cell = audited(keep=tmp_path / "again")
    assert (report.exit_code, cell.verdict) == (0, "bitwise"), cell.summary
    one = manifest(generator_run(painted / "study"))
    again = manifest(tmp_path / "again" / "runs" / generator_run(painted / "study").name)
    assert again["trained"] is True  # not what the cache holds
    for name in ("key", "digests", "trail", "fingerprint"):
        assert again[name] == one[name]


@pytest.mark.long
def test_generator_that_is_not_deterministic_is_the_first_difference(
    painted: Path, audited: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The generator is trained anew; its cell repeats the recorded trail with the link of the new generator."""

    def follow(job: CellJob, **_others: Any) -> CellOutcome:
        assert job.generator is not None
        run = Path(shutil.copytree(painted / "study" / "runs" / job.cell.run_name, job.paths.finished))
        link = GeneratorTrail.read(job.generator.folder).link.to_json()
        trail = Trail()
        for name, content in links(run).items():
            trail.add(name, link if name == "generator" else content)
        (run / "trail.json").write_text(json.dumps({"format": 1, "links": trail.to_json()}))
        return CellOutcome(status="ok")

    monkeypatch.setattr(audit, "launch", follow)
    monkeypatch.setenv("PAINTER_RESTLESS", "yes")
    report, cell = audited()
    assert report.exit_code == 1
    assert (cell.verdict, cell.first_link) == ("differs", "generator")
    assert f"the trail of {NAME} differs first at epoch 1 / variables" in cell.summary
    assert cell.difference is not None
    assert [entry.name for entry in cell.difference.entries] == ["weights"]
    assert any("another number of threads" in cause for cause in cell.causes)


def test_generator_that_fails_in_an_audit_fails_its_cells(audited: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any, **_named: Any) -> CellOutcome:
        return CellOutcome(status="failed", kind="diverged", message="g_loss is nan")

    monkeypatch.setattr(generators, "launch", fail)
    report, cell = audited()
    assert report.exit_code == 1
    assert cell.summary.startswith("the re-run failed (diverged): its generator painter: g_loss is nan")


def damage_weights(run: Path) -> None:
    file = max(run.glob("weights_epoch_*.npz"))
    with np.load(file) as arrays:
        changed = {name: arrays[name] + 1 for name in arrays.files}
    np.savez(file, allow_pickle=False, **changed)


def damage_trail(run: Path) -> None:
    trail = json.loads((run / "trail.json").read_text())
    trail["links"][-1]["content"]["digest"] = "0" * 64
    (run / "trail.json").write_text(json.dumps(trail))


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (damage_weights, "holds weights that the trail does not cover"),
        (damage_trail, "was changed at 'final weights'"),
        (shutil.rmtree, "the study has no run of the generator"),
    ],
)
def test_files_of_a_generator_are_checked_with_its_cells(
    damage: Callable[[Path], None], complaint: str, painted: Path, tmp_path: Path, audited: Audit
) -> None:
    folder = Path(shutil.copytree(painted, tmp_path / "copied", copy_function=shutil.copy2))
    assert audited(folder, train=False)[0].exit_code == 0
    damage(generator_run(folder / "study"))
    report, cell = audited(folder, train=False)
    assert report.exit_code == 1
    assert (cell.verdict, cell.first_link) == ("differs", "generator")
    assert complaint in cell.findings[0].text
