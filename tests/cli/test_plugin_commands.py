"""Commands that plugins bring."""

from __future__ import annotations

import pytest
import rich_click as click

from benchmarker import Command
from benchmarker.cli import main
from benchmarker.cli.entry import LazyGroup
from benchmarker.contracts.plugins import KINDS
from benchmarker.discovery import BrokenPlugin, Plugins, Registered


@click.command(help="Stack images.")
@click.argument("count", type=int)
def stack(count: int) -> int:
    """Stack images."""
    click.echo(f"stacked {count}")
    return 3


nothing = "no command"


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> None:
    registered: dict[str, dict[str, list[Registered]]] = {kind: {} for kind in KINDS}
    for command in (
        Command(name="stack", command=f"{__name__}:stack", summary="Stack images of a plugin."),
        Command(name="torn", command="a_library_that_nobody_has:torn", summary="Cannot be imported."),
        Command(name="nothing", command=f"{__name__}:nothing"),
        Command(name="list", command=f"{__name__}:stack", summary="Would replace the list."),
    ):
        registered["command"][command.name] = [Registered(plugin=command, distribution="sky 1")]
    broken = BrokenPlugin(name="bad", distribution="bad 0.2", error="ImportError: no", traceback="Traceback 1\n")
    plugins = Plugins(registered, [broken])
    monkeypatch.setattr("benchmarker.discovery.installed", lambda: plugins)


@pytest.mark.usefixtures("commands")
def test_help_lists_commands_of_plugins_without_importing_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for line in ("stack    Stack images of a plugin.", "torn     Cannot be imported."):
        assert line in out
    assert "Would replace the list." not in out


@pytest.mark.usefixtures("commands")
def test_a_plugins_command_runs_with_its_arguments_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stack", "7"]) == 3
    assert capsys.readouterr().out == "stacked 7\n"
    assert main(["stack", "many"]) == 2
    assert "'many' is not a valid integer" in capsys.readouterr().err


@pytest.mark.usefixtures("commands")
def test_the_programs_own_names_stay_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "commands"]) == 0
    assert "Would replace the list." in capsys.readouterr().out


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize(
    ("name", "complaint"),
    [("torn", "a_library_that_nobody_has"), ("nothing", "is not a click command. Received: str"), ("stak", "'stack'?")],
)
def test_a_command_that_cannot_be_used_says_why(name: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name]) in {1, 2}
    assert complaint in capsys.readouterr().err


def test_the_programs_own_commands_ask_no_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    def installed() -> Plugins:
        raise AssertionError("plugins are looked for")

    monkeypatch.setattr("benchmarker.discovery.installed", installed)
    assert main(["show", "--help"]) == 0


@pytest.mark.usefixtures("commands")
def test_groups_below_the_program_take_no_commands_of_plugins() -> None:
    group = LazyGroup(name="below", commands_from={"show": "benchmarker.cli.show_command:show"})
    context = click.Context(group)
    assert group.list_commands(context) == ["show"]
    assert group.load(context, "stack") is None
    with pytest.raises(click.UsageError, match="the commands are: show"):
        group.resolve_command(context, ["stack"])
