"""The digest of a generator's code: what it covers and what it ignores."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarker import Architecture
from benchmarker.digests import digest_code, digest_file, digest_json
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


@pytest.mark.parametrize(
    ("builder", "importing", "beside"),
    [
        ("sky_lone:build", "sky_lone.py", "from sky_blocks import layers"),
        ("sky_lone:build", "sky_lone.py", "def late():\n    import sky_blocks.layers"),
        ("sky_gan.nets.build:build", "sky_gan/losses.py", "import sky_blocks as blocks"),
        ("sky_shared.net:build", "sky_shared/net.py", "from . import sky_blocks"),
        ("sky_shared.net:build", "sky_shared/net.py", "from .sky_blocks import layers"),
        ("sky_shared.net:build", "sky_shared/net.py", "from sky_shared.sky_blocks import layers"),
        ("sky_shared.net:build", "sky_shared/net.py", "from sky_shared import sky_blocks"),
    ],
)
@pytest.mark.parametrize("package", [True, False])
def test_code_digest_covers_modules_beside_it_that_it_imports(
    builder: str, importing: str, beside: str, package: bool, site: Path
) -> None:
    """A network whose layers are in another file of the same distribution changes with that file."""
    folder = site / "sky_shared" if builder.startswith("sky_shared") else site
    blocks = folder / ("sky_blocks/layers.py" if package else "sky_blocks.py")
    blocks.parent.mkdir(exist_ok=True)
    if package:
        (blocks.parent / "__init__.py").write_text("")
    blocks.write_text("import sky_deep\nfrom sky_shared import sky_deep\n")
    deep = folder / "sky_deep.py"
    deep.write_text("width = 1")
    (site / importing).write_text(beside)
    (folder / "sky_other.py").write_text("")
    before = digest_code(builder)
    for file, changed in ((blocks, True), (deep, True), (folder / "sky_other.py", False)):
        file.write_text(file.read_text() + "\nedited = True")
        assert (digest_code(builder) != before) is changed, file
        before = digest_code(builder)


def test_code_digest_leaves_out_what_other_distributions_bring(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "sky_lone.py").write_text("import sky_blocks")
    (site / "sky_blocks.py").write_text("width = 1")
    for owners, changed in (
        ({"sky_blocks": ["numerics"]}, False),
        ({"sky_blocks": ["numerics"], "sky_lone": ["sky"]}, False),
        ({"sky_blocks": ["sky"], "sky_lone": ["sky"]}, True),
        ({}, True),
    ):
        monkeypatch.setattr("benchmarker.siblings._owners", lambda owners=owners: owners)
        before = digest_code("sky_lone:build")
        (site / "sky_blocks.py").write_text((site / "sky_blocks.py").read_text() + "#")
        assert (digest_code("sky_lone:build") != before) is changed


def test_code_digest_of_a_module_that_cannot_be_parsed_is_that_of_its_file(site: Path) -> None:
    (site / "sky_lone.py").write_text("import sky_blocks\nthis is no Python")
    (site / "sky_blocks.py").write_text("width = 1")
    assert digest_code("sky_lone:build") == digest_json({"sky_lone.py": digest_file(site / "sky_lone.py")})


def test_code_digest_is_that_of_every_file_by_its_path(site: Path) -> None:
    names = ("__init__.py", "nets/__init__.py", "nets/build.py", "losses.py")
    expected = {name: digest_file(site / "sky_gan" / name) for name in names}
    assert digest_code("sky_gan.nets.build:build") == digest_json(expected)


def test_code_digest_of_modules_made_in_memory(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have no files; a package that was made in memory may have modules that do."""
    module = types.ModuleType("sky_memory")
    monkeypatch.setitem(sys.modules, "sky_memory", module)
    assert digest_code("sky_memory:build") == digest_json({})
    module.__path__ = [str(site / "sky_gan")]
    assert digest_code("sky_memory.losses:build") == digest_json({"losses.py": digest_file(site / "sky_gan/losses.py")})


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
