"""Arguments and options that several commands share, and how their help looks.

Options that belong together reach a command as one object: `overrides_options` passes ``overrides``, `policy_options`
passes ``policy``, and `ranking_options` passes ``options``. Their classes are imported when a command runs, so that
``--help`` stays fast.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict

import rich_click as click

from benchmarker.errors import ConfigurationError
from benchmarker.paths import expand_user

if TYPE_CHECKING:
    from benchmarker.registry import Overrides
    from benchmarker.results.study_results import ReportOptions
    from benchmarker.run import Policy

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

CHECKPOINTS = {"best": ("best",), "final": ("final",), "both": ("best", "final")}
_LARGEST_SEED = 2**32 - 1


class CommandSettings(TypedDict):
    """Keyword arguments for ``click.command`` and ``click.group``."""

    epilog: str
    context_settings: dict[str, Any]


def command_settings(*examples: str, commands: str = "Commands") -> CommandSettings:
    """Return the settings that give a command the same help as every other: ``-h``, no boxes, examples at the end.

    Parameters
    ----------
    *examples : str
        Commands as a user types them.
    commands : str
        Heading of the sub-commands of a group.

    Examples
    --------
    >>> settings = command_settings("benchmarker compare results/a results/b")
    >>> sorted(settings)
    ['context_settings', 'epilog']
    >>> settings["context_settings"]["help_option_names"]
    ['-h', '--help']
    """
    look = {
        "theme": "cargo-slim",
        "max_width": 100,
        "padding_helptext_first_line": (0, 0, 1, 0),
        "text_paragraph_linebreaks": "\n\n",
        "options_table_help_sections": ["help", "default", "required"],
        "default_string": r"\[default: {}]",
        "commands_panel_title": commands,
    }
    # click joins the lines of a paragraph and keeps paragraphs apart.
    epilog = "\n\n".join(("Examples:", *(f"$ {example}" for example in examples)))
    return {"epilog": epilog, "context_settings": {"help_option_names": ["-h", "--help"], "rich_help_config": look}}


class UserPath(click.Path):
    """A path on the command line in which `~` is the home folder, even where the shell leaves it: `--data=~/images`.

    Examples
    --------
    >>> UserPath().convert("images/first", None, None).as_posix()
    'images/first'
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; `~name` is refused if there is neither such a user nor such a file."""
        try:
            expand_user(os.fsdecode(value))  # click asks the system, which does not take all that this refuses
            return expand_user(os.fsdecode(super().convert(value, param, ctx)))
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)


class Seeds(click.ParamType[tuple[int, ...]]):
    """One seed, or several separated by commas."""

    name = "seeds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Split and check a list of seeds."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        for part in parts:
            if not (part.isascii() and part.isdigit() and int(part) <= _LARGEST_SEED):
                self.fail(f"expected a whole number from 0 to {_LARGEST_SEED}. Received: {part!r}", param, ctx)
        return tuple(int(part) for part in parts)


PATH = UserPath()

study_argument = click.argument("study", type=PATH)
results_option = click.option(
    "-p",
    "--results-path",
    type=PATH,
    metavar="FOLDER",
    help="Folder of the study. [default: results/<registry name>]",
)
force_option = click.option("--force", is_flag=True, help="Train again what has finished or failed before.")
offline_option = click.option("--offline", is_flag=True, help="Download nothing.")
output_option = click.option("--output", type=PATH, metavar="FILE", help="Write to this file instead of the terminal.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

# Help lists these options under separate headings.
_data_option = functools.partial(click.option, panel="Instead of the registry's settings")
_cells_option = functools.partial(click.option, panel="How cells are run")

jobs_option = _cells_option("-j", "--jobs", type=click.IntRange(min=1), metavar="N",
                            help="Train this many at the same time. The results do not depend on it. "
                                 "[default: as many as cores, GPUs and memory allow]")  # fmt: skip

_SEEDS = _data_option("-s", "--seed", "seeds", type=Seeds(), multiple=True, metavar="N[,N...]",
                      help="Seeds, separated by commas or by repeating -s. [default: the registry's]")  # fmt: skip
_DATA = _data_option("-d", "--data", type=PATH, metavar="PATH",
                     help="Read the images from this file or folder instead of downloading.")  # fmt: skip
_OVERRIDES = (
    _SEEDS,
    _data_option("--until-decided", is_flag=True,
                 help="Train seed by seed, and give no more seeds to networks all of whose comparisons are decided."),
    _data_option("--at-most", type=click.IntRange(min=2, max=100), metavar="N",
                 help="Stop --until-decided at this number of seeds. [default: 10]"),
    _DATA,
    _data_option("-f", "--manifest", metavar="FILE",
                 help="CSV manifest with the columns Name,Type, inside the folder of images."),
    _data_option("-i", "--image-size", type=click.IntRange(min=1), metavar="N",
                 help="Height and width of the images in pixels."),
    _data_option("-r", "--rotation", type=click.FloatRange(min=0, max=360), metavar="DEGREES",
                 help="Angle between rotated copies of training images; 0 for no copies."),
    _data_option("-t", "--train-size", type=click.IntRange(min=1), metavar="N", help="Training sources per class."),
    _data_option("-v", "--validation-size", type=click.IntRange(min=1), metavar="N",
                 help="Validation sources per class."),
    _data_option("-X", "--mnist", is_flag=True, help="Use MNIST instead of galaxies."),
    # Of the radio framework's second starter; a registry has settings for both.
    _data_option("--binary-threshold", type=click.FloatRange(0, 1, min_open=True, max_open=True), hidden=True),
    _data_option("--early-stopping", type=int, hidden=True),
)  # fmt: skip
_POLICY = (
    jobs_option,
    _cells_option("--gpus", metavar="N[,N...]", help="Use these GPUs, or none. [default: all visible GPUs]"),
    _cells_option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
                  help="End a cell that takes longer."),
    _cells_option("--retries", type=click.IntRange(min=0), metavar="N", default=1, show_default=True,
                  help="Retry a cell this often if it was killed or ran out of memory or time."),
    _cells_option("--retry-failed", is_flag=True, help="Run cells again that failed in an earlier call."),
    _cells_option("--fail-fast", is_flag=True, help="Stop at the first failure and leave the rest pending."),
)  # fmt: skip


def collected(parameter: str, build: Callable[..., Any], *options: Decorator) -> Decorator:
    """Return a decorator that adds options to a command and passes their values as one argument.

    Parameters
    ----------
    parameter : str
        Name of the argument.
    build : callable
        Makes the argument from the values of the options, given by keyword.
    *options
        Decorators made by ``click.option``, in the order in which help lists them.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def command(**values: Any) -> Any:
            own = {name: values.pop(name) for name in names}
            return function(**values, **{parameter: build(**own)})

        declared: list[click.Parameter] = vars(command).setdefault("__click_params__", [])
        before = len(declared)
        for option in reversed(options):
            option(command)
        names = [declaration.name for declaration in declared[before:]]
        return command

    return decorate


def _overrides(*, seeds: tuple[tuple[int, ...], ...], **others: Any) -> Overrides:
    from benchmarker.registry import Overrides

    return Overrides(seeds=tuple(seed for several in seeds for seed in several), **others)


def _policy(*, gpus: str | None, **others: Any) -> Policy:
    from benchmarker.run import Policy, parse_gpus

    return Policy(gpus=None if gpus is None else parse_gpus(gpus), **others)


def _ranking(*, checkpoint: str, **others: Any) -> ReportOptions:
    from benchmarker.results.study_results import ReportOptions

    return ReportOptions(checkpoints=CHECKPOINTS[checkpoint], **others)


overrides_options = collected("overrides", _overrides, *_OVERRIDES)
"""Add the options that change settings of the registry; the command gets ``overrides``."""

seeds_and_data_options = collected("overrides", _overrides, _SEEDS, _DATA)
"""Add those options of `overrides_options` that also apply to generators; the command gets ``overrides``."""

policy_options = collected("policy", _policy, *_POLICY)
"""Add the options that say how cells are run, which changes no result; the command gets ``policy``."""


def ranking_options(checkpoint: str) -> Decorator:
    """Return a decorator that adds the options of leaderboards; the command gets ``options``.

    Parameters
    ----------
    checkpoint : {"best", "final", "both"}
        Default of ``--checkpoint``.
    """
    return collected(
        "options",
        _ranking,
        click.option("--sort", metavar="METRIC", help="Metric or cost to rank by, for example macro_f1 or flops."),
        click.option("--checkpoint", type=click.Choice(list(CHECKPOINTS)), default=checkpoint, show_default=True,
                     help="Weights of the lowest validation loss, of the last epoch, or both."),
        click.option("--include-incomplete", is_flag=True, help="Also rank rows with seeds that have not finished."),
    )  # fmt: skip
