"""Users without a home folder, with one that cannot be written, and paths below that of an unknown user."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarker import ConfigurationError, expand_user
from benchmarker.cli import main
from benchmarker.paths import cache_folder
from benchmarker.results.study_results import find_prepared


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom the system does not know, as in containers."""

    def unknown(_user: object) -> None:
        raise KeyError("uid not found")

    for name in ("HOME", "XDG_CACHE_HOME", "BENCHMARKER_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)


@pytest.mark.usefixtures("homeless")
def test_cache_of_a_user_without_a_home_folder_is_refused(
    registry: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigurationError, match="set HOME, or set BENCHMARKER_CACHE"):
        cache_folder()
    assert find_prepared("0" * 64) is None
    assert main(["run", str(registry()), "-p", str(tmp_path / "study")]) == 2
    assert "set BENCHMARKER_CACHE" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


@pytest.mark.usefixtures("homeless")
def test_user_without_a_home_folder_gets_one_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARKER_CACHE", str(tmp_path / "cache"))
    assert main(["list", "registries"]) == 0
    assert Path.home() == tmp_path / "cache" / "home"


@pytest.mark.parametrize("place", ["/dev/null", "/proc/nothing"])
def test_cache_in_a_home_folder_that_cannot_be_written_names_the_variable(
    place: str, registry: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name in ("XDG_CACHE_HOME", "BENCHMARKER_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", place)
    assert main(["run", str(registry()), "-p", str(tmp_path / "study")]) == 1
    error = capsys.readouterr().err
    assert place in error
    assert "BENCHMARKER_CACHE" in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "{registry}", "-p", "{path}"],
        ["run", "{registry}", "-m", "{path}"],
        ["run", "{registry}", "-d", "{path}"],
        ["run", "{bad}"],
        ["validate", "{bad}"],
        ["compare", "{path}", "{path}:a"],
        ["export", "{path}", "--to", "tensorboard", "--out", "x"],
        ["gc", "{path}"],
        ["power", "{path}"],
        ["inclination", "compress", "-i", "{path}"],
    ],
)
def test_paths_of_unknown_users_are_refused_in_one_sentence(
    arguments: list[str], registry: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    names = {"registry": registry(), "path": "~no-such-user/folder"}
    names["bad"] = registry("bad.yaml", dataset={"name": "fits-manifest", "path": "~no-such-user/folder"})
    assert main([argument.format(**names) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert "~no-such-user/folder: there is no user 'no-such-user'" in error
    assert "internal error" not in error
    assert {path.name for path in tmp_path.iterdir()} == {"tiny.yaml", "bad.yaml"}


def test_path_whose_own_name_begins_with_a_tilde_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~no-such-user").mkdir()
    assert expand_user("~no-such-user") == Path("~no-such-user")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expand_user("~/x") == tmp_path / "x"
