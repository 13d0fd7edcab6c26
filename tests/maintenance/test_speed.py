"""``benchmarker doctor --speed``: what is measured, refused and recommended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarker.cli import main
from benchmarker.maintenance import speed
from benchmarker.maintenance.probes import Outcome, SpeedAnswer, SpeedQuestion, probe_speed
from benchmarker.maintenance.speed import PRECISIONS, Measured, Setting, Speeds, measure_speed
from benchmarker.maintenance.speed_step import refusal
from benchmarker.results.study import read_study
from benchmarker.study.fingerprint import Fingerprint

if TYPE_CHECKING:
    from tests.conftest import StudyFiles

HERE: dict[str, Any] = {
    "benchmarker": "0.1.0",
    "python": "3.12.3",
    "system": "Linux",
    "isa": ["avx2"],
    "packages": {},
    "plugins": {},
    "backend": {"name": "tensorflow", "version": "2.21.0", "devices": ["CPU"], "onednn": "1", "op_determinism": True},
    "threads": 2,
    "precision": "mixed_bfloat16",
}
REGISTRY = """
dataset: {name: synthetic-radio, options: {images_per_class: 12, size: 48}, split: {train: 6, validation: 3}}
seeds: [1, 2]
models:
  - {architecture: mcrgnet, learning_rate: 1e-3, epochs: 2}
  - {architecture: mcrgnet, learning_rate: 1e-4, epochs: 2, name: slower}
"""


class Stopwatch:
    """Stands in for the processes that train: answers by backend and precision, and keeps the questions.

    One thread is half as fast.
    """

    def __init__(self, rates: dict[tuple[str, str], float | str]) -> None:
        self.rates = rates
        self.questions: list[SpeedQuestion] = []

    def __call__(self, question: SpeedQuestion) -> Stopwatch:
        self.questions.append(question)
        return self

    def outcome(self) -> Outcome[SpeedAnswer]:
        spec = self.questions[-1].spec
        rate = self.rates[spec.backend, spec.training.precision]
        if rate == "crash":
            return Outcome(problem="its process was ended by SIGILL")
        if isinstance(rate, str):
            return Outcome(answer=SpeedAnswer(refused=rate))
        return Outcome(answer=SpeedAnswer(images_per_second=rate * (1 if spec.threads > 1 else 0.5), start_seconds=1.5))


RATES: dict[tuple[str, str], float | str] = {
    ("tensorflow", "float32"): 1000.0,
    ("tensorflow", "mixed_bfloat16"): "refused: no bfloat16",
    ("jax", "float32"): 1500.0,
    ("jax", "mixed_bfloat16"): "refused: no bfloat16",
}


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    found = Stopwatch(dict(RATES))
    monkeypatch.setattr(speed, "probe_speed", found)
    monkeypatch.setattr(speed, "installed_backends", lambda: ("tensorflow", "jax"))
    return found


def test_networks_are_measured_once_each_whatever_their_seeds_and_rates(
    study: StudyFiles, stopwatch: Stopwatch
) -> None:
    for seed in (1, 2):
        study.cell("first", seed)
        study.cell("second", seed)
    study.write_plan()
    found = measure_speed(read_study(study.folder), seconds=10)
    networks = {each.network for each in found.measured}
    assert len(found.measured) == len(networks) * 2 * len(PRECISIONS) * 2
    # What one network was refused, the next is not asked for, nor is another number of threads.
    asked = [(each.spec.backend, each.spec.training.precision, each.spec.threads) for each in stopwatch.questions]
    assert [each[2] for each in asked if each[:2] == ("jax", "mixed_bfloat16")] == [2]
    assert asked.count(("jax", "float32", 2)) == asked.count(("jax", "float32", 1)) == len(networks)
    assert found.gains() == {
        ("tensorflow", "float32", 2): 1.0,
        ("tensorflow", "float32", 1): 0.5,
        ("jax", "float32", 2): 1.5,
        ("jax", "float32", 1): 0.75,
    }
    assert found.advice.startswith("KERAS_BACKEND=jax: 1.5 times as fast")


def test_networks_that_use_one_thread_are_measured_once(study: StudyFiles, stopwatch: Stopwatch) -> None:
    study.cell("first", 1)["spec"]["training"]["threads"] = 1
    study.write_plan()
    found = measure_speed(read_study(study.folder), seconds=10)
    assert {each.setting.threads for each in found.measured} == {1}
    assert len(found.measured) == len(stopwatch.questions) == 2 * len(PRECISIONS)


def speeds(
    *measured: tuple[str, str, str, float | None], one_thread: float | None = None, epochs: dict[str, int] | None = None
) -> Speeds:
    rows = tuple(
        Measured(network=network, setting=Setting(backend, precision, 2), images_per_second=rate)  # type: ignore[arg-type]
        for network, backend, precision, rate in measured
    )
    if one_thread is not None:
        alone = Setting("tensorflow", "float32", 1)
        rows = (*rows, Measured(network=measured[0][0], setting=alone, images_per_second=one_thread))
    return Speeds(
        study="mine",
        shape=(32, 32, 1),
        batch_size=32,
        own=Setting("tensorflow", "float32", 2),
        measured=rows,
        epochs=epochs or {},
    )


def test_gain_weights_networks_by_their_epochs() -> None:
    found = speeds(
        *(("a", "tensorflow", "float32", 100.0), ("b", "tensorflow", "float32", 100.0)),
        *(("a", "jax", "float32", 200.0), ("b", "jax", "float32", 50.0)),
        epochs={"a": 9, "b": 1},
    )
    assert found.gains()[Setting("jax", "float32", 2)] == pytest.approx((10 / 100) / (9 / 200 + 1 / 50))


def test_setting_that_does_not_train_every_network_is_not_recommended() -> None:
    found = speeds(
        *(("a", "tensorflow", "float32", 100.0), ("b", "tensorflow", "float32", 100.0)),
        *(("a", "jax", "float32", 900.0), ("b", "jax", "float32", None)),
    )
    assert found.advice.startswith("stay with tensorflow in float32")


def test_small_gain_is_no_reason_to_change() -> None:
    found = speeds(("a", "tensorflow", "float32", 100.0), ("a", "jax", "float32", 109.0))
    assert found.advice.startswith("stay with tensorflow in float32")


def test_precision_is_recommended_where_it_is_faster() -> None:
    found = speeds(("a", "tensorflow", "float32", 100.0), ("a", "tensorflow", "mixed_bfloat16", 300.0))
    assert found.advice.startswith("training: {precision: mixed_bfloat16}: 3.0 times as fast")


def test_one_thread_is_recommended_where_it_is_faster() -> None:
    found = speeds(("a", "tensorflow", "float32", 100.0), one_thread=180.0)
    assert found.advice.startswith("training: {threads: 1}: 1.8 times as fast as tensorflow in float32 with 2 threads")


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, True),
        ({"isa": ["avx2", "avx512_bf16"]}, False),
        ({"precision": "float32"}, False),
        ({"backend": {**HERE["backend"], "devices": ["NVIDIA H100"]}}, False),
    ],
)
def test_bfloat16_is_refused_on_processors_without_it(changes: dict[str, Any], refused: bool) -> None:
    found = refusal(Fingerprint.model_validate(HERE | changes))
    assert ("avx512_bf16" in found) is refused


def test_command_prepares_the_data_and_prints_a_recommendation(
    tmp_path: Path, stopwatch: Stopwatch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(REGISTRY)
    assert main(["doctor", "--speed", "mine.yaml"]) == 0
    out, err = capsys.readouterr()
    assert "images of 48x48x1" in out
    assert "1,500" in out
    assert "Advice: KERAS_BACKEND=jax" in out
    assert "measuring mcrgnet, jax, float32, 2 threads" in err
    assert "measuring mcrgnet, jax, float32, 1 thread " in err
    assert {question.dataset.shape for question in stopwatch.questions} == {(48, 48, 1)}
    assert not (tmp_path / "results").exists()
    stopwatch.rates = dict.fromkeys(RATES, "crash")
    assert main(["doctor", "--speed", "mine.yaml", "--json"]) == 1
    out = capsys.readouterr().out
    found = json.loads(out[out.index("{\n") :])
    assert found["gains"] == []
    assert found["own"] == {"backend": "tensorflow", "precision": "float32", "threads": 2}
    assert {each["threads"] for each in found["measured"]} == {1, 2}
    assert {each["problem"] for each in found["measured"]} == {"its process was ended by SIGILL"}


@pytest.mark.long
def test_a_real_network_is_trained_in_a_process_of_its_own(tmp_path: Path) -> None:
    from benchmarker.discovery import installed
    from benchmarker.registry import load_registry
    from benchmarker.run import plan_study
    from benchmarks.jobs import Silence

    (tmp_path / "mine.yaml").write_text(REGISTRY)
    observer: Any = Silence()
    plan_study(load_registry(tmp_path / "mine.yaml"), tmp_path / "study", observer=observer, plugins=installed())
    study = read_study(tmp_path / "study")
    question = SpeedQuestion(spec=study.cells[0].spec, dataset=study.plan.dataset, steps=2, seconds=240)
    outcome = probe_speed(question).outcome()
    assert outcome.answer is not None, outcome.output
    assert outcome.answer.refused == ""
    assert (outcome.answer.images_per_second or 0) > 10
    assert (outcome.answer.start_seconds or 0) > 0
