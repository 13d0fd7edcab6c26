"""``benchmarker validate``: everything that is wrong with registries, before anything is trained."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from benchmarker.cli.base import PATH, counted, examples, planned, settings

INVALID = 2


@click.command(
    epilog=examples(
        "benchmarker validate registries/quickstart.yaml",
        "benchmarker validate mine.yaml old-list.txt",
    ),
    context_settings=settings(),
)
@click.argument("registries", nargs=-1, required=True, metavar="REGISTRY...", type=PATH)
def validate(registries: tuple[Path, ...]) -> int:
    """Check registries against the installed plugins, and show all problems at once.

    Every problem is one line: file:line:column, what was expected and what was received. What only some cells need and
    cannot have is a warning: those cells would fail, the others run.
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
                click.echo(problem, err=True)
        else:
            click.echo("\n".join(report))
    broken = installed().broken
    if broken:
        click.echo(f"{len(broken)} plugin(s) are broken: benchmarker list -v", err=True)
    return INVALID if invalid else 0


def _check(path: Path) -> list[str]:
    from benchmarker.discovery import installed
    from benchmarker.registry import check_registry, load_registry
    from benchmarker.registry.generated import used_generators

    loaded = load_registry(path, plugins=installed())
    problems = check_registry(loaded, installed())
    registry = loaded.registry
    models, arms, seeds = len(registry.models), len(registry.arms), len(registry.seeds)
    counts = f"{counted(models, 'model')} x {counted(arms, 'arm')} x {counted(seeds, 'seed')}"
    lost = [problem.index for problem in problems if problem.part == "arm"]
    total = planned(models * arms * seeds, len(used_generators(registry, lost)) * seeds)
    return [
        f"{loaded.path}: {counts} = {total} on {registry.dataset.name}",
        *(f"warning: {problem.message}" for problem in problems),
    ]
