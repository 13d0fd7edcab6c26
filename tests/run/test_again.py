"""A study can be made again from what it keeps: the registry as it was run, and the command that reports print."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarker import open_results
from benchmarker.audit.audit import _check_registry
from benchmarker.cli.progress import PlainObserver
from benchmarker.discovery import installed
from benchmarker.registry import load_registry
from benchmarker.results.study import read_study
from benchmarker.run.prepare import prepare_study
from benchmarker.study.plan import read_plan
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
