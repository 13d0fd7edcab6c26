"""Writes ``docs/reference/command_line.md`` from the help of every command: ``python -m benchmarker.cli.reference``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import rich_click as click

from benchmarker.cli.entry import cli
from benchmarker.cli.run_command import quickstart_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click import Command, Context

WIDTH = 100

_HEAD = """\
# Command line

Written by `python -m benchmarker.cli.reference > docs/reference/command_line.md`; a test compares it with `--help`.

`quickstart.py` runs `benchmarker run` with the options of the radio framework. An error is one message on standard
error. The exit code is 0 after success, 1 after a failure, 2 if the request cannot be carried out, 130 after Ctrl-C,
143 after SIGTERM and 129 after SIGHUP. `--debug`, after `benchmarker` or anywhere after `quickstart.py`, shows the
traceback.

On a terminal a run shows bars. Into a file (`>> log.txt`) it writes plain lines, which end with the leaderboard.
"""


def reference() -> str:
    """Return the help of every command as Markdown."""
    return "\n".join((_HEAD, *_sections()))


def _sections() -> Iterator[str]:
    yield _section("quickstart.py", quickstart_command, None)
    context = _context(cli, "benchmarker", None)
    yield _section("benchmarker", cli, None)
    for name in cli.list_commands(context):
        command = cli.load(context, name)
        if command is not None:
            yield _section(name, command, context)
            if isinstance(command, click.RichGroup):
                inner = _context(command, f"benchmarker {name}", None)
                yield from (_section(each, sub, inner) for each, sub in command.commands.items())


def _section(name: str, command: Command, parent: Context | None) -> str:
    title = f"{parent.info_name} {name}" if parent else name
    text = command.get_help(_context(command, name, parent))
    lines = [line.rstrip() for line in click.unstyle(text).splitlines()]
    return "\n".join((f"## {title}", "", "```text", *_without_outer_blanks(lines), "```", ""))


def _context(command: Command, name: str, parent: Context | None) -> Context:
    settings = {**command.context_settings}
    settings["rich_help_config"] = {**settings.get("rich_help_config", {}), "width": WIDTH, "force_terminal": False}
    return command.context_class(command, info_name=name, parent=parent, **settings)


def _without_outer_blanks(lines: list[str]) -> list[str]:
    while lines and not lines[0]:
        lines = lines[1:]
    while lines and not lines[-1]:
        lines = lines[:-1]
    return lines


if __name__ == "__main__":
    sys.stdout.write(reference())
