"""A pipe where a file should be: told of, not waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarker import ConfigurationError, DataError, Download
from benchmarker.cli import main
from benchmarker.data.downloads import user_file
from benchmarker.data.prepared import Context
from benchmarker.discovery import installed
from benchmarker.errors import RegistryError
from benchmarker.paths import reading_problem
from benchmarker.registry import Overrides, check_registry, load_registry, validated_options
from benchmarker_radio.fits_manifest import load

pytestmark = pytest.mark.timeout(60)  # opening a pipe that nobody writes to waits for ever

TOLD = "is not a regular file, but a pipe, a socket or a device: copy its contents into a file"
DOWNLOAD = Download(filename="images.zip", urls=("https://localhost/images.zip",), checksum=f"sha256:{'0' * 64}")
REGISTRY = (
    "dataset: {{name: fits-manifest, path: {path}}}\nmodels: [{{architecture: conv4, learning_rate: 1, epochs: 1}}]\n"
)


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_what_can_be_read_and_what_cannot(pipe: Path) -> None:
    (pipe.parent / "link").symlink_to(pipe)
    (pipe.parent / "nothing").symlink_to("nowhere")
    assert not reading_problem(pipe.parent)
    assert not reading_problem(Path(__file__))
    assert reading_problem(pipe) == f"{pipe} {TOLD}"
    assert reading_problem(pipe.parent / "link") == f"{pipe.parent}/link {TOLD}"
    assert reading_problem(Path("nothing")) == "no such file or folder: nothing"


def test_as_registry(pipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RegistryError) as caught:
        load_registry(Path("pipe"))
    assert caught.value.problems == (f"pipe {TOLD}",)
    assert main(["validate", str(pipe)]) != 0
    assert f"{pipe} {TOLD}" in capsys.readouterr().err


def test_as_images_of_a_registry(pipe: Path) -> None:
    Path("mine.yaml").write_text(REGISTRY.format(path="pipe"), encoding="utf-8")
    with pytest.raises(RegistryError) as caught:
        check_registry(load_registry("mine.yaml"), installed())
    assert caught.value.problems == (f"mine.yaml:1:38: {pipe} {TOLD}",)


def test_as_images_on_the_command_line(pipe: Path) -> None:
    Path("mine.yaml").write_text(REGISTRY.format(path="."), encoding="utf-8")
    with pytest.raises(RegistryError) as caught:
        load_registry("mine.yaml", Overrides(data=Path("pipe")))
    assert caught.value.problems == (f"-d/--data: pipe {TOLD}",)
    assert pipe.is_fifo()


def test_in_place_of_a_download(pipe: Path) -> None:
    with pytest.raises(DataError, match="is not a regular file"):
        user_file(DOWNLOAD, pipe)


@pytest.mark.parametrize("name", ["manifest.csv", "mine.csv"])
def test_as_manifest(name: str, pipe: Path) -> None:
    pipe.rename(name)
    options = validated_options(installed().dataset("fits-manifest"), {"manifest": name})
    with pytest.raises(ConfigurationError, match=rf"the manifest .*{name} is not a regular file: correct `-f`"):
        load(options, Context(dataset="fits-manifest", path=Path.cwd()))  # type: ignore[arg-type]
