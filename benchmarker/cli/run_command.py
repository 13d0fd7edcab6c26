"""``benchmarker run`` and ``quickstart.py``: train what is not finished yet, and show the leaderboard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from benchmarker.cli.base import PATH, examples, on_terminal, settings, show_renderable
from benchmarker.cli.ending import ended_in_order, exit_code
from benchmarker.cli.run_options import run_options
from benchmarker.errors import PluginError

if TYPE_CHECKING:
    from benchmarker.discovery import Plugins
    from benchmarker.registry import LoadedRegistry, Overrides
    from benchmarker.run import Policy, StudyOutcome

DEFAULT_REGISTRY = Path("registries/quickstart.yaml")
RESULTS = Path("results")
_OF_POLICY = ("jobs", "gpus", "timeout", "retries", "retry_failed", "fail_fast")


@click.command(
    epilog=examples(
        "benchmarker run registries/quickstart.yaml -s 8901",
        "benchmarker run becker2021 -d FIRST/ -f manifest.csv -p results/mine",
        "benchmarker run list.txt -d images/ -i 150 -t 10 -v 5 -s 8901,1826,4915",
        "benchmarker run becker2021 --jobs 4 --gpus 0,1 --timeout 7200",
        "benchmarker run becker2021 --retry-failed --fail-fast",
    ),
    context_settings=settings(),
)
@click.argument("registry", required=False, type=PATH)
@click.option("-a", "--architectures", type=PATH, metavar="LIST",
              help="The registry, as quickstart.py takes it.")  # fmt: skip
@run_options
def run(registry: Path | None, architectures: Path | None, **options: Any) -> int:
    """Train and test every cell of a registry that is not finished yet, and print the leaderboard.

    REGISTRY is a YAML file, a text list of the radio framework or the name of a shipped registry. The same command
    again finds what is finished; after Ctrl-C it goes on with the rest, and with the networks that were being trained.
    Started twice, it shares the work. Exits with 1 if any cell failed.
    """
    if registry is not None and architectures is not None:
        raise click.UsageError("give the registry once: as REGISTRY or by -a.", click.get_current_context())
    return execute(registry or architectures or DEFAULT_REGISTRY, **options)


@click.command(
    epilog=examples(
        "python quickstart.py",
        "python quickstart.py -a registries/quickstart.yaml -s 8901",
        "python quickstart.py -a list.txt -d images/ -f manifest.csv -i 150 -s 8901 >> log.txt",
    ),
    context_settings=settings(),
)
@click.option("-a", "--architectures", type=PATH, metavar="LIST", default=DEFAULT_REGISTRY,
              show_default=True, help="Registry (YAML), or text list of network, rate and epochs.")  # fmt: skip
@run_options
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def quickstart_command(architectures: Path, debug: bool, **options: Any) -> int:  # noqa: ARG001 - main() reads --debug
    """Train networks deterministically on galaxy images, and rank them.

    The results stand in the last lines of the output. The same command again finds what is finished.
    """
    return execute(architectures, **options)


def execute(
    path: Path,
    *,
    results_path: Path | None,
    model_path: Path | None,
    only_test: bool,
    force: bool,
    offline: bool,
    strict: bool,
    **options: Any,
) -> int:
    """Run a registry with the options of the command line; return the exit code.

    Parameters
    ----------
    path : Path
        Of the registry, or its name.
    results_path, model_path, only_test, force, offline, strict
        As the options of these names.
    **options
        All others: how cells are run, and what replaces settings of the registry.
    """
    from benchmarker.cli.progress import observer
    from benchmarker.discovery import installed
    from benchmarker.registry import load_registry
    from benchmarker.run import run_study

    policy = _policy(options)
    plugins = installed()
    if strict:
        _refuse_broken(plugins)
    overrides = _overrides(options)
    loaded = load_registry(path, overrides, plugins)
    results = results_path or default_results(loaded.path, mnist=overrides.mnist)
    try:
        with ended_in_order(), observer(results) as watching:
            outcome = run_study(
                loaded,
                results,
                observer=watching,
                plugins=plugins,
                force=force,
                offline=offline,
                test_only=only_test,
                models_folder=model_path,
                policy=policy,
            )
    except KeyboardInterrupt as error:
        click.echo(
            "interrupted: what has finished is kept, the rest is pending; the same command goes on with it", err=True
        )
        return exit_code(error)
    _conclude(results, loaded, outcome)
    return 1 if outcome.failed or outcome.generators_failed else 0


def _policy(options: Mapping[str, Any]) -> Policy:
    """Return how cells are run, which changes no result."""
    from benchmarker.run import Policy, parse_gpus

    given = {name: options[name] for name in _OF_POLICY}
    return Policy(**given | {"gpus": None if given["gpus"] is None else parse_gpus(given["gpus"])})


def _overrides(options: Mapping[str, Any]) -> Overrides:
    """Return what replaces settings of the registry."""
    from benchmarker.registry import Overrides

    given = {name: value for name, value in options.items() if name not in _OF_POLICY}
    return Overrides(**given | {"seeds": tuple(seed for some in given["seeds"] for seed in some)})


def default_results(registry: Path, *, mnist: bool) -> Path:
    """Return the study's folder where none is given; digits and galaxies are two studies."""
    return RESULTS / f"{registry.stem}{'-mnist' if mnist else ''}"


def _refuse_broken(plugins: Plugins) -> None:
    if plugins.broken:
        lines = "\n".join(f"  {plugin.name} from {plugin.distribution}: {plugin.error}" for plugin in plugins.broken)
        raise PluginError(f"--strict refuses to run with broken plugins:\n{lines}\nTracebacks: benchmarker list -v")


def _conclude(results: Path, loaded: LoadedRegistry, outcome: StudyOutcome) -> None:
    """Show the leaderboard; into a file it comes last, where the readers of logs look for it."""
    from benchmarker.cli.rendering import render
    from benchmarker.results.study_results import open_results

    rendered = render(open_results(results), "terminal")
    reused = f" ({outcome.reused} found finished, not repeated)" if outcome.reused else ""
    before = (f"Failed:   {outcome.failed_before} before, not repeated; --retry-failed runs them again",)
    hints = (
        f"{loaded.path.name}: {outcome.ok} of {outcome.ok + outcome.failed + outcome.pending} cells ok{reused}",
        *(before if outcome.failed_before else ()),
        f"Results:  {results}",
        f"More:     benchmarker leaderboard {results} --format csv",
        f"          benchmarker report {results} --format html",
        f"          benchmarker show {results}",
    )
    if on_terminal():
        click.echo()
        show_renderable(rendered)
        click.echo("\n" + "\n".join(hints))
    else:
        click.echo("\n" + "\n".join(hints) + "\n")
        show_renderable(rendered)
