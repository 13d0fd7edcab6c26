"""Commands of plugins."""

from __future__ import annotations

import pytest
import rich_click as click

from benchmarker import Command, echo
from benchmarker.cli import main
from benchmarker.cli.entry import LazyGroup, cli
from benchmarker.discovery import BrokenPlugin, Plugins
from benchmarker.hooks import COMMANDS
from tests.registries import plugins_of


@click.command(help="Stack images.")
@click.argument("count", type=int)
def stack(count: int) -> int:
    """Stack images."""
    echo(f"stacked {count}")
    return 3


nothing = "not a command"


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = BrokenPlugin(name="bad", distribution="bad 0.2", error="ImportError: no", traceback="Traceback 1\n")
    plugins = plugins_of(
        Command(name="stack", command=f"{__name__}:stack", summary="Stack images of a plugin."),
        Command(name="torn", command="sky_not_installed:torn", summary="Cannot be imported."),
        Command(name="nothing", command=f"{__name__}:nothing"),
        Command(name="list", command=f"{__name__}:stack", summary="Would replace the list."),
        broken=[broken],
    )
    monkeypatch.setattr("benchmarker.discovery.installed", lambda: plugins)


@pytest.mark.usefixtures("commands")
def test_help_lists_commands_of_plugins_without_importing_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for line in ("stack    Stack images of a plugin.", "torn     Cannot be imported."):
        assert line in out
    assert "Would replace the list." not in out


@pytest.mark.usefixtures("commands")
def test_plugin_command_runs_with_its_arguments_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stack", "7"]) == 3
    assert capsys.readouterr().out == "stacked 7\n"
    assert main(["stack", "many"]) == 2
    assert "'many' is not a valid integer" in capsys.readouterr().err


@pytest.mark.usefixtures("commands")
def test_plugin_cannot_replace_a_built_in_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "commands"]) == 0
    assert "Would replace the list." in capsys.readouterr().out


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize(
    ("name", "complaint"),
    [("torn", "sky_not_installed"), ("nothing", "is not a click command. Received: str"), ("stak", "'stack'?")],
)
def test_unusable_command_says_why(name: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name]) in {1, 2}
    assert complaint in capsys.readouterr().err


def test_built_in_command_does_not_load_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    def installed() -> Plugins:
        raise AssertionError("plugins are loaded")

    monkeypatch.setattr("benchmarker.discovery.installed", installed)
    assert main(["show", "--help"]) == 0


@pytest.mark.usefixtures("commands")
def test_nested_group_has_no_plugin_commands() -> None:
    group = LazyGroup(name="below", commands_from={"show": "benchmarker.cli.show_command:show"})
    context = click.Context(group)
    assert group.list_commands(context) == ["show"]
    assert group.load(context, "stack") is None
    with pytest.raises(click.UsageError, match="the commands are: show"):
        group.resolve_command(context, ["stack"])


def test_names_that_no_plugin_can_take_are_those_of_the_commands() -> None:
    assert isinstance(cli, LazyGroup)
    assert tuple(cli.commands_from) == COMMANDS
