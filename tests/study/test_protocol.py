"""Jobs and events: a worker reads what its parent wrote, and the other way round, digests included."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from benchmarker.contracts.settings import Split
from benchmarker.contracts.tasks import Regression, RegressionTarget
from benchmarker.study.layout import RunPaths
from benchmarker.study.plan import PlannedGenerator
from benchmarker.study.protocol import (
    EVENT,
    JOB,
    Built,
    CellJob,
    EpochDone,
    Event,
    Failed,
    Finished,
    GeneratorJob,
    GeneratorRun,
    Job,
    Note,
    Resumed,
    Scoring,
    StepDone,
    Waiting,
)
from benchmarker.study.space import DiskSpace
from benchmarker.study.specs import GeneratorChoice, GeneratorSpec, GeneratorTraining, TrainingPartSpec
from tests.study.material import planned_cell

STUDY = Path("/results/study")
TASK = Regression(targets=(RegressionTarget(name="redshift", unit="", minimum=0.0, maximum=2.0),))
GENERATOR = PlannedGenerator.of(
    GeneratorSpec(
        backend="tensorflow",
        seed=1,
        training=GeneratorTraining(threads=1, precision="float32"),
        data=TrainingPartSpec(digest="0" * 64, images=12, shape=(16, 16, 1), task=TASK),
        generator=GeneratorChoice(name="dcgan", options={"width": None}, epochs=3),
        conditions=("redshift",),
    ),
    label="brush",
    line=4,
)
CELL = planned_cell(options={"dropout": 0.5, "sizes": [3, 3]})
JOBS: dict[str, Job] = {
    "train": CellJob(
        cell=CELL,
        prepared=STUDY,
        paths=RunPaths.of(STUDY, CELL.key),
        weights=None,
        generator=GeneratorRun(spec=GENERATOR.spec, folder=STUDY / "generator"),
    ),
    "test": CellJob(
        cell=CELL, prepared=STUDY, paths=RunPaths.of(STUDY, CELL.key), weights={"best": Path("/mine.weights.h5")}
    ),
    "generator": GeneratorJob(
        generator=GENERATOR,
        prepared=STUDY,
        paths=RunPaths.of(STUDY, GENERATOR.key),
        split=Split(train=6, validation=3),
        cache=True,
    ),
}
EVENTS: list[Event] = [
    Built(digests={"data": "0" * 64}, space=DiskSpace(kept=1, peak=2)),
    Resumed(epoch=1, epochs=3),
    StepDone(epoch=2, done=1, total=8),
    EpochDone(epoch=2, epochs=3, values={"loss": 0.5}),
    Scoring(checkpoint="best"),
    Note(text="a note"),
    Waiting(what="the generator", over=False),
    Failed(kind="diverged", message="the loss is NaN"),
    Finished(),
]


@pytest.mark.parametrize("name", JOBS)
def test_job_is_read_as_it_was_written(name: str) -> None:
    job = JOBS[name]
    read = JOB.validate_json(json.dumps(job.to_json()))
    assert read == job
    assert read.folder == job.folder
    # A worker records the key of the specification that it reads.
    assert read.planned.spec.key == read.planned.key == job.planned.key
    assert read.planned.spec.configuration == job.planned.configuration


def test_job_that_tests_weights_leaves_the_folder_of_the_training() -> None:
    assert JOBS["test"].folder != JOBS["train"].folder
    assert JOBS["test"].paths == JOBS["train"].paths


@pytest.mark.parametrize("event", EVENTS, ids=[event.event for event in EVENTS])
def test_event_is_read_as_it_was_written(event: Event) -> None:
    assert EVENT.validate_json(json.dumps(event.to_json())) == event


@pytest.mark.parametrize("content", [{"event": "unknown"}, {"event": "resumed", "epoch": 1}, {"epoch": 1}])
def test_incomplete_event_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EVENT.validate_python(content)


def test_generator_keeps_the_names_of_format_1() -> None:
    written = GENERATOR.to_json()
    assert list(written) == ["key", "configuration", "model", "architecture", "arm", "seed", "line", "spec"]
    assert (written["model"], written["architecture"], written["arm"]) == ("brush", "dcgan", "generator")
    assert PlannedGenerator.model_validate(written) == GENERATOR
