"""What documents promise: their links, names, commands, examples and registries exist and work."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from benchmarker.cli.entry import cli
from benchmarker.cli.run_command import quickstart_command
from benchmarker.contracts.plugins import KINDS

CHECKOUT = Path(__file__).resolve().parent.parent.parent
DOCS = CHECKOUT / "docs"
DOCUMENTS = sorted(
    path
    for path in (*CHECKOUT.glob("*.md"), *DOCS.rglob("*.md"), *(CHECKOUT / "examples").rglob("*.md"))
    if "generated" not in path.parts
)
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))

TUTORIALS = DOCS / "tutorials"  # their code and registries belong together: test_tutorials.py runs them

# Folders of the project, and packages in it, that documents name files and Python objects of.
FOLDERS = "architectures|benchmarker|benchmarks|containers|docs|examples|plugins|registries|reports|tests"
PACKAGES = "benchmarker(?:_[a-z]+)?"


def name_of(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


def blocks(path: Path, language: str) -> list[str]:
    """Return the fenced blocks of a document in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(path: Path) -> list[list[str]]:
    """Return the words of every command that a document shows in its console blocks."""
    text = "\n".join(blocks(path, "console")).replace("\\\n", " ")
    return [shlex.split(line, comments=True) for line in re.findall(r"^\$ (.*)$", text, re.MULTILINE)]


@pytest.fixture(scope="session")
def targets() -> set[str]:
    """The targets of the Makefile."""
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def test_every_plugin_kind_is_described() -> None:
    text = (DOCS / "reference" / "plugin_kinds.md").read_text(encoding="utf-8")
    assert [kind for kind in KINDS if not re.search(rf"^\| {kind}\b", text, re.MULTILINE)] == []


def test_decisions_are_numbered_and_complete() -> None:
    assert [path.name[:5] for path in DECISIONS] == [f"{k:04}-" for k in range(1, len(DECISIONS) + 1)]
    for number, path in enumerate(DECISIONS, start=1):
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {number}. "), name_of(path)
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"], name_of(path)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_to_files(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
        generated = "generated/" in target  # written when the site is built
        if not generated and not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{name_of(path)} links to {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_files_in_documents_exist(path: Path) -> None:
    for file in re.findall(rf"(?<![\w./-])((?:{FOLDERS})/[\w./-]+\.\w+)", path.read_text(encoding="utf-8")):
        assert (CHECKOUT / file).exists() or (path.parent / file).exists(), f"{name_of(path)} names {file}"


@pytest.mark.parametrize("path", sorted({*DOCUMENTS} - {*DECISIONS}), ids=name_of)  # decisions name what was rejected
def test_python_names_in_documents_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for name in set(re.findall(rf"(?<![\w./-])((?:{PACKAGES})(?:\.[a-zA-Z_]\w*)+)\b(?![/-])", text)):
        assert exists(name), f"{name_of(path)} names {name}"


def exists(name: str) -> bool:
    """Tell whether a dotted name is a module, or an object in one."""
    parts = name.split(".")
    if parts[-1] in {"py", "md", "yaml", "json"}:
        return bool(list(CHECKOUT.rglob(name)))
    if importlib.util.find_spec(parts[0]) is None:  # packages of examples are not installed
        return bool(list((CHECKOUT / "examples").rglob(parts[0])))
    found: object = importlib.import_module(parts[0])
    for depth, part in enumerate(parts[1:], start=2):
        if not hasattr(found, part) and hasattr(found, "__path__"):
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module(".".join(parts[:depth]))
        found = getattr(found, part, None)
    return found is not None


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if commands(path)], ids=name_of)
def test_commands_in_documents_exist(path: Path, targets: set[str]) -> None:
    for words in commands(path):
        if words[0] == "make":
            assert {word for word in words[1:] if "=" not in word} <= targets, words
        elif words[0] == "benchmarker":
            assert_options_exist(cli, words[1:])
        elif words[:2] == ["python", "quickstart.py"]:
            assert_options_exist(quickstart_command, words[2:])


def assert_options_exist(command: click.Command, words: list[str]) -> None:
    """Follow sub-commands, then check every option against those of the command."""
    context = click.Context(command)  # only to look up sub-commands
    while isinstance(command, click.Group) and words:
        find = getattr(command, "load", command.get_command)  # the program itself loads its commands late
        found: click.Command | None = find(context, words[0])
        assert found is not None, f"no command {words[0]!r}"
        command, words = found, words[1:]
    # Not `params`: `submit` also has the options of executors.
    parameters = command.get_params(click.Context(command, help_option_names=["-h", "--help"]))
    known = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
    used = {word.split("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)}
    assert used <= known | {"-h", "--help"}, (command.name, used - known)


@pytest.mark.parametrize(
    "path", [path for path in DOCUMENTS if blocks(path, "python") and path.parent != TUTORIALS], ids=name_of
)
def test_python_in_documents_runs(path: Path) -> None:
    for number, block in enumerate(blocks(path, "python")):
        name = f"{name_of(path)}[{number}]"
        if ">>>" in block:
            example = doctest.DocTestParser().get_doctest(block, {}, name, name_of(path), 0)
            assert doctest.DocTestRunner().run(example).failed == 0, name
        else:
            exec(compile(block, name, "exec"), {"__name__": "document"})  # noqa: S102 - our own documents


def test_network_in_readme_is_the_example() -> None:
    example = CHECKOUT / "examples" / "benchmarker_tinynet" / "benchmarker_tinynet.py"
    assert blocks(CHECKOUT / "README.md", "python") == [example.read_text(encoding="utf-8")]


def registries() -> Iterator[tuple[str, str]]:
    """Yield every registry that a document shows, with a name for it."""
    for path in (path for path in DOCUMENTS if path.parent != TUTORIALS):
        for number, block in enumerate(blocks(path, "yaml")):
            if all(re.search(rf"^{key}:", block, re.MULTILINE) for key in ("dataset", "models")):
                yield f"{name_of(path)}[{number}]", block


@pytest.mark.parametrize(("name", "text"), [*registries()], ids=lambda value: value if "\n" not in value else "")
def test_registries_in_documents_are_valid(name: str, text: str, tmp_path: Path) -> None:
    from benchmarker.discovery import installed
    from benchmarker.registry import check_registry, load_registry

    for folder in re.findall(r"\bpath: ([\w.-]+)", text):
        (tmp_path / folder).mkdir(exist_ok=True)
    path = tmp_path / "registry.yaml"
    path.write_text(text, encoding="utf-8")
    assert not check_registry(load_registry(path), installed()), name
