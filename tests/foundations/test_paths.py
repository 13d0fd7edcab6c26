"""A named pipe given as input is an error; opening it would block."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarker import ConfigurationError, DataError, Download
from benchmarker.cli import main
from benchmarker.data.downloads import user_file
from benchmarker.data.loading import Context
from benchmarker.discovery import installed
from benchmarker.errors import RegistryError
from benchmarker.paths import reading_problem
from benchmarker.registry import load_registry, validated_options
from benchmarker_radio.fits_manifest import load
from tests.registries import problems, registry_yaml, says

pytestmark = pytest.mark.timeout(60)  # opening a pipe without a writer blocks for ever

NOT_A_FILE = "is not a regular file, but a pipe, a socket or a device"
DOWNLOAD = Download(filename="images.zip", urls=("https://localhost/images.zip",), checksum=f"sha256:{'0' * 64}")


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_reading_problem_is_empty_only_for_files_and_folders(pipe: Path) -> None:
    (pipe.parent / "link").symlink_to(pipe)
    (pipe.parent / "nothing").symlink_to("nowhere")
    assert not reading_problem(pipe.parent)
    assert not reading_problem(Path(__file__))
    assert reading_problem(pipe).startswith(f"{pipe} {NOT_A_FILE}")
    assert reading_problem(pipe.parent / "link").startswith(f"{pipe.parent}/link {NOT_A_FILE}")
    assert reading_problem(Path("nothing")) == "no such file or folder: nothing"


def test_pipe_as_registry_is_refused(pipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RegistryError) as caught:
        load_registry(Path("pipe"))
    [problem] = caught.value.problems
    assert problem.startswith(f"pipe {NOT_A_FILE}")
    assert main(["validate", str(pipe)]) != 0
    assert f"{pipe} {NOT_A_FILE}" in capsys.readouterr().err


def test_pipe_as_images_of_a_registry_is_refused(pipe: Path) -> None:
    text = registry_yaml(dataset={"name": "fits-manifest", "path": "pipe"})
    [problem] = problems(text, plugins=installed())
    assert says(problem, "mine.yaml:1:44", f"{pipe} {NOT_A_FILE}")


def test_pipe_as_images_on_the_command_line_is_refused(pipe: Path) -> None:
    text = registry_yaml(dataset={"name": "fits-manifest", "path": "."})
    [problem] = problems(text, data=Path("pipe"))
    assert says(problem, "-d/--data", f"pipe {NOT_A_FILE}")
    assert pipe.is_fifo()


def test_pipe_in_place_of_a_download_is_refused(pipe: Path) -> None:
    with pytest.raises(DataError, match="is not a regular file"):
        user_file(DOWNLOAD, pipe)


@pytest.mark.parametrize("name", ["manifest.csv", "mine.csv"])
def test_pipe_as_manifest_is_refused(name: str, pipe: Path) -> None:
    pipe.rename(name)
    options = validated_options(installed().dataset("fits-manifest"), {"manifest": name})
    with pytest.raises(ConfigurationError, match=rf"the manifest .*{name} is not a regular file: correct `-f`"):
        load(options, Context(dataset="fits-manifest", path=Path.cwd()))  # type: ignore[arg-type]
