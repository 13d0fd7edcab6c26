"""The options of ``benchmarker run`` and ``quickstart.py``: those of the radio framework, and ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import rich_click as click

from benchmarker.cli.base import PATH

F = TypeVar("F", bound=Callable[..., Any])

_LARGEST_SEED = 2**32 - 1


class Seeds(click.ParamType[tuple[int, ...]]):
    """One seed, or several with commas between them."""

    name = "seeds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Split and check a list of seeds."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        for part in parts:
            if not (part.isascii() and part.isdigit() and int(part) <= _LARGEST_SEED):
                self.fail(f"a whole number from 0 to {_LARGEST_SEED} was expected. Received: {part!r}", param, ctx)
        return tuple(int(part) for part in parts)


_OPTIONS = (
    click.option("-s", "--seed", "seeds", type=Seeds(), multiple=True, metavar="N[,N...]",
                 help="Seeds, also as several -s. Default: the registry's."),
    click.option("-d", "--data", type=PATH, metavar="PATH",
                 help="Your own file or folder of images instead of a download."),
    click.option("-f", "--manifest", metavar="FILE",
                 help="CSV manifest with the columns Name,Type, in the folder of the images."),
    click.option("-i", "--image-size", type=click.IntRange(min=1), metavar="N",
                 help="Height and width of the images in pixels."),
    click.option("-m", "--model-path", type=PATH, metavar="FOLDER",
                 help="Folder in which weights are saved too, and read with -o."),
    click.option("-o", "--only-test", is_flag=True, help="Test saved weights without training."),
    click.option("-p", "--results-path", type=PATH, metavar="FOLDER",
                 help="The study's folder. Default: results/<registry's name>."),
    click.option("-r", "--rotation", type=click.FloatRange(min=0, max=360), metavar="DEGREES",
                 help="Step of the rotated copies of training images; 0 for none."),
    click.option("-t", "--train-size", type=click.IntRange(min=1), metavar="N", help="Training sources of each class."),
    click.option("-v", "--validation-size", type=click.IntRange(min=1), metavar="N",
                 help="Validation sources of each class."),
    click.option("-X", "--mnist", is_flag=True, help="Run on MNIST instead of galaxies."),
    click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", default=1, show_default=True,
                 help="Cells at once. Changes no result."),
    click.option("--gpus", metavar="N[,N...]",
                 help="GPUs to spread the cells over, or none. Default: all that are visible."),
    click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
                 help="End an attempt at a cell that takes longer."),
    click.option("--retries", type=click.IntRange(min=0), metavar="N", default=1, show_default=True,
                 help="Try a cell again that was killed, or ran out of memory or time."),
    click.option("--retry-failed", is_flag=True, help="Run cells again that failed in an earlier call."),
    click.option("--fail-fast", is_flag=True, help="Stop at the first failure; the rest is pending."),
    click.option("--force", is_flag=True, help="Train cells again that have finished or failed."),
    click.option("--offline", is_flag=True, help="Download nothing."),
    click.option("--strict", is_flag=True, help="Refuse to run while any plugin is broken."),
)  # fmt: skip


def run_options(function: F) -> F:
    """Give a command the options of a run."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
