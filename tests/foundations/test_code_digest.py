"""The digest of a generator's code: what it covers and what it ignores."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarker import Architecture
from benchmarker.digests import digest_code
from benchmarker.errors import StorageError
from tests.registries import plugins_of

FILES = {
    "sky_gan/__init__.py": "",
    "sky_gan/nets/__init__.py": "",
    "sky_gan/nets/build.py": "def build(): ...",
    "sky_gan/losses.py": "STEEP = 1",
    "sky_lone.py": "def build(): ...",
    "sky_shared/gan/__init__.py": "def build(): ...",
    "sky_shared/other/__init__.py": "",
}
BUILDERS = ("sky_gan.nets.build:build", "sky_lone:build", "sky_shared.gan:build")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "site"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(folder)
    yield folder
    sys.modules.pop("sky_shared", None)  # a namespace is imported to be looked into
    importlib.invalidate_caches()


def digests() -> list[str]:
    importlib.invalidate_caches()
    return [digest_code(builder) for builder in BUILDERS]


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("sky_gan/losses.py", [True, False, False]),
        ("sky_gan/nets/deeper/new.py", [True, False, False]),
        ("sky_lone.py", [False, True, False]),
        ("sky_shared/gan/new.py", [False, False, True]),
        ("sky_shared/other/__init__.py", [False, False, False]),  # somebody else's, in a namespace that both share
        ("sky_gan/__pycache__/losses.cpython-311.pyc", [False, False, False]),
        ("sky_gan/README.md", [False, False, False]),
    ],
)
def test_code_digest_covers_the_package_of_the_builder(file: str, changed: list[bool], site: Path) -> None:
    before = digests()
    assert len(set(before)) == len(BUILDERS)
    (site / file).parent.mkdir(exist_ok=True)
    (site / file).write_text("STEEP = 2")
    assert [old != new for old, new in zip(before, digests(), strict=True)] == changed


def test_code_digest_ignores_place_and_time(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digests()
    elsewhere = Path(shutil.move(site, tmp_path / "elsewhere"))
    for path in elsewhere.rglob("*.py"):
        os.utime(path, (1, 1))
    monkeypatch.syspath_prepend(elsewhere)
    assert digests() == before


def test_code_digest_covers_names_of_files(site: Path) -> None:
    before = digests()
    (site / "sky_gan/losses.py").rename(site / "sky_gan/loss.py")
    assert digests() != before


def test_code_that_is_edited_while_it_is_loaded_is_refused(site: Path) -> None:
    """Otherwise the digest of the new code would stand for what the old one built."""
    plugins = plugins_of(Architecture(name="lone", builder="sky_lone:build", citation="none"))

    def load(text: str) -> str:
        with plugins.unedited([("architecture", "lone")]) as code:
            (site / "sky_lone.py").write_text(text)
        return code["architecture lone"].digest

    assert load(FILES["sky_lone.py"]) == digest_code("sky_lone:build")
    with pytest.raises(StorageError, match="the code of architecture lone was changed while it was loaded"):
        load("def build(): 'edited'")
