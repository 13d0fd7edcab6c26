"""``benchmarker validate``: find all errors in registries before anything is trained."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from benchmarker.cli.options import PATH, command_settings
from benchmarker.cli.output import planned
from benchmarker.printing import counted, echo

INVALID = 2


@click.command(
    **command_settings("benchmarker validate registries/quickstart.yaml", "benchmarker validate mine.yaml old-list.txt")
)
@click.argument("registries", nargs=-1, required=True, metavar="REGISTRY...", type=PATH)
def validate(registries: tuple[Path, ...]) -> int:
    """Check registries against the installed plugins.

    All errors are reported together, one per line: file:line:column, what was expected and what was received. A warning
    means that some cells would fail, for example because a plugin is broken, while all others would run.
    """
    from benchmarker.discovery import installed
    from benchmarker.errors import RegistryError

    invalid = False
    for path in registries:
        try:
            report = _check(path)
        except RegistryError as error:
            invalid = True
            for problem in error.problems:
                echo(problem, err=True)
        else:
            echo("\n".join(report))
    broken = installed().broken
    if broken:
        verb = "is" if len(broken) == 1 else "are"
        echo(f"{counted(len(broken), 'plugin')} {verb} broken; benchmarker list -v shows why", err=True)
    return INVALID if invalid else 0


def _check(path: Path) -> list[str]:
    from benchmarker.discovery import installed
    from benchmarker.registry import check_registry, load_registry
    from benchmarker.registry.generated import used_generators

    loaded = load_registry(path, plugins=installed())
    problems = check_registry(loaded, installed())
    registry = loaded.registry
    models, arms, seeds = len(registry.models), len(registry.arms), len(registry.all_seeds)
    most = "at most " if registry.until_decided is not None else ""
    repeats = counted(seeds, "seed")
    if registry.folds is not None:
        repeats = f"{counted(registry.folds, 'fold')} x {counted(len(registry.seeds), 'seed')}"
    counts = f"{counted(models, 'model')} x {counted(arms, 'arm')} x {most}{repeats}"
    lost = [problem.index for problem in problems if problem.part == "arm"]
    total = planned(models * arms * seeds, len(used_generators(registry, lost)) * seeds)
    return [
        f"{loaded.path}: {counts} = {total} on {registry.dataset.name}",
        *(f"warning: {problem.message}" for problem in problems),
    ]
