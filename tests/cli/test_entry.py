"""The command as a whole: help, errors, exit codes and what is imported."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import rich_click as click

from benchmarker.cli import main, quickstart
from benchmarker.cli.entry import cli
from benchmarker.errors import ConfigurationError, StorageError
from tests.fixture_plugins import install

COMMANDS = (
    "run", "list", "validate", "leaderboard", "report", "show", "audit", "schema", "doctor", "merge", "gc", "data",
    "gan", "sign", "verify", "submit", "status", "cancel",
)  # fmt: skip
HEAVY = ("keras", "tensorflow", "matplotlib", "pandas", "astropy")


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_help_shows_examples(name: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*([name] if name else []), "--help"]) == 0
    out = capsys.readouterr().out
    assert "Examples:" in out
    assert f"$ benchmarker {name or 'run'}" in out
    assert "\x1b" not in out


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    main(["-h"])
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in COMMANDS)
    assert tuple(cli.commands_from) == COMMANDS


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its name, including those of groups and of plugins."""
    context = click.Context(cli, info_name="benchmarker")
    for name in cli.list_commands(context):
        command = cli.load(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {each}", inner) for each, inner in command.commands.items())


def test_every_option_has_a_description_that_is_a_sentence() -> None:
    for name, command in commands():
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                text = option.help or ""
                assert re.match(r"[A-Z]", text), f"{name} {option.opts}: {text!r}"
                assert re.search(r"[.\])]$", text), f"{name} {option.opts}: {text!r}"


def test_quickstart_keeps_the_options_of_the_radio_framework(capsys: pytest.CaptureFixture[str]) -> None:
    assert quickstart(["--help"]) == 0
    out = capsys.readouterr().out
    for option in (
        "-a  --architectures", "-s  --seed", "-d  --data", "-f  --manifest", "-i  --image-size", "-m  --model-path",
        "-o  --only-test", "-p  --results-path", "-r  --rotation", "-t  --train-size", "-v  --validation-size",
        "-X  --mnist", "--force", "--offline", "--strict",
    ):  # fmt: skip
        assert option in out


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarker import __version__

    assert main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["leaderbord"], "did you mean 'leaderboard'?"),
        (["list", "--strickt"], "--strict"),
        (["run", "--seed", "one"], "expected a whole number from 0"),
        (["run", "--seed", "1,,2"], "Received: ''"),
        (["run", "--seed", "4294967296"], "4294967295"),
        (["run", "--train-size", "0"], "is not in the range"),
        (["run", "a.yaml", "-a", "b.yaml"], "give the registry only once"),
        (["validate"], "REGISTRY"),
        (["run", "quikstart"], "did you mean 'quickstart'?"),
    ],
)
def test_misuse_is_one_message_and_exit_code_2(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert complaint in captured.err
    assert captured.err.startswith("error: ")
    assert "Traceback" not in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigurationError("cannot be done"), 2, "error: cannot be done\n"),
        (StorageError("disk full"), 1, "error: disk full\n"),
        (KeyError("oops"), 1, "internal error: KeyError: 'oops'\nPlease report it with the output of --debug.\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_error_becomes_one_message_and_an_exit_code(
    error: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("benchmarker.discovery.installed", fail)
    assert main(["list"]) == code
    assert capsys.readouterr().err.lstrip("\n") == message


def test_error_from_the_code_of_a_plugin_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(install(tmp_path, "culprit", "def call():\n    raise KeyError('x' * 1000)\n"))
    module = importlib.import_module("culprit")
    monkeypatch.setattr("benchmarker.discovery.installed", module.call)
    assert main(["list"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: a plugin of culprit 1.0 failed: KeyError")
    assert "report it" not in told
    assert len(told) < 700


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise StorageError("disk full")

    monkeypatch.setattr("benchmarker.discovery.installed", fail)
    with pytest.raises(StorageError):
        main(["--debug", "list"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["list"],
        ["run", "--help"],
        ["validate", "quickstart", "becker2021"],
        ["doctor", "--help"],
        ["merge", "--help"],
        ["gc", "--help"],
    ],
    ids=" ".join,
)
def test_quick_commands_import_no_heavy_library(arguments: list[str]) -> None:
    code = (
        "import sys; from benchmarker.cli import main; code = main(sys.argv[1:]);"
        f"print('LOADED', code, [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED 0 []", done.stderr


def test_list_imports_neither_pydantic_nor_rich() -> None:
    code = (
        "import sys; from benchmarker.cli import main; main(['list']);"
        "print('LOADED', [n for n in ('pydantic', 'numpy', 'rich', 'yaml') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_module_and_quickstart_run_the_command(checkout: Path, tmp_path: Path) -> None:
    for command in ([sys.executable, "-m", "benchmarker"], [sys.executable, str(checkout / "quickstart.py")]):
        done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True, cwd=tmp_path)
        assert "Examples:" in done.stdout


def test_quickstart_without_installation_says_what_to_do(checkout: Path, tmp_path: Path) -> None:
    script = tmp_path / "quickstart.py"
    script.write_text((checkout / "quickstart.py").read_text(encoding="utf-8"), encoding="utf-8")
    # -S leaves out what is installed.
    done = subprocess.run([sys.executable, "-S", "-E", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "No module named 'benchmarker': run `make install`, then use .venv/bin/python\n"
    assert len(script.read_text(encoding="utf-8").splitlines()) < 40
