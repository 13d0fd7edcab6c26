"""The fingerprint covers all that may change bits, and nothing that a run does not use."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

from benchmarker import backends
from benchmarker._version import __version__
from benchmarker.discovery import PluginCode
from benchmarker.study import fingerprint as module
from benchmarker.study.fingerprint import Fingerprint, fingerprint

PLUGINS = {
    "architecture dot": PluginCode(distribution="somebody 1.0", digest="1" * 64),
    "dataset sky": PluginCode(distribution="another 2.0", digest="2" * 64),
}


class Backend:
    """What a backend says about itself, without being imported."""

    def describe(self) -> dict[str, Any]:
        return {"version": "2.21.0", "devices": ("CPU:0",), "onednn": "1", "op_determinism": True}


@pytest.fixture(autouse=True)
def _described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "load", lambda _name: Backend())


def taken(backend: str = "tensorflow", **changes: Any) -> Fingerprint:
    settings: dict[str, Any] = {"threads": 2, "precision": "float32", "plugins": PLUGINS}
    return fingerprint(backend, **settings | changes)


def test_fingerprint_names_program_machine_and_settings() -> None:
    found = taken()
    assert (found.benchmarker, found.python) == (__version__, platform.python_version())
    assert (found.system, found.machine) == (platform.system(), platform.machine())
    assert (found.threads, found.precision) == (2, "float32")
    assert found.backend.to_json() == {
        "name": "tensorflow",
        "version": "2.21.0",
        "devices": ["CPU:0"],
        "onednn": "1",
        "op_determinism": True,
    }


def test_seeds_in_one_program_are_in_the_environment_but_not_in_that_of_drawn_images() -> None:
    """Without them nothing changes, so that samples of earlier studies are found again."""
    alone, together = taken("jax"), taken("jax", seeds_at_once=4)
    assert together.environment == alone.environment | {"seeds_at_once": 4}
    assert together.own_process == alone.own_process == alone.environment
    assert taken("jax", threads=1).own_process != alone.own_process


def test_fingerprint_names_distribution_and_code_of_plugins() -> None:
    found = taken()
    assert found.plugins == {"architecture dot": "somebody 1.0", "dataset sky": "another 2.0"}
    assert found.code == {"architecture dot": "1" * 64, "dataset sky": "2" * 64}


@pytest.mark.parametrize(
    ("backend", "own", "other"), [("tensorflow", "tensorflow", "jax"), ("jax", "jax", "tensorflow")]
)
def test_fingerprint_has_the_packages_of_its_own_backend(backend: str, own: str, other: str) -> None:
    packages = taken(backend).packages
    assert packages[own] == version(own)
    assert packages["numpy"] == version("numpy")
    assert other not in packages


def test_package_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_pillow(package: str) -> str:
        if package == "pillow":
            raise PackageNotFoundError(package)
        return version(package)

    expected = {name: number for name, number in taken().packages.items() if name != "pillow"}
    monkeypatch.setattr(module, "version", without_pillow)
    assert taken().packages == expected


def test_environment_lacks_plugins_and_their_code_only() -> None:
    written = taken().to_json()
    assert taken().environment == {name: value for name, value in written.items() if name not in {"plugins", "code"}}
    assert taken(plugins={}).environment == taken().environment


@pytest.mark.parametrize(
    "change",
    [
        {"threads": 1},
        {"precision": "mixed_bfloat16"},
        {"plugins": PLUGINS | {"dataset sky": PluginCode(distribution="another 2.0", digest="3" * 64)}},
        {"plugins": PLUGINS | {"dataset sky": PluginCode(distribution="another 2.1", digest="2" * 64)}},
    ],
    ids=["threads", "precision", "code", "distribution"],
)
def test_digest_depends_on_every_setting(change: dict[str, Any]) -> None:
    assert taken(**change).digest != taken().digest == taken().digest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 sse4_2 fma avx\nbugs\t: avx512f\n", ("sse4_2", "avx", "avx2", "fma")),
        ("processor\t: 0\nFeatures\t: fp asimd sve bf16\n", ("asimd", "sve", "bf16")),
        ("flags : avx\nflags : avx avx2\n", ("avx",)),
        ("vmx flags : avx\nmodel name : avx2\n", ()),
        ("", ()),
        (None, ()),
    ],
    ids=["x86", "arm", "first processor", "other lines", "empty", "no such file"],
)
def test_instruction_sets_are_those_of_the_processor(
    text: str | None, expected: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpuinfo"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(module, "Path", lambda _path: file)
    assert taken().isa == expected
