"""Entry points: run a command, and turn errors into one clear message and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import rich_click as click

from benchmarker.cli.base import INTERRUPTED, LazyGroup, examples, settings
from benchmarker.errors import BenchmarkerError, ConfigurationError

if TYPE_CHECKING:
    from click import Command

FAILED = 1
MISUSED = 2


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
        "gan": "benchmarker.cli.gan_command:gan",
    },
    epilog=examples(
        "benchmarker run registries/quickstart.yaml -s 8901",
        "benchmarker list architectures",
        "benchmarker validate registries/*.yaml",
        "benchmarker leaderboard results/quickstart --format markdown",
        "benchmarker report results/quickstart --format html,latex --out paper",
        "benchmarker show results/quickstart convxpress/real/8901",
        "benchmarker audit results/quickstart --sample 2",
        "benchmarker doctor results/quickstart",
    ),
    context_settings=settings(),
)
@click.version_option(package_name="galaxy-benchmarker", prog_name="benchmarker")
@click.option("--debug", is_flag=True, help="Show tracebacks and what the program logs.")
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
        Those of the process by default.

    Returns
    -------
    int
        0 if all went well, 1 if something failed, 2 if what the user wrote cannot be done, 130 after Ctrl-C.
    """
    return _run(cli, "benchmarker", sys.argv[1:] if arguments is None else list(arguments))


def quickstart(arguments: Sequence[str] | None = None) -> int:
    """Run ``quickstart.py``: ``benchmarker run`` with the options of the radio framework."""
    from benchmarker.cli.run_command import quickstart_command

    return _run(quickstart_command, "quickstart.py", sys.argv[1:] if arguments is None else list(arguments))


def _run(command: Command, name: str, arguments: list[str]) -> int:
    # A shell's `>&-`, or a service without a terminal, leaves none.
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    for stream in (sys.stdout, sys.stderr):
        # A sign that a terminal does not know must not end a run of hours.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    debug = "--debug" in arguments
    try:
        result = command.main(args=arguments, prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        return _misused(error)
    except click.Abort:
        return _say("interrupted", INTERRUPTED)
    except BenchmarkerError as error:
        if debug:
            raise
        return _say(f"error: {error}", MISUSED if isinstance(error, ConfigurationError) else FAILED)
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and not debug:
            # Files are told of where they are written; what is left is the output itself, as in `>> log.txt`.
            return _say(f"error: {error.filename or 'the output'}: the disk is full; free some space", FAILED)
        # The last line of defence: a mistake of ours, or of a plugin, is told in one line; --debug shows where.
        if debug:
            raise
        return _say(
            f"internal error: {type(error).__name__}: {error}\nPlease report it with what --debug shows.", FAILED
        )
    return result if isinstance(result, int) else 0


def _misused(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    hint = f"\nTry: {context.command_path} --help" if context else ""
    return _say(f"error: {error.format_message()}{hint}", MISUSED)


def _say(text: str, code: int) -> int:
    with contextlib.suppress(OSError):  # told already, where the output is what failed
        sys.stdout.flush()
    click.echo(text, err=True)
    return code
