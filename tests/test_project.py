"""The project as a whole: façade, packaging, continuous integration and examples in docstrings."""

from __future__ import annotations

import ast
import datetime
import doctest
import importlib.util
import inspect
import itertools
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import benchmarker
from tests.conftest import LONG

CHECKOUT = Path(__file__).resolve().parent.parent
SOURCE_ROOTS = [CHECKOUT / name for name in ("benchmarker", "plugins", "architectures", "reports")]
SOURCES = sorted(path for root in SOURCE_ROOTS for path in root.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


# The façade ----------------------------------------------------------------------------------------------------------


PUBLIC = dir(benchmarker)


def test_facade_has_the_names_of_its_stub() -> None:
    stub = (CHECKOUT / "benchmarker" / "__init__.pyi").read_text(encoding="utf-8")
    assert sorted(re.findall(r" as (\w+)$", stub, re.MULTILINE)) == PUBLIC
    assert {"Architecture", "Stream", "hookimpl"} <= set(PUBLIC)


def test_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="NoSuchName"):
        benchmarker.NoSuchName  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_can_be_imported_and_is_described(name: str) -> None:
    public = getattr(benchmarker, name)
    if not (inspect.isfunction(public) or inspect.isclass(public)):
        return
    description = inspect.getdoc(public) or ""
    assert description, f"{name} has no docstring"
    assert not description.startswith(f"{name}("), f"{name} has the docstring that dataclasses make up"
    if inspect.isclass(public):
        for method, function in inspect.getmembers(public, inspect.isfunction):
            if not method.startswith("_") and function.__module__.startswith("benchmarker"):
                assert inspect.getdoc(function), f"{name}.{method} has no docstring"


def test_importing_the_facade_imports_no_numerics() -> None:
    code = "import sys, benchmarker; print(sorted({'numpy', 'keras', 'tensorflow', 'astropy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Packaging -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(built: Path) -> list[str]:
    """The names of the files in the wheel."""
    with zipfile.ZipFile(built) as archive:
        return archive.namelist()


def test_wheel_works_from_any_folder(built: Path, tmp_path: Path) -> None:
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with zipfile.ZipFile(built) as archive:
        archive.extractall(site)
    command = [sys.executable, "-P", "-m", "benchmarker"]
    environment = {**os.environ, "PYTHONPATH": str(site)}  # comes before the checkout
    listed, valid = (
        subprocess.run([*command, *words], cwd=elsewhere, env=environment, capture_output=True, text=True, check=True)
        for words in (["list"], ["validate", "becker2021"])
    )
    assert str(site / "benchmarker" / "registries" / "quickstart.yaml") in listed.stdout
    (architectures,) = re.findall(r"^Architectures \((\d+)\)$", listed.stdout, re.MULTILINE)
    assert int(architectures) >= 15
    assert "Broken" not in listed.stdout
    assert "45 cells" in valid.stdout


def test_wheel_contains_only_our_packages(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    folders = {path.parent for path in SOURCES if path.name == "__init__.py" and path.parent.parent in SOURCE_ROOTS[1:]}
    packages = {folder.name for folder in folders} | {"benchmarker"}
    assert all(package.startswith("benchmarker") for package in packages)
    assert tops == packages | {f"galaxy_benchmarker-{benchmarker.__version__}.dist-info"}
    assert "benchmarker/py.typed" in wheel
    assert not [name for name in wheel if re.match(r"test_|conftest|.*_test\.py", Path(name).name)]


def test_wheel_contains_every_source_file_and_registry(wheel: list[str]) -> None:
    modules = {path.relative_to(root if root.name != "benchmarker" else CHECKOUT) for root in SOURCE_ROOTS
               for path in root.rglob("*.py")}  # fmt: skip
    assert {path.as_posix() for path in modules} <= set(wheel)
    registries = {f"benchmarker/registries/{path.name}" for path in (CHECKOUT / "registries").glob("*.yaml")}
    assert registries
    assert registries <= set(wheel)


def test_constraints_are_exact_and_contain_no_path() -> None:
    lines = (CHECKOUT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) > 50
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", pin)] == []
    names = {pin.split("==")[0].lower() for pin in pins}
    assert {"keras", "tensorflow", "numpy", "pytest", "ruff", "mypy"} <= names


def test_lock_has_hashes_and_the_pins_of_constraints() -> None:
    pins = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)
    lock = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8")
    locked, constrained = (
        {canonicalize_name(name): version for name, version in pins.findall(text)}
        for text in (lock, (CHECKOUT / "constraints.txt").read_text(encoding="utf-8"))
    )
    assert {name: version for name, version in locked.items() if name != "setuptools"} == constrained, (
        "run: make constraints"
    )
    entries = re.split(r"^(?=[A-Za-z])", lock, flags=re.MULTILINE)[1:]
    assert len(entries) == len(locked)
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_lock_pins_everything_that_the_project_asks_for() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    lists = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    wanted = [Requirement(line) for line in (*itertools.chain(*lists), *project["dependency-groups"]["dev"])]
    lock = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8")
    locked = {canonicalize_name(name): version for name, version in re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", lock)}
    for requirement in wanted:
        if requirement.name != "galaxy-benchmarker":
            version = locked.get(canonicalize_name(requirement.name))
            assert version, f"{requirement.name} is not in requirements.lock; run: make constraints"
            assert requirement.specifier.contains(version, prereleases=True), requirement


def test_page_of_licences_is_that_of_the_pinned_packages() -> None:
    spec = importlib.util.spec_from_file_location("licences", CHECKOUT / "docs" / "licences.py")
    assert spec
    assert spec.loader
    licences = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(licences)
    text = (CHECKOUT / "docs" / "reference" / "licences.md").read_text(encoding="utf-8")
    written = {line.split(" | ")[0].removeprefix("| "): line for line in text.splitlines() if line.startswith("| ")}
    written.pop("package")
    rows = licences.rows()
    assert written.keys() == rows.keys(), "run: make licences"
    # A package that this version of Python does not need is not installed.
    assert [row for name, row in rows.items() if licences.UNKNOWN not in row and row != written[name]] == []


def targets() -> set[str]:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def make(*arguments: str) -> list[str]:
    """Return the lines that make prints."""
    command = ["make", "--no-print-directory", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_files_that_tests_begin_with_exist() -> None:
    assert [name for name in LONG if not (CHECKOUT / "tests" / name).is_file()] == []


def test_make_has_the_documented_targets() -> None:
    assert {"help", "install", "quickstart", "test", "lint", "docs", "bench", "constraints", "clean"} <= targets()
    assert {line.split()[1] for line in make()} == targets()


def test_make_quickstart_runs_the_documented_command() -> None:
    assert make("-n", "quickstart")[-1] == ".venv/bin/python quickstart.py -a registries/quickstart.yaml -s 8901"


def test_continuous_integration_runs_lint_tests_docs_and_quickstart() -> None:
    script = CHECKOUT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    steps = re.findall(r"^step make (\S+)$", script.read_text(encoding="utf-8"), re.MULTILINE)
    assert steps == ["lint", "test", "test-long", "test-pages", "test-clusters", "docs", "quickstart"]


def test_pre_commit_runs_the_programs_of_lint_and_downloads_nothing() -> None:
    (repository,) = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local"
    hooks = {hook["entry"].split()[0]: hook["entry"] for hook in repository["hooks"]}
    lint = [line for line in make("-n", "-o", ".venv/.installed", "lint") if line.startswith(".venv/bin/")]
    assert hooks.keys() == {line.split()[0] for line in lint}
    assert hooks[".venv/bin/mypy"] in lint


# Citation and changelog ----------------------------------------------------------------------------------------------

RELEASES = re.findall(
    r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$",
    (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def test_changelog_has_dated_versions_with_the_newest_first() -> None:
    versions = [tuple(map(int, version.split("."))) for version, _ in RELEASES]
    assert versions == sorted(set(versions), reverse=True)
    dates = [datetime.date.fromisoformat(day) for _, day in RELEASES]
    assert dates == sorted(dates, reverse=True)
    assert RELEASES[0][0] == benchmarker.__version__


# What schema 1.2.0 of the Citation File Format requires and allows at the top level.
CFF_REQUIRED = {"authors", "cff-version", "message", "title"}
CFF_OPTIONAL = {
    "abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license", "license-url",
    "preferred-citation", "references", "repository", "repository-artifact", "repository-code", "type", "url",
    "version",
}  # fmt: skip


def test_citation_file_is_valid_and_names_this_release() -> None:
    citation = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation.keys() >= CFF_REQUIRED
    assert citation.keys() <= CFF_REQUIRED | CFF_OPTIONAL
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] in {"software", "dataset"}
    assert citation["license"] == "MIT"
    for author in citation["authors"]:
        assert author.keys() <= {"name", "family-names", "given-names", "affiliation", "orcid", "email", "website"}
        assert author.get("name") or author.get("family-names")
    for key in ("message", "title", "abstract", "version"):
        assert isinstance(citation[key], str)
        assert citation[key].strip()
    assert len(set(citation["keywords"])) == len(citation["keywords"])
    assert all(isinstance(keyword, str) for keyword in citation["keywords"])
    assert (citation["version"], str(citation["date-released"])) == RELEASES[0]


@pytest.mark.parametrize("path", [path for path in SOURCES if ">>>" in path.read_text(encoding="utf-8")], ids=name_of)
def test_examples_in_docstrings_run(path: Path) -> None:
    root = next(root for root in SOURCE_ROOTS if path.is_relative_to(root))
    relative = path.relative_to(CHECKOUT if root.name == "benchmarker" else root).with_suffix("")
    module = importlib.import_module(".".join(relative.parts))
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0


# Rules that no linter checks -----------------------------------------------------------------------------------------


def test_core_names_no_plugin() -> None:
    from benchmarker.discovery import installed

    kinds = ("architecture", "augmentation", "dataset", "generator")
    names = {registered.plugin.name for kind in kinds for registered in installed().all(kind)} - {"mnist"}  # -X, too
    for path in (path for path in SOURCES if path.is_relative_to(CHECKOUT / "benchmarker")):
        found = {node.value for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Constant)}
        assert not names & {each for each in found if isinstance(each, str)}, path


def _audit_dependencies(tools: Path, pypi: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "audit-dependencies", f"TOOLS={tools}", f"PYPI={pypi}", f"PYTHON={sys.executable}"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_dependencies_are_not_called_sound_where_nobody_can_be_asked(tmp_path: Path) -> None:
    done = _audit_dependencies(tmp_path, "http://127.0.0.1:9/pip/json")
    assert done.returncode != 0
    told = [line for line in done.stderr.splitlines() if not line.startswith(("make: ", "make["))]
    assert len(told) == 1
    assert "http://127.0.0.1:9/pip/json cannot be read from here, so nothing was checked" in told[0]


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 2)])
def test_known_vulnerabilities_of_dependencies_are_an_error(code: int, expected: int, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "pip-audit"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho $*\nexit {code}\n", encoding="utf-8")
    program.chmod(0o755)
    done = _audit_dependencies(tmp_path, (CHECKOUT / "pyproject.toml").as_uri())
    assert done.returncode == expected
    assert "--requirement requirements.lock" in done.stdout
