"""Entry points: find the command, run it, and turn errors into one clear message and an exit code."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import rich_click as click
from click.exceptions import Exit

from benchmarker.cli.interrupts import ended_by_signals, exit_code
from benchmarker.cli.options import command_settings
from benchmarker.containment import describe, tolerate_warnings
from benchmarker.discovery import blamed
from benchmarker.errors import BenchmarkerError, ConfigurationError, PluginError, shorten
from benchmarker.printing import echo

if TYPE_CHECKING:
    from click import Command, Context

FAILED = 1
MISUSED = 2

_OF_PATHS = frozenset({errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM})
"""Errors of the operating system that mean a path which the user gave."""


class LazyGroup(click.RichGroup):
    """A group that imports the module of a sub-command only when that is called.

    Installed plugins are looked up only if help lists the commands, or if a name is not one of the group's own.

    Parameters
    ----------
    commands_from : mapping of str to str
        ``"package.module:command"`` for each name, in the order in which help shows them.
    extensible : bool
        Whether commands of plugins are added after the group's own, as they are to ``benchmarker`` itself.
    """

    def __init__(self, *args: Any, commands_from: Mapping[str, str], extensible: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.commands_from = commands_from
        self.extensible = extensible

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - click passes it by name
        """Return the names of the sub-commands, those of plugins last."""
        return [*self.commands_from, *self._of_plugins()]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:  # noqa: ARG002 - click passes it by name
        """Import one of the group's own sub-commands; for a plugin's, return its summary without importing it."""
        reference = self.commands_from.get(cmd_name)
        if reference is not None:
            module, _, name = reference.partition(":")
            return cast("Command", getattr(importlib.import_module(module), name))
        found = self._of_plugins().get(cmd_name)
        # Help neither waits for the imports of a plugin nor fails with them.
        return None if found is None else click.RichCommand(name=cmd_name, help=found.summary or None)

    def load(self, ctx: Context, cmd_name: str) -> Command | None:
        """Import a sub-command, including one of a plugin.

        Raises
        ------
        PluginError
            If the module of a plugin cannot be imported or does not contain the command.
        """
        found = None if cmd_name in self.commands_from else self._of_plugins().get(cmd_name)
        if found is None:
            return self.get_command(ctx, cmd_name)
        from benchmarker.discovery import resolve

        command = resolve(found.command)
        if not isinstance(command, click.Command):
            raise PluginError(f"{found.command!r} is not a click command. Received: {type(command).__name__}")
        return command

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Find a sub-command, or suggest one with a similar name."""
        if not args or args[0] in self.commands_from or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        if args[0] in self._of_plugins():
            return args[0], self.load(ctx, args[0]), args[1:]
        import difflib

        names = self.list_commands(ctx)
        close = difflib.get_close_matches(args[0], names, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"the commands are: {', '.join(names)}."
        raise click.UsageError(f"there is no command {args[0]!r}: {hint}", ctx)

    def invoke(self, ctx: Context) -> Any:
        """Run a sub-command; whatever a plugin's raises is the failure of that plugin, `SystemExit` too.

        Raises
        ------
        PluginError
            If the command of a plugin raises something that click does not handle.
        """
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, Exit, BenchmarkerError, OSError, EOFError):
            raise
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            name = ctx.invoked_subcommand or ""
            if name in self.commands_from or name not in self._of_plugins():
                raise
            raise PluginError(f"the command {name!r} of a plugin failed: {describe(error)}") from error

    def _of_plugins(self) -> dict[str, Any]:
        """Return the commands of plugins by name; a broken plugin has none."""
        if not self.extensible:
            return {}
        from benchmarker.discovery import installed

        registered = [each.plugin for each in installed().all("command")]
        return {plugin.name: plugin for plugin in registered if plugin.name not in self.commands_from}


@click.group(
    cls=LazyGroup,
    extensible=True,
    commands_from={
        "run": "benchmarker.cli.run_command:run",
        "list": "benchmarker.cli.list_command:list_plugins",
        "validate": "benchmarker.cli.validate_command:validate",
        "leaderboard": "benchmarker.cli.leaderboard_command:leaderboard",
        "report": "benchmarker.cli.report_command:report",
        "show": "benchmarker.cli.show_command:show",
        "audit": "benchmarker.cli.audit_command:audit",
        "schema": "benchmarker.cli.schema_command:schema",
        "doctor": "benchmarker.cli.doctor_command:doctor",
        "merge": "benchmarker.cli.merge_command:merge",
        "gc": "benchmarker.cli.gc_command:gc",
        "data": "benchmarker.cli.data_command:data",
        "gan": "benchmarker.cli.gan_command:gan",
        "sign": "benchmarker.cli.sign_command:sign",
        "verify": "benchmarker.cli.sign_command:verify",
        "submit": "benchmarker.cli.submit_command:submit",
        "status": "benchmarker.cli.queue_commands:status",
        "cancel": "benchmarker.cli.queue_commands:cancel",
    },
    **command_settings(
        "benchmarker run registries/quickstart.yaml -s 8901",
        "benchmarker list architectures",
        "benchmarker validate registries/*.yaml",
        "benchmarker leaderboard results/quickstart --format markdown",
        "benchmarker report results/quickstart --format html,latex --out paper",
        "benchmarker show results/quickstart convxpress/real/8901",
        "benchmarker audit results/quickstart --sample 2",
        "benchmarker doctor results/quickstart",
        commands="Commands of plugins",
    ),
)
@click.command_panel("Before training", commands=["list", "data", "validate", "schema", "doctor"])
@click.command_panel("Training", commands=["run", "submit", "status", "cancel", "gan"])
@click.command_panel("Results", commands=["leaderboard", "report", "show"])
@click.command_panel("Proof and storage", commands=["audit", "sign", "verify", "merge", "gc"])
@click.version_option(package_name="galaxy-benchmarker", prog_name="benchmarker")
@click.option("--debug", is_flag=True, help="Show tracebacks and log messages.")
def cli(debug: bool) -> None:
    """Compare galaxy networks: train a registry of models under fixed seeds, and rank them."""
    if debug:
        import logging

        logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(name)s: %(message)s")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ``benchmarker`` command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Arguments of the command; those of this process by default.

    Returns
    -------
    int
        Exit code: 0 after success, 1 after a failure, 2 if the request cannot be carried out, 130 after Ctrl-C.
    """
    return _run(cli, "benchmarker", sys.argv[1:] if arguments is None else list(arguments))


def quickstart(arguments: Sequence[str] | None = None) -> int:
    """Run ``quickstart.py``, which is ``benchmarker run`` with the options of the radio framework."""
    from benchmarker.cli.run_command import quickstart_command

    return _run(quickstart_command, "quickstart.py", sys.argv[1:] if arguments is None else list(arguments))


def _run(command: Command, name: str, arguments: list[str]) -> int:
    _open_streams()
    _find_home()
    tolerate_warnings()
    debug = "--debug" in arguments
    try:
        with ended_by_signals():
            result = command.main(args=arguments, prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        return _misused(error)
    except click.Abort as error:  # click's name for a KeyboardInterrupt that the command did not handle
        return _fail("interrupted", exit_code(error.__cause__))
    except BenchmarkerError as error:
        if debug:
            raise
        return _fail(f"error: {error}", MISUSED if isinstance(error, ConfigurationError) else FAILED)
    except SystemExit as error:
        # click ends like this when the reader of the output has gone.
        return FAILED if isinstance(error.__context__, OSError) else _fail(_unexpected(error), FAILED)
    except Exception as error:
        if debug:
            raise
        return _fail(_unexpected(error), FAILED)
    return result if isinstance(result, int) else 0


def _open_streams() -> None:
    # A shell's `>&-`, or a service without a terminal, closes them.
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal cannot show must not end a run that takes hours.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _find_home() -> None:
    """Give this process a home folder in the cache, if it has none.

    Containers often run as a user without one, and astropy and Keras fail or write a folder called ``~`` then.
    """
    cache = os.environ.get("BENCHMARKER_CACHE", "")
    if os.path.isabs(cache) and not os.path.isabs(os.path.expanduser("~")):  # noqa: PTH111, PTH117 - imports nothing
        os.environ["HOME"] = os.path.join(cache, "home")  # noqa: PTH118


def _unexpected(error: BaseException) -> str:
    """Return the message for an unexpected error, for a full disk under the output, or for an impossible path."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        # Commands report files that they cannot write, so this is the output itself, as in `>> log.txt`.
        return f"error: {error.filename or 'the output'}: the disk is full; free some space"
    if (plugin := blamed(error)) is not None:
        return f"error: a plugin of {plugin} failed: {describe(error)}\n--debug shows where."
    if isinstance(error, OSError) and error.errno in _OF_PATHS and isinstance(error.filename, str):
        return f"error: {shorten(error.filename)}: {error.strerror}; correct the path"
    return f"internal error: {describe(error)}\nPlease report it with the output of --debug."


def _misused(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    hint = f"\nTry: {context.command_path} --help" if context else ""
    return _fail(f"error: {error.format_message()}{hint}", MISUSED)


def _fail(text: str, code: int) -> int:
    with contextlib.suppress(OSError):  # the message below says so if the output is what failed
        sys.stdout.flush()
    echo(text, err=True)
    return code
