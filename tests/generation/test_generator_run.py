"""A generator is trained to equal bits, resumes after a kill, is shared, and never sees held-out images."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarker.claims import claim
from benchmarker.digests import digest_file, digest_json
from benchmarker.errors import StorageError
from benchmarker.generation import run_files
from benchmarker.generation.job import GeneratorOutcome, train_generator
from benchmarker.generation.run_files import require_intact, train_or_copy, weights_digest
from benchmarker.paths import cache_folder
from benchmarker.study.links import read_trail
from benchmarker.study.protocol import EpochDone, Event, EventHandler, Resumed, StepDone, Waiting, waiting
from tests.generation.conftest import SEED, Edited, MakeJob, make_images


class KilledError(Exception):
    """Takes the place of the end of a process."""


def train(job: MakeJob, folder: Path, send: EventHandler = lambda _event: None, **options: Any) -> GeneratorOutcome:
    folder.mkdir(exist_ok=True)
    return train_generator(job(folder, **options), send)


def bits(folder: Path) -> dict[str, str]:
    """Digests of all files that must not depend on time."""
    return {
        str(path.relative_to(folder)): digest_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in {"costs.json", "training.json"} and "snapshot" not in path.name
    }


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """Events of the training of `one`."""
    return []


@pytest.fixture(scope="module")
def one(job: MakeJob, events: list[Event], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a generator of four epochs, which other studies find in the cache."""
    folder = tmp_path_factory.mktemp("one")
    about = train(job, folder, events.append, epochs=4, cache=True)
    assert about.trained is True
    return folder


def damage_weights(path: Path) -> None:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    first = min(arrays)
    np.savez(path, allow_pickle=False, **{**arrays, first: arrays[first] + 1})


def head(run: Path) -> str:
    return str(json.loads((run / "trail.json").read_text())["links"][-1]["digest"])


def test_run_writes_the_documented_files(one: Path, events: list[Event]) -> None:
    from PIL import Image

    steps = rows(one / "losses.csv")
    assert [(row["epoch"], row["step"]) for row in steps] == [(str(e), str(s)) for e in (1, 2, 3, 4) for s in (1, 2)]
    assert list(steps[0])[:5] == ["epoch", "step", "d_loss_real", "d_loss_fake", "g_loss"]
    history = rows(one / "history.csv")
    assert [row["epoch"] for row in history] == ["1", "2", "3", "4"]
    means = [float(row["g_loss"]) for row in steps[2:4]]
    assert float(history[1]["g_loss"]) == pytest.approx(sum(means) / 2)
    assert 0 <= float(history[0]["d_real_accuracy"]) <= 1
    assert 0 < float(history[-1]["diversity"]) < 2
    with Image.open(one / "samples/animation.png") as animation, Image.open(one / "samples/epoch-0004.png") as grid:
        assert getattr(animation, "n_frames", 1) == 4
        assert animation.size == grid.size == (8 * 48 + 14, 8 * 48 + 14)
    links = [link["name"] for link in json.loads((one / "trail.json").read_text())["links"]]
    first = ["cell", "fingerprint", "training part", "conditions", "initial weights"]
    assert links == [*first, "epoch 1", "epoch 2", "epoch 3", "epoch 4", "final weights"]
    assert [event.epoch for event in events if isinstance(event, EpochDone)] == [1, 2, 3, 4]
    assert json.loads((one / "metrics.json").read_text())["final"]["epoch"] == 4
    costs = json.loads((one / "costs.json").read_text())
    assert costs["training_seconds"] > 0
    assert not any("GAN learnt" in str(event) for event in events)


def test_another_study_copies_a_trained_generator_unless_the_cache_was_damaged(
    job: MakeJob, one: Path, tmp_path: Path
) -> None:
    events: list[Event] = []
    about = train(job, tmp_path / "two", events.append, epochs=4, cache=True)
    assert about.trained is False
    assert not [event for event in events if isinstance(event, EpochDone)]
    assert bits(tmp_path / "two") == bits(one)
    assert json.loads((tmp_path / "two/costs.json").read_text())["trained"] is False
    kept = cache_folder() / "generators"
    (cached,) = (path.parent for path in kept.glob("*/trail.json") if read_trail(path.parent).head == head(one))
    damage_weights(cached / "weights_epoch_0004.npz")
    (cached / "conditions.npz").write_bytes(b"")
    again = train(job, tmp_path / "audited", epochs=4, cache=True)  # what its trail does not cover is not used
    assert again.trained is True
    assert again.trail == about.trail == head(one)
    assert bits(tmp_path / "audited") == bits(one)
    require_intact(cached, job(tmp_path, epochs=4).generator.key)


def test_run_of_a_generator_is_compared_with_its_trail(job: MakeJob, one: Path, tmp_path: Path) -> None:
    key = job(tmp_path, epochs=4).generator.key
    run = tmp_path / "run"
    shutil.copytree(one, run)
    require_intact(run, key)
    with pytest.raises(StorageError, match="holds another generator than the plan says"):
        require_intact(run, "0" * 64)
    damage_weights(run / "weights_epoch_0004.npz")
    with pytest.raises(StorageError, match=r"weights_epoch_0004\.npz: holds weights that its trail does not cover"):
        require_intact(run, key)
    links = json.loads((run / "trail.json").read_text())
    links["links"][-1]["content"]["digest"] = weights_digest(run / "weights_epoch_0004.npz")
    (run / "trail.json").write_text(json.dumps(links))
    with pytest.raises(StorageError, match="its trail was changed at 'final weights'"):
        require_intact(run, key)


def test_waiting_for_another_training_is_told_apart(isolated_cache: Path, tmp_path: Path) -> None:
    """The launcher stops the clock of --timeout meanwhile."""
    events: list[Event] = []
    name = digest_json({"generator": "a", "fingerprint": "b", "code": "c"})[:32]
    (isolated_cache / "generators").mkdir()
    other = claim(isolated_cache / "generators" / f"{name}.training.claim")

    def send(event: Event) -> None:
        events.append(event)
        if event == Waiting(what="it", over=False):
            other.release()

    assert train_or_copy("a", "b", "c", tmp_path, lambda: None, use_cache=True, waiting=lambda: waiting("it", send))
    assert events == [Waiting(what="it", over=False), Waiting(what="it", over=True)]


def test_killed_training_resumes_to_the_same_bits(
    job: MakeJob, one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle of an epoch, and after the losses of another were written but not its snapshot."""
    from benchmarker.generation import training

    monkeypatch.setattr(training, "_STEP_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(training, "_READ_STEPS", 1)
    parted = tmp_path / "parted"
    events: list[Event] = []

    def kill_at(kind: type[StepDone | EpochDone], epoch: int) -> EventHandler:
        def send(event: Event) -> None:
            events.append(event)
            if isinstance(event, kind) and event.epoch == epoch:
                raise KilledError

        return send

    for kind, epoch in ((StepDone, 2), (EpochDone, 3)):
        with pytest.raises(KilledError):
            train(job, parted, kill_at(kind, epoch), epochs=4)
        snapshots = [f"snapshot-{k:06d}.npz" for k in range(1, epoch)]
        assert sorted(path.name for path in parted.glob("snapshot-*")) == snapshots
        assert any(row["epoch"] == str(epoch) for row in rows(parted / "losses.csv"))
    train(job, parted, events.append, epochs=4)
    assert [each.epoch for each in events if isinstance(each, Resumed)] == [1, 2]
    assert bits(parted) == bits(one)


def test_edited_code_is_trained_anew_without_snapshots_of_the_old(job: MakeJob, tmp_path: Path, edited: Edited) -> None:
    """Its key and its weights stay the same: the edit here changes no bit. Its fingerprint names the other code."""
    events: list[Event] = []

    def end(event: Event) -> None:
        events.append(event)
        if isinstance(event, EpochDone) and event.epoch == 2:
            raise KilledError

    with pytest.raises(KilledError):
        train(job, tmp_path / "one", end, epochs=2, cache=True)
    with edited():
        about = train(job, tmp_path / "one", events.append, epochs=2, cache=True)
        assert about.trained is True
        assert not [event for event in events if isinstance(event, Resumed)]
        assert train(job, tmp_path / "two", epochs=2, cache=True).trained is False
    original = train(job, tmp_path / "three", epochs=2, cache=True)
    assert original.trained is True
    assert original.digests == about.digests
    assert original.fingerprint.environment == about.fingerprint.environment
    assert original.fingerprint.code != about.fingerprint.code


def test_held_out_images_change_nothing(job: MakeJob, one: Path, tmp_path: Path) -> None:
    from benchmarker.contracts.settings import Split
    from benchmarker.data.splits import split_sources

    images = make_images(72)
    changed = images.images.copy()
    parts = split_sources(images, Split.model_validate({"train": 0.6, "validation": 0.2}), SEED)
    changed[parts.validation] = 1 - changed[parts.validation]
    changed[parts.test] = 0
    flux = images.attributes["flux"].values.copy()
    flux[parts.test] = 7
    attributes = {"flux": dataclasses.replace(images.attributes["flux"], values=flux)}
    other = dataclasses.replace(images, images=changed, attributes=attributes, digest="0" * 64)
    first, second = (job(tmp_path, epochs=4, images=each) for each in (images, other))
    assert first.generator.key == second.generator.key
    assert train(job, tmp_path / "two", epochs=4, images=other).trained is True
    assert bits(tmp_path / "two") == bits(one)
    seen = images.images.copy()
    seen[parts.train[0]] = 0
    third = job(tmp_path, epochs=4, images=dataclasses.replace(images, images=seen))
    assert third.generator.key != first.generator.key


def test_data_of_another_plan_are_refused(job: MakeJob, tmp_path: Path) -> None:
    planned, other = job(tmp_path), job(tmp_path, images=make_images(72, seed=1))
    wrong = planned.model_copy(update={"prepared": other.prepared})
    with pytest.raises(StorageError, match="holds other data than the plan"):
        train_generator(wrong, lambda _event: None)


def test_quality_is_measured_on_held_out_images(job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained here or copied from the cache; samples do not depend on how many are drawn."""
    from benchmarker import Stream, discovery
    from benchmarker.generation import job as job_module

    def measure(request: Any) -> dict[str, Any]:
        conditions = np.tile(np.eye(2, dtype=np.float32), (50, 1))
        batches = list(request.sample(conditions, request.stream))
        few = list(request.sample(conditions[:3], request.stream))
        assert np.array_equal(batches[0][:3], few[0])
        assert [len(batch) for batch in batches] == [64, 36]
        other = next(iter(request.sample(conditions[:3], Stream("other"))))
        return {"train": len(request.train), "held_out": len(request.held_out), "same": bool((other == few[0]).all())}

    found = discovery.installed().generator("their-gan")
    known = dataclasses.replace(found, quality="their_gan:measure")
    monkeypatch.setattr(discovery.Plugins, "generator", lambda _self, _name: known)
    monkeypatch.setattr(job_module, "resolve", lambda _name: measure)
    for name in ("one", "two"):
        outcome = train(job, tmp_path / name, epochs=1, conditions=("class",), cache=True)
        assert outcome.trained is (name == "one")
        quality = json.loads((tmp_path / name / "metrics.json").read_text())["quality"]
        assert quality == {"train": 43, "held_out": 29, "same": False}


@pytest.mark.parametrize("is_held", [True, False])
def test_damaged_generator_of_the_cache_is_removed_unless_a_successor_may_have_made_another(
    tmp_path: Path, is_held: bool
) -> None:
    cached = tmp_path / "generators" / ("a" * 32)
    cached.mkdir(parents=True)
    with run_files._one_process(cached, contextlib.nullcontext) as training:
        assert training is not None
        if not is_held:
            training.file.unlink()
        assert not run_files._copied(cached, tmp_path / "run", "0" * 64, training)
    assert cached.exists() != is_held
