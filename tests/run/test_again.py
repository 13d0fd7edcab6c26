"""A study can be made again from what it keeps: the registry as it was run, and the command that reports print."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from benchmarker import open_results
from benchmarker.audit.audit import _check_registry
from benchmarker.cli import main
from benchmarker.cli.progress import PlainObserver
from benchmarker.discovery import installed
from benchmarker.registry import Overrides, load_registry
from benchmarker.results.study import read_study
from benchmarker.run.prepare import prepare_study
from benchmarker.study.plan import EarlierRegistry, read_plan
from tests.registries import model


def _keys(study: Path) -> list[str]:
    plan = read_plan(study)
    assert plan is not None
    return sorted(cell.key for cell in plan.cells)


def test_the_printed_command_makes_the_same_cells(tmp_path: Path, registry: Callable[..., Path]) -> None:
    """Options of the command line are part of the study's registry, and the command is quoted for a shell."""
    worker = Path(__file__).with_name("quick_worker.py")
    program = tmp_path / "benchmarker"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "{worker}" "$@"\n')
    program.chmod(0o755)
    (tmp_path / "script.json").write_text("{}")
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "QUICK_WORKER": str(tmp_path), "NO_COLOR": "1"}

    def shell(command: str, folder: Path) -> None:
        done = subprocess.run(
            ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    registry("my list.yaml", arms=["rotations"], models=[model(name="a, b; c")])
    shell("benchmarker run 'my list.yaml' -s 1,2 -t 7 -v 2 -i 20 -r 90 -p \"it's mine\"", tmp_path)
    study = tmp_path / "it's mine"
    (command,) = (each for each in open_results(study).commands if " run " in each)
    (tmp_path / "my list.yaml").unlink()
    shell(command, study)
    assert _keys(study / "again") == _keys(study)
    assert len(_keys(study)) == 2


class Grown:
    """Plans registries one after the other in one folder, and again by the commands that it prints."""

    def __init__(self, folder: Path, registry: Callable[..., Path]) -> None:
        self.study = folder / "study"
        self._registry = registry

    def plan(self, *seeds: int, into: Path | None = None, path: Path | None = None, **parts: Any) -> list[str]:
        """Plan a registry, which may be one that is there; return the keys of all cells of the study."""
        study = into or self.study
        study.mkdir(exist_ok=True)
        loaded = load_registry(path or self._registry(**parts), Overrides(seeds=seeds))
        prepare_study(
            loaded, study, observer=PlainObserver(), plugins=installed(), offline=True, open_folder=lambda: None
        )
        return _keys(study)

    def again(self, study: Path, into: Path) -> list[str]:
        """Return the keys of a study that the commands of another one make."""
        keys: list[str] = []
        for command in (each for each in open_results(study).commands if " run " in each):
            _, _, _, name, *options = shlex.split(command)
            given = dict(zip(options[::2], options[1::2], strict=True))
            keys = self.plan(*map(int, given["-s"].split(",")), into=into, path=study / name)
        return keys


@pytest.fixture
def grown(tmp_path: Path, registry: Callable[..., Path]) -> Grown:
    return Grown(tmp_path, registry)


def test_study_of_several_registries_prints_a_command_for_each(grown: Grown, tmp_path: Path) -> None:
    """Each registry makes its own cells under its own seeds; one that makes nothing else is not kept."""
    grown.plan(1)
    grown.plan(1, 2)
    grown.plan(3, models=[model("simple_net")])
    keys = grown.plan(4, 5, models=[model("atlas")], arms=["rotations"])
    assert len(keys) == 2 + 1 + 2
    assert grown.again(grown.study, tmp_path / "again") == keys
    plan = read_plan(grown.study)
    assert plan is not None
    assert len(plan.earlier) == 2
    assert not list(_check_registry(read_study(grown.study)))
    first = grown.study / plan.earlier[0].copy_name
    first.write_bytes(first.read_bytes() + b"#")
    assert [finding.file for finding in _check_registry(read_study(grown.study))] == [first.name]


def test_registry_whose_cells_the_last_one_makes_is_not_kept(grown: Grown) -> None:
    grown.plan(1)
    grown.plan(3, models=[model("simple_net")])
    grown.plan(1, 3, models=[model(), model("simple_net")])
    plan = read_plan(grown.study)
    assert plan is not None
    assert plan.earlier == ()
    assert "earlier" not in plan.to_json()
    assert len([each for each in open_results(grown.study).commands if " run " in each]) == 1


def test_merged_study_prints_a_command_for_each_registry(grown: Grown, tmp_path: Path) -> None:
    grown.plan(1, 2)
    other = tmp_path / "other"
    grown.plan(2, 3, into=other, models=[model(), model("simple_net")])
    into = tmp_path / "merged"
    assert main(["merge", str(grown.study), str(other), "--into", str(into)]) == 0
    keys = _keys(into)
    assert len(keys) == 3 + 2
    assert set(grown.again(into, tmp_path / "again")) >= set(keys)


@pytest.mark.parametrize("sha256", ["../../etc", "a" * 63, "A" * 64, "/" * 64])
def test_name_of_an_earlier_registry_leads_nowhere_else(sha256: str) -> None:
    with pytest.raises(ValidationError, match="sha256"):
        EarlierRegistry(name="a.yaml", sha256=sha256, configurations=())


def test_a_registry_that_changes_while_data_are_prepared_is_kept_as_it_was_read(
    registry: Callable[..., Path], tmp_path: Path
) -> None:
    path = registry()
    content = path.read_bytes()
    loaded = load_registry(path)
    path.unlink()
    study = tmp_path / "study"
    prepare_study(loaded, study, observer=PlainObserver(), plugins=installed(), offline=True, open_folder=study.mkdir)
    assert (study / "registry.yaml").read_bytes() == content
    assert not list(_check_registry(read_study(study)))
