"""Studies with generators: trained once, before the cells that need their images, on the training part alone."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.run.painter import ALONE, MODELS, PAINTED, install, registry


@pytest.fixture(scope="session")
def painter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the foreign generator is installed in."""
    return install(tmp_path_factory.mktemp("painter-site"))


@pytest.fixture(scope="session")
def painted(tmp_path_factory: pytest.TempPathFactory, fits_folder: Path, painter: Path, command_line: Any) -> Path:
    """A folder with the images and a study with a generated arm on them, run by two jobs."""
    folder = tmp_path_factory.mktemp("painted")
    shutil.copytree(fits_folder, folder / "images")
    (folder / "tiny.yaml").write_text(json.dumps(registry(Path("images"))))
    done = command_line.run(
        "run", "tiny.yaml", "-p", "study", "--jobs", "2", cwd=folder, env={"PYTHONPATH": str(painter)}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "out.txt").write_text(done.stdout)
    return folder


def manifest_of_generator(study: Path) -> dict[str, Any]:
    plan = json.loads((study / "plan.json").read_text())
    (generator,) = plan["generators"]
    found: dict[str, Any] = json.loads((study / "runs" / generator["key"][:16] / "manifest.json").read_text())
    return found


def links(run: Path) -> dict[str, Any]:
    return {link["name"]: link["content"] for link in json.loads((run / "trail.json").read_text())["links"]}


def test_one_training_serves_all_networks(painted: Path, command_line: Any) -> None:
    out = (painted / "out.txt").read_text()
    assert "plan: 4 cells and 1 generator" in out
    assert out.count("painter/generator/8901: started") == 1
    assert "another run" not in out
    assert "4 of 4 cells ok" in out
    study = painted / "study"
    manifests = command_line.manifests(study)
    assert len(manifests) == 5
    generator = manifests["painter", "generator", 8901]
    told = {"key": generator["key"], "weights": generator["digests"]["weights"]}
    for model in ("mcrgnet", "simple_net"):
        cell = manifests[model, "painted", 8901]
        found = links(study / "runs" / cell["key"][:16])
        assert list(found)[4:6] == ["generator", "training set"]
        assert found["generator"] == told
        assert found["training set"]["images"] == 18  # 12 real ones, and half as many
        assert "generator painter" in cell["fingerprint"]["plugins"]
    metrics = json.loads((study / "runs" / generator["key"][:16] / "metrics.json").read_text())
    assert metrics["quality"] == {"n_samples": 12, "n_held_out": 12, "n_train": 12, "rows": []}


def test_arms_share_initial_weights_split_and_test_sources(painted: Path, command_line: Any) -> None:
    manifests = command_line.manifests(painted / "study")
    for model in ("mcrgnet", "simple_net"):
        real, generated = (manifests[model, arm, 8901] for arm in ("real", "painted"))
        for name in ("data", "split", "initial_weights"):
            assert real["digests"][name] == generated["digests"][name]
        assert real["digests"]["final_weights"] != generated["digests"]["final_weights"]
        tested = []
        for each in (real, generated):
            path = painted / "study" / "runs" / each["key"][:16] / "predictions_final.csv"
            with path.open(newline="") as stream:
                tested.append([row["source_id"] for row in csv.DictReader(stream)])
        assert tested[0] == tested[1]


def test_a_study_shows_its_generators_apart_from_its_cells(painted: Path, command_line: Any) -> None:
    shown = command_line.run("show", "study", cwd=painted).stdout
    assert "4 of 4 cells finished" in shown
    assert "painter" in shown
    assert "note:" not in shown
    one = command_line.run("show", "study", "painter", cwd=painted)
    assert one.returncode == 0, one.stderr
    assert "g_loss" in one.stdout
    ranked = command_line.run("leaderboard", "study", "--format", "csv", cwd=painted).stdout
    assert "generator" not in ranked


def test_the_same_command_repeats_nothing(painted: Path, painter: Path, command_line: Any) -> None:
    before = {path: path.stat().st_mtime_ns for path in (painted / "study" / "runs").rglob("*")}
    again = command_line.run("run", "tiny.yaml", "-p", "study", cwd=painted, env={"PYTHONPATH": str(painter)})
    assert again.returncode == 0
    assert "plan: 4 cells and 1 generator, 5 found finished" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in (painted / "study" / "runs").rglob("*")} == before


def test_held_out_images_and_a_kill_change_no_bit_of_a_generator(
    painted: Path, painter: Path, tmp_path: Path, command_line: Any
) -> None:
    """Other validation and test images, another cache, an empty folder, and a process that dies on the way."""
    from astropy.io import fits

    shutil.copytree(painted / "images", tmp_path / "images")
    study = painted / "study"
    cell = command_line.manifests(study)["mcrgnet", "real", 8901]
    with (study / "runs" / cell["key"][:16] / "predictions_final.csv").open(newline="") as stream:
        tested = {row["source_id"] for row in csv.DictReader(stream)}
    assert len(tested) == 6
    for path in (tmp_path / "images").glob("*/*.fits"):
        if path.stem in tested:
            with fits.open(path, mode="update") as file:
                file[0].data[:] = file[0].data[::-1] ** 2
    (tmp_path / "tiny.yaml").write_text(json.dumps(registry(Path("images"), arms=[ALONE], models=MODELS[:1])))
    env = {
        "PYTHONPATH": str(painter),
        "BENCHMARKER_CACHE": str(tmp_path / "cache"),
        "PAINTER_DIES": str(tmp_path / "died"),
    }
    done = command_line.run("run", "tiny.yaml", "-p", "study", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "painter/generator/8901: crashed" in done.stdout
    assert "painter/generator/8901: goes on after epoch 1 of 3" in done.stdout
    one, other = (manifest_of_generator(folder) for folder in (study, tmp_path / "study"))
    for name in ("key", "digests", "trail", "fingerprint"):
        assert one[name] == other[name]
    manifests = [command_line.manifests(folder) for folder in (study, tmp_path / "study")]
    assert manifests[1]["mcrgnet", "synthetic-only", 8901]["digests"]["data"] != cell["digests"]["data"]
    run = tmp_path / "study" / "runs" / manifests[1]["mcrgnet", "synthetic-only", 8901]["key"][:16]
    assert links(run)["training set"]["images"] == 12


def test_another_study_takes_a_generator_from_the_cache(
    painted: Path, painter: Path, tmp_path: Path, command_line: Any
) -> None:
    arms = [{**PAINTED, "augmentations": ["flips"]}]
    (tmp_path / "other.yaml").write_text(json.dumps(registry(painted / "images", arms=arms, models=MODELS[:1])))
    env = {"PYTHONPATH": str(painter), "PAINTER_FAILS": "if it were trained"}
    done = command_line.run("run", "other.yaml", "-p", "study", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    one, other = (manifest_of_generator(folder) for folder in (painted / "study", tmp_path / "study"))
    assert (one["trained"], other["trained"]) == (True, False)
    assert one["trail"] == other["trail"]


def test_a_generator_that_diverges_fails_its_cells_alone(
    painted: Path, painter: Path, tmp_path: Path, command_line: Any
) -> None:
    generators = [{"generator": "painter", "name": "brush", "epochs": 1}]
    arms = [{"name": "painted", "generated": "brush"}]
    content = registry(painted / "images", generators=generators, arms=arms)
    (tmp_path / "bad.yaml").write_text(json.dumps(content))
    env = {"PYTHONPATH": str(painter), "PAINTER_FAILS": "yes"}
    done = command_line.run("run", "bad.yaml", "-p", "study", cwd=tmp_path, env=env)
    assert done.returncode == 1
    manifests = command_line.manifests(tmp_path / "study")
    assert len(manifests) == 3
    for manifest in manifests.values():
        assert (manifest["status"], manifest["kind"]) == ("failed", "diverged")
    told = manifests["simple_net", "painted", 8901]["message"]
    assert told.startswith("its generator brush/generator/8901 failed: g_loss is nan")
