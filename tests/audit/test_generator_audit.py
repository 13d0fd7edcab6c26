"""Audits of cells that were trained on generated images."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.run.painter import MODELS, PAINTED, install, registry

Audit = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the foreign generator is installed in."""
    return install(tmp_path_factory.mktemp("painter-site"))


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory, fits_folder: Path, painter: Path, command_line: Any) -> Path:
    """A folder with the images and a study of one network on generated ones; tests of files work on copies."""
    folder = tmp_path_factory.mktemp("painted")
    shutil.copytree(fits_folder, folder / "images")
    (folder / "tiny.yaml").write_text(json.dumps(registry(Path("images"), arms=[PAINTED], models=MODELS[:1])))
    done = command_line.run("run", "tiny.yaml", "-p", "study", cwd=folder, env={"PYTHONPATH": str(painter)})
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def audited(painter: Path, command_line: Any) -> Audit:
    """Audit the study of a folder."""

    def run(folder: Path, *arguments: str, **env: str) -> tuple[int, dict[str, Any]]:
        done = command_line.run(
            "audit", "study", "--format", "json", *arguments, cwd=folder, env={"PYTHONPATH": str(painter), **env}
        )
        assert done.stdout.startswith("{"), done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


def generator_run(folder: Path) -> Path:
    (generator,) = json.loads((folder / "study" / "plan.json").read_text())["generators"]
    return folder / "study" / "runs" / str(generator["key"])[:16]


def test_a_generated_arm_is_had_again_bit_for_bit_with_a_generator_trained_anew(painted: Path, audited: Audit) -> None:
    code, report = audited(painted, "--keep", "again")
    assert code == 0, report
    (cell,) = report["cells"]
    assert cell["verdict"] == "bitwise"
    manifest = json.loads((painted / "again" / "runs" / generator_run(painted).name / "manifest.json").read_text())
    assert manifest["trained"] is True  # not what the cache holds


def test_a_generator_that_is_not_deterministic_is_the_first_link_that_differs(painted: Path, audited: Audit) -> None:
    code, report = audited(painted, PAINTER_RESTLESS="yes")
    assert code == 1
    (cell,) = report["cells"]
    assert (cell["verdict"], cell["first_link"]) == ("differs", "generator")
    assert "the trail of painter/generator/8901 parts first at epoch 1 / variables" in cell["summary"]
    assert [entry["entry"] for entry in cell["entries"]] == ["weights"]
    assert any("another number of threads" in cause for cause in cell["usual_causes"])


def test_a_generator_that_fails_again_gives_no_other_verdict_than_it_deserves(painted: Path, audited: Audit) -> None:
    code, report = audited(painted, PAINTER_FAILS="yes")
    assert code == 1
    (cell,) = report["cells"]
    assert cell["summary"].startswith("the re-run failed (diverged): its generator painter: g_loss is nan")


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
        (damage_weights, "holds other weights than the trail covers"),
        (damage_trail, "was changed at 'final weights'"),
        (shutil.rmtree, "the study has no run of the generator"),
    ],
)
def test_files_of_a_generator_are_checked_with_its_cells(
    damage: Callable[[Path], None], complaint: str, painted: Path, tmp_path: Path, audited: Audit
) -> None:
    folder = shutil.copytree(painted, tmp_path / "copied", copy_function=shutil.copy2)
    damage(generator_run(folder))
    code, report = audited(folder, "--offline")
    assert code == 1
    (cell,) = report["cells"]
    assert (cell["verdict"], cell["first_link"]) == ("differs", "generator")
    assert complaint in cell["findings"][0]["text"]
