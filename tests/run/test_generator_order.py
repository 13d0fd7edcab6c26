"""How cells wait for their generators, and fail with them; the workers train nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarker.results.study import Study, read_study

if TYPE_CHECKING:
    from tests.run.conftest import QuickStudy

NAME = "dcgan/generator/8901"


class Painted:
    """A quick study with the networks ``one`` and ``two`` in the arms ``real`` and ``half``, and a generator."""

    def __init__(self, quick: QuickStudy, registry: Callable[..., Path]) -> None:
        self.quick = quick
        self._registry = registry

    def script(self, *generator: str, one: str = "ok", two: str = "ok") -> None:
        """Say what the attempts at the generator do, and what the networks do."""
        self.quick.script(one=[one], two=[two], dcgan=list(generator))
        models = [
            {"architecture": "mcrgnet", "name": name, "learning_rate": 0.001 * number, "epochs": 9}
            for number, name in enumerate(("one", "two"), start=1)
        ]
        half = {"name": "half", "generated": {"by": "dcgan", "ratio": 0.5}}
        generators = [{"generator": "dcgan", "epochs": 2}]
        self._registry(name="quick.yaml", models=models, generators=generators, arms=["real", half])

    @property
    def started(self) -> list[str]:
        """What was started, in order."""
        return [each["model"] for each in self.quick.attempts]

    @property
    def read(self) -> Study:
        """The study."""
        return read_study(self.quick.path)

    @property
    def statuses(self) -> dict[str, str]:
        """How each cell and generator ended."""
        found = self.read
        return {cell.name: cell.kind or cell.status for cell in (*found.generators, *found.cells)}


@pytest.fixture
def painted(quick: QuickStudy, registry: Callable[..., Path]) -> Painted:
    """A quick study with a generator."""
    return Painted(quick, registry)


def test_other_cells_run_while_a_generator_is_trained(painted: Painted) -> None:
    painted.script("until=enough ok")
    process = painted.quick.start("--jobs", "2")
    painted.quick.await_attempts(3)
    assert sorted(painted.started) == ["dcgan", "one", "two"]
    painted.quick.await_line(process, "real/8901: ok", 2)
    painted.quick.let("enough")
    done = painted.quick.end(process)
    assert done.returncode == 0, done.stderr
    assert "another run" not in done.stdout
    assert sorted(painted.started[3:]) == ["one", "two"]
    assert set(painted.statuses.values()) == {"ok"}
    assert painted.quick.leftovers == []


def test_cells_fail_and_are_retried_with_their_generator(painted: Painted) -> None:
    """With --fail-fast they stay pending; the next run reports their failure and repeats nothing."""
    painted.script("failed=diverged", "ok")
    first = painted.quick.run("--fail-fast")
    assert first.returncode == 1
    assert painted.started == ["dcgan"]
    assert set(painted.statuses.values()) == {"diverged", "pending"}
    done = painted.quick.run()
    assert done.returncode == 1
    assert "2 of 4 cells ok" in done.stdout
    lost = {name: kind for name, kind in painted.statuses.items() if kind != "ok"}
    assert lost == {NAME: "diverged", "one/half/8901": "diverged", "two/half/8901": "diverged"}
    told = next(cell.message for cell in painted.read.cells if cell.arm == "half")
    assert told == f"its generator {NAME} failed: as told: diverged"
    assert painted.started == ["dcgan", "one", "two"]
    retried = painted.quick.run("--retry-failed")
    assert retried.returncode == 0, retried.stdout
    assert painted.started[3:] == ["dcgan", "one", "two"]
    assert set(painted.statuses.values()) == {"ok"}


def test_killed_generator_is_tried_again_before_its_cells(painted: Painted) -> None:
    painted.script("killed", "ok")
    done = painted.quick.run()
    assert done.returncode == 0, done.stderr
    assert f"{NAME}: crashed" in done.stdout
    assert painted.started == ["dcgan", "dcgan", "one", "two", "one", "two"]


def test_two_runs_train_a_generator_once_and_report_waiting(painted: Painted) -> None:
    painted.script("until=enough ok")
    first = painted.quick.start()
    painted.quick.await_attempts(1)
    second = painted.quick.start()
    painted.quick.await_line(second, "3 cell(s) are left, which another run is working on: waiting for it")
    painted.quick.let("enough")
    for process in (first, second):
        assert painted.quick.end(process).returncode == 0
    assert sorted(painted.started) == ["dcgan", "one", "one", "two", "two"]
    assert set(painted.statuses.values()) == {"ok"}


def test_testing_saved_weights_needs_no_generator(painted: Painted) -> None:
    painted.script("failed=diverged")
    saved = painted.quick.folder / "models"
    saved.mkdir()
    for name in ("one", "two"):
        for arm in ("real", "half"):
            for checkpoint in ("best", "final"):
                (saved / f"{name}-{arm}-8901-{checkpoint}.weights.h5").touch()
    done = painted.quick.run("-o", "-m", "models")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(painted.started) == ["one", "one", "two", "two"]


def test_ctrl_c_leaves_a_generator_and_its_cells_pending(painted: Painted) -> None:
    import signal

    painted.script("epoch=1 until=never ok")
    process = painted.quick.start("--jobs", "2")
    painted.quick.await_line(process, f"{NAME}: epoch 1/9")
    process.send_signal(signal.SIGINT)
    assert painted.quick.end(process).returncode == 130
    assert painted.statuses[NAME] == "pending"
    assert painted.statuses["one/half/8901"] == "pending"
    painted.quick.let("never")
    done = painted.quick.run()
    assert done.returncode == 0, done.stderr
    assert set(painted.statuses.values()) == {"ok"}


def test_runs_of_generators_belong_to_the_plan_for_gc_merge_and_force(painted: Painted, tmp_path: Path) -> None:
    from benchmarker.maintenance.gc import find_garbage
    from benchmarker.maintenance.merge import merge_studies

    painted.script("ok")
    assert painted.quick.run().returncode == 0
    assert find_garbage([painted.quick.path], None, older_than=0).items == []
    merged = merge_studies([painted.quick.path], tmp_path / "joined")
    assert (merged.cells, merged.ok, merged.copied) == (4, 4, 5)
    joined = read_study(tmp_path / "joined")
    assert [cell.status for cell in joined.generators] == ["ok"]
    assert joined.notes == ()
    assert painted.quick.run("--force").returncode == 0
    assert painted.started == ["dcgan", "one", "two", "one", "two"] * 2
