"""``benchmarker power``: how many more seeds a difference requires, and how long their training takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from benchmarker import UserPath, command_settings, echo
from benchmarker_reports.commands.writing import table, written_time
from benchmarker_reports.content.values import signed_as

if TYPE_CHECKING:
    from benchmarker import ComparisonSettings, PairPower, StudyPower

NEEDED: Mapping[str, str] = {"sources": "more sources", "splits": "less overlap", "seeds": "too many"}
"""Column *needed* where no number of seeds is enough, by what stands in the way."""


@click.command(
    name="power",
    **command_settings(
        "benchmarker power results/quickstart --delta 1.0",
        "benchmarker power results/quickstart --delta 2 --power 0.9 --checkpoint final",
    ),
)
@click.argument("study", type=UserPath())
@click.option("--delta", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True,
              help="Difference to detect, in the unit of the primary metric (percentage points for MPCA).")  # fmt: skip
@click.option("--power", "target", type=click.FloatRange(0.5, 0.999), default=0.8, show_default=True,
              help="Required chance of detecting it.")  # fmt: skip
@click.option("--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True,
              help="Confidence level of all comparisons of a table together.")  # fmt: skip
@click.option("--checkpoint", type=click.Choice(["best", "final"]), default="best", show_default=True,
              help="Weights of the lowest validation loss, or of the last epoch.")  # fmt: skip
@click.option("--reference", default="real", show_default=True, help="Arm that others are compared with.")
def command(*, study: Path, delta: float, target: float, level: float, checkpoint: str, reference: str) -> None:
    """Estimate how many more seeds it takes to detect a difference, from the variance that a study has shown so far.

    For each pair of networks within an arm, and of arms of a network, print, after correction for the number of pairs,
    the smallest difference that the seeds at hand detect, the number of seeds that --delta requires, and the time to
    train the missing ones one after the other, at the speed of this study. The number in brackets applies if the true
    variance over seeds is as large as its upper 80 % limit.
    """
    from benchmarker import comparison_settings, open_results, study_power

    results = open_results(study)
    settings = comparison_settings(results, level=level, checkpoint=checkpoint)
    found = study_power(results, settings, delta, target=target, checkpoint=checkpoint, reference=reference)
    echo(described(found, settings, delta, target))


def described(found: StudyPower, settings: ComparisonSettings, delta: float, target: float) -> str:
    """Return a plan as text."""
    metric, unit = settings.metric, settings.unit and f" {settings.unit}"
    lines = [f"To detect a difference of {delta:g}{unit} in {metric} with a chance of {target:.0%}:", ""]
    if found.comparisons:
        head = ("comparison", "now", "detects", "seeds", "needed", "more", "time")
        lines += [table(head, [_line(each, metric) for each in found.comparisons]), ""]
        lines.append("detects: the smallest difference that the seeds at hand detect with that chance.")
    lines += _summary(found)
    return "\n".join(lines)


def _line(each: PairPower, metric: str) -> tuple[str, ...]:
    made = each.plan
    upper = "-" if made.needed_high is None else str(made.needed_high)
    needed = f"{made.needed} ({upper})" if made.obstacle is None else NEEDED[made.obstacle]
    return (
        f"{each.first} - {each.second}",
        signed_as(metric, each.difference),
        signed_as(metric, each.smallest_detectable).lstrip("+"),
        str(made.now),
        needed,
        "-" if made.more is None else str(made.more),
        "-" if each.seconds is None else written_time(each.seconds),
    )


def _reason(obstacle: str, short: Sequence[PairPower]) -> str:
    if obstacle == "splits":
        return "the splits of the seeds overlap too much. More images for training, or a published split, would help."
    if obstacle == "seeds":
        return "more seeds are needed than a study can train."
    now = max(each.n_sources for each in short)
    enough = max(math.ceil(each.n_sources * (each.plan.sources_factor or 1.0)) for each in short)
    return f"{now} test sources are too few, whatever the number of seeds; at least about {enough} are needed."


def _summary(found: StudyPower) -> list[str]:
    lines = []
    if found.left_out:
        lines.append(f"{found.left_out} comparison(s) have fewer than two shared seeds, so their variance is unknown.")
    for obstacle in NEEDED:
        short = [each for each in found.comparisons if each.plan.obstacle == obstacle]
        if short:
            lines.append(f"{len(short)} comparison(s) cannot detect it: {_reason(obstacle, short)}")
    if found.seeds is not None:
        time = "" if found.seconds is None else f" ({written_time(found.seconds)} of training, one run after the other)"
        lines.append(f"With {found.seeds} seeds in every row, all comparisons detect it{time}.")
    if not found.comparisons:
        lines.append("There is nothing to compare: two networks or arms with two shared seeds are needed.")
    return lines
