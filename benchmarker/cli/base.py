"""What the commands share: loading on demand, the look of help, and consoles."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import rich_click as click

if TYPE_CHECKING:
    from click import Command, Context
    from rich.console import Console, RenderableType

INTERRUPTED = 130
# Logs are read in editors and on the web; a fixed width also makes the same study give the same bytes.
PLAIN_WIDTH = 100


def settings() -> dict[str, Any]:
    """Return the context settings of every command: ``-h``, and help without boxes that logs cannot show."""
    return {"help_option_names": ["-h", "--help"], "rich_help_config": {"theme": "cargo-slim", "max_width": 100}}


def examples(*commands: str) -> str:
    """Return the end of a command's help: commands as they are typed."""
    # Help joins lines, but keeps paragraphs apart.
    return "\n\n".join(("Examples:", *(f"$ {command}" for command in commands)))


def counted(number: int, noun: str) -> str:
    """Return a number of things, as people say it."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def planned(cells: int, generators: int) -> str:
    """Return how much there is to train."""
    return counted(cells, "cell") + (f" and {counted(generators, 'generator')}" if generators else "")


class LazyGroup(click.RichGroup):
    """A group that imports the module of a sub-command when it is asked for; it may take plugins' after its own.

    Plugins are looked for only where help lists the commands, or where a name is none of its own.

    Parameters
    ----------
    commands_from : mapping of str to str
        ``"package.module:command"`` for each name, in the order in which help shows them.
    extensible : bool
        Take the commands of plugins; they are meant for the program itself, and for none of its groups.
    """

    def __init__(self, *args: Any, commands_from: Mapping[str, str], extensible: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.commands_from = commands_from
        self.extensible = extensible

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - the name is part of click's interface
        """Return the names of the sub-commands, those of plugins last."""
        return [*self.commands_from, *self._of_plugins()]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:  # noqa: ARG002 - as above
        """Import a sub-command of its own; return what help says of a plugin's."""
        reference = self.commands_from.get(cmd_name)
        if reference is not None:
            module, _, name = reference.partition(":")
            return cast("Command", getattr(importlib.import_module(module), name))
        found = self._of_plugins().get(cmd_name)
        # Help must neither wait for what a plugin imports nor fail with it.
        return None if found is None else click.RichCommand(name=cmd_name, help=found.summary or None)

    def load(self, ctx: Context, cmd_name: str) -> Command | None:
        """Import a sub-command, also one of a plugin.

        Raises
        ------
        PluginError
            If a plugin's module cannot be imported, or holds no command there.
        """
        found = None if cmd_name in self.commands_from else self._of_plugins().get(cmd_name)
        if found is None:
            return self.get_command(ctx, cmd_name)
        from benchmarker.discovery import resolve
        from benchmarker.errors import PluginError

        command = resolve(found.command)
        if not isinstance(command, click.Command):
            raise PluginError(f"{found.command!r} is no click command. Received: {type(command).__name__}")
        return command

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Find a sub-command; suggest one for a name that is misspelt."""
        if not args or args[0] in self.commands_from or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        if args[0] in self._of_plugins():
            return args[0], self.load(ctx, args[0]), args[1:]
        import difflib

        names = self.list_commands(ctx)
        close = difflib.get_close_matches(args[0], names, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(names)}."
        raise click.UsageError(f"there is no command {args[0]!r}: {hint}", ctx)

    def _of_plugins(self) -> dict[str, Any]:
        """Return the commands that plugins bring, by name; a broken plugin brings none."""
        if not self.extensible:
            return {}
        from benchmarker.discovery import installed

        registered = [each.plugin for each in installed().all("command")]
        return {plugin.name: plugin for plugin in registered if plugin.name not in self.commands_from}


class UserPath(click.Path):
    """A path of the user's; `~` is the home folder also where the shell leaves it, as in `--data=~/images`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, without `~` where that is somebody's home."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        try:
            return path.expanduser()
        except RuntimeError:  # nobody is called that
            return path


PATH = UserPath()


def on_terminal() -> bool:
    """Tell whether people watch standard output as it appears."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def console() -> Console:
    """Return a console for standard output: the terminal, or plain text of a fixed width."""
    from rich.console import Console

    if on_terminal():
        return Console(highlight=False, markup=False, emoji=False)
    return Console(
        file=sys.stdout,
        width=PLAIN_WIDTH,
        force_terminal=False,
        color_system=None,
        no_color=True,
        highlight=False,
        markup=False,
        emoji=False,
    )


def plain_text(renderable: RenderableType) -> str:
    """Return what a file is given: no escape codes, no trailing blanks, a fixed width."""
    import io

    from rich.console import Console

    stream = io.StringIO()
    Console(
        file=stream, width=PLAIN_WIDTH, force_terminal=False, color_system=None, highlight=False, emoji=False
    ).print(renderable, markup=False)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def show_renderable(renderable: RenderableType) -> None:
    """Print a rich renderable on the terminal, or as plain text into a file."""
    if on_terminal():
        console().print(renderable)
    else:
        click.echo(plain_text(renderable), nl=False)
