"""Arms with images of a chosen epoch, or with new images in every epoch: keys, refusals and bits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarker import audit, discovery
from benchmarker.discovery import installed
from benchmarker.errors import RegistryError
from benchmarker.generation.choosing import CHOICE_FILE, Choice
from benchmarker.registry import check_registry
from benchmarker.registry.models import GeneratedEntry
from benchmarker.run.planning import make_cells, make_generators, read_choices
from benchmarker.study.layout import RunPaths
from benchmarker.study.plan import PlannedCell
from benchmarker.study.specs import ArmSpec
from tests.run.painter import MODELS, install, registry
from tests.run.test_generator_plan import GENERATED, HEAD, images, loaded, parts_of, planned

MORTAL = """
import os
import signal
from pathlib import Path

from benchmarker import Augmentation, hookimpl

calls = 0


@hookimpl
def benchmarker_register(registrar):
    registrar.augmentation(Augmentation(
        name="mortal", builder="mortal:transform", kind="transform", draws_per_image=1, citation="none"))


def transform(images, draws, options):
    global calls
    calls += 1
    marker = Path(os.environ["MORTAL_MARKER"])
    if calls == 12 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return images
"""


def with_arm(generated: str, extra: str = "") -> str:
    """Return a registry whose arm ``half`` has other generated images."""
    text = GENERATED.replace("generated: {by: DCGAN, ratio: 0.5}", f"generated: {generated}{extra}")
    return HEAD + text.replace("epochs: 2}", "epochs: 10, watch: {keep_every: 3}}", 1)


def test_epoch_and_fresh_change_the_keys_of_their_arms_only(tmp_path: Path) -> None:
    """The first keys were made before there were these settings."""
    before = [cell for cell in planned(loaded(tmp_path, HEAD + GENERATED), images())[1] if cell.seed == 8901]
    assert [cell.key[:16] for cell in before] == ["643e985856b3d84f", "21da305005a22e75", "d2bb756943d7cf7e"]
    keys = {}
    for generated in ("{ratio: 1}", "{ratio: 1, epoch: 10}", "{ratio: 1, epoch: 3}", "{ratio: 1, fresh: true}"):
        text = with_arm(generated.replace("{", "{by: dcgan, "))
        cells = {cell.arm: cell for cell in planned(loaded(tmp_path, text), images())[1] if cell.seed == 8901}
        keys[generated] = {arm: cell.key for arm, cell in cells.items()}
    plain, last, third, fresh = (each.pop("half") for each in keys.values())
    assert len({json.dumps(others) for others in keys.values()}) == 1
    assert plain == last
    assert len({plain, third, fresh}) == 3


def test_arms_that_cannot_be_used_keep_their_keys() -> None:
    """Their specification holds what the registry asks for, with defaults, but not of later settings."""
    arm = ArmSpec(augmentations=(), augment_validation=False, unusable=True, generated=GeneratedEntry(by="x", ratio=1))
    assert arm.to_json()["generated"] == {"by": "x", "ratio": 1.0, "balance": False, "real": True}
    asked = GeneratedEntry(by="x", ratio=1, epoch=3, fresh=True).model_dump()
    assert (asked["epoch"], asked["fresh"]) == (3, True)


@pytest.mark.parametrize(
    ("generated", "extra", "complaint"),
    [
        ("{by: dcgan, ratio: 1, epoch: 12}", "", "dcgan is trained for 10 epochs only"),
        ("{by: dcgan, ratio: 1, epoch: 4}", "", "the weights of epoch 4 are not kept"),
        ("{by: dcgan, ratio: 1, epoch: best}", "", "epoch"),
        ("{by: dcgan, ratio: 1, fresh: true}", ", augmentations: [flips, rotations]", "rotations makes a fixed set"),
    ],
)
def test_epochs_without_weights_and_expansions_of_fresh_images_are_refused(
    generated: str, extra: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(RegistryError, match=r"mine\.yaml:5:.*" + complaint):
        check_registry(loaded(tmp_path, with_arm(generated, extra)), installed())


def test_chosen_epochs_differ_between_seeds_whose_runs_are_averaged(tmp_path: Path) -> None:
    asked = loaded(tmp_path, with_arm("{by: DCGAN, ratio: 1, epoch: chosen}"))
    data, plugins = images(), installed()
    generators = make_generators(asked, plugins, data=data, splits=parts_of(data), backend="tensorflow")
    with pytest.raises(
        RegistryError, match=r"mine\.yaml:5:\d+: no epoch of 'DCGAN' was chosen for the seeds 8901, 1826"
    ):
        read_choices(tmp_path, asked, generators)
    assert read_choices(tmp_path, asked, generators, standalone=True) == {}
    for (_, seed), epoch in zip(generators, (3, 10), strict=True):
        run = RunPaths.of(tmp_path, generators["dcgan", seed].key).finished
        run.mkdir(parents=True)
        Choice(epoch=epoch).write(run / CHOICE_FILE)

    def made(choices: dict[str, int]) -> list[PlannedCell]:
        cells = make_cells(
            asked.registry,
            plugins,
            dataset=plugins.dataset("synthetic-radio"),
            data_digest=data.digest,
            backend="tensorflow",
            lines=asked.lines,
            generators=generators,
            choices=choices,
        )
        return [cell for cell, _ in cells if cell.arm == "half"]

    assert made({}) == []  # they have no key before there is a choice
    cells = made(read_choices(tmp_path, asked, generators))
    specs = [cell.spec.arm.generated_images for cell in cells]
    assert [spec and (spec.epoch, spec.chosen) for spec in specs] == [(3, True), (10, True)]
    assert len({cell.configuration for cell in cells}) == 1


@pytest.mark.long
def test_killed_training_on_fresh_images_of_a_chosen_epoch_is_audited_bitwise(
    fits_folder: Path, tmp_path: Path, command_line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network is killed in its fourth epoch and resumes; the audit trains it once more without a kill."""
    site = install(tmp_path / "site")
    (site / "mortal.py").write_text(MORTAL)
    info = site / "mortal-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mortal\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[benchmarker]\nmortal = mortal\n")
    place = {
        "PYTHONPATH": str(site),
        "BENCHMARKER_CACHE": str(tmp_path / "cache"),
        "MORTAL_MARKER": str(tmp_path / "died"),
    }
    shutil.copytree(fits_folder, tmp_path / "images")
    arm = {
        "name": "fresh",
        "generated": {"by": "painter", "ratio": 1, "real": False, "epoch": "chosen", "fresh": True},
        "augmentations": ["mortal"],
    }
    generators = [{"generator": "painter", "epochs": 2, "watch": {"keep_every": 1}}]
    text = json.dumps(registry(Path("images"), generators=generators, arms=[arm], models=[MODELS[0] | {"epochs": 5}]))
    (tmp_path / "tiny.yaml").write_text(text)
    for words in (("train", "tiny.yaml", "-p", "study"), ("choose", "study", "--epoch", "1", "--out", "page.html")):
        done = command_line.run("gan", *words, cwd=tmp_path, env=place)
        assert done.returncode == 0, done.stdout + done.stderr
    done = command_line.run("run", "tiny.yaml", "-p", "study", cwd=tmp_path, env=place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "died").exists()
    assert "dot/fresh/8901: resumes after epoch" in done.stdout
    cell = command_line.manifests(tmp_path / "study")["dot", "fresh", 8901]
    run = tmp_path / "study" / "runs" / cell["key"][:16]
    links = {link["name"]: link["content"] for link in json.loads((run / "trail.json").read_text())["links"]}
    assert links["generator"]["epoch"] == 1
    assert len({links[f"epoch {k}"]["generated"] for k in range(1, 6)}) == 5
    assert not list(run.glob(".*"))
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(site)
    discovery.installed.cache_clear()
    try:
        report = audit.audit_study(tmp_path / "study", plugins=discovery.installed(), cells="dot/fresh")
    finally:
        discovery.installed.cache_clear()
    assert [found.verdict for found in report.cells] == ["bitwise"], report.cells[0].summary
