"""Plugins that end with ``sys.exit(0)`` or another `BaseException` have failed, wherever they do it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixture_plugins import install
from tests.registries import model, tiny, write_registry

if TYPE_CHECKING:
    from tests.conftest import CommandLine, StudyFiles

LEAVER = """
import sys

import click

from benchmarker import Architecture, Augmentation, Classification, Command, Dataset, Report, hookimpl


class Ended(BaseException):
    pass


@hookimpl
def benchmarker_register(registrar):
    registrar.architecture(Architecture(name="leaver", builder="leaver:leave", citation="none"))
    registrar.augmentation(Augmentation(name="ender", kind="transform", builder="leaver:end"))
    registrar.dataset(Dataset(name="leaving", loader="leaver:leave", licence="none", citation="none"))
    registrar.report(Report(name="leaves", renderer="leaver:leave", suffix=".txt"))
    registrar.report(Report(name="ends", renderer="leaver:end", suffix=".txt"))
    registrar.command(Command(name="leave", command="leaver:command"))
    registrar.command(Command(name="end", command="leaver:end_command"))


def leave(*arguments):
    sys.exit(0)


def end(*arguments):
    raise Ended("of its own accord")


@click.command()
def command():
    sys.exit(0)


@click.command()
def end_command():
    raise Ended("of its own accord")
"""


@pytest.fixture
def leaver(tmp_path: Path) -> dict[str, str]:
    """The environment in which the plugin is installed."""
    return {"PYTHONPATH": str(install(tmp_path / "site", "leaver", LEAVER))}


def test_loader_that_exits_fails_the_run(command_line: CommandLine, leaver: dict[str, str], tmp_path: Path) -> None:
    write_registry(tmp_path / "mine.yaml", dataset="leaving")
    done = command_line.run("run", "mine.yaml", cwd=tmp_path, env=leaver)
    assert done.returncode == 1
    assert "reading the dataset 'leaving' (leaver:leave) failed: SystemExit: 0" in done.stderr


@pytest.mark.parametrize(("name", "error"), [("leave", "SystemExit: 0"), ("end", "Ended: of its own accord")])
def test_command_that_exits_has_failed(
    name: str, error: str, command_line: CommandLine, leaver: dict[str, str], tmp_path: Path
) -> None:
    done = command_line.run(name, cwd=tmp_path, env=leaver)
    assert done.returncode == 1
    assert f"the command {name!r} of a plugin failed: {error}" in done.stderr
    assert "internal error" not in done.stderr


@pytest.mark.parametrize(("name", "error"), [("leaves", "SystemExit: 0"), ("ends", "Ended: of its own accord")])
def test_report_that_exits_has_failed(
    name: str, error: str, command_line: CommandLine, leaver: dict[str, str], study: StudyFiles
) -> None:
    study.finish(study.cell("convxpress", 1), 90)
    done = command_line.run("report", study.folder, "--format", name, cwd=study.folder, env=leaver)
    assert done.returncode == 1
    assert error in done.stderr
    assert not (study.folder / "report").exists()


@pytest.mark.long
def test_builder_and_transform_that_end_fail_their_cells(
    command_line: CommandLine, leaver: dict[str, str], fits_folder: Path, tmp_path: Path
) -> None:
    arms = [{"name": "ended", "augmentations": ["ender"]}]
    models = [model("leaver", learning_rate=0.01), model("mcrgnet", epochs=1)]
    write_registry(tmp_path / "mine.yaml", **tiny(fits_folder, models=models, arms=arms))
    done = command_line.run("run", "mine.yaml", "-p", "study", cwd=tmp_path, env=leaver)
    assert done.returncode == 1
    manifests = command_line.manifests(tmp_path / "study")
    for name, error in (("leaver", "SystemExit: 0"), ("mcrgnet", "Ended: of its own accord")):
        failed = manifests[name, "ended", 8901]
        assert (failed["status"], failed["kind"]) == ("failed", "plugin")
        assert error in failed["message"]
