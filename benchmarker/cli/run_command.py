"""``benchmarker run`` and ``quickstart.py``: train what is not finished yet, and show the leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from benchmarker.cli.interrupts import exit_code
from benchmarker.cli.options import (
    PATH,
    command_settings,
    force_option,
    offline_option,
    overrides_options,
    policy_options,
    results_option,
)
from benchmarker.cli.output import show
from benchmarker.cli.radio_spellings import RadioCommand
from benchmarker.errors import PluginError
from benchmarker.printing import counted, echo

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarker.discovery import Plugins
    from benchmarker.registry import LoadedRegistry, Overrides
    from benchmarker.run import Policy, StudyOutcome

DEFAULT_REGISTRY = Path("registries/quickstart.yaml")
RESULTS = Path("results")
LEGACY_FOLDER = "legacy"
LEGACY_REPORT = "radio-framework"
"""Report format with the files of the radio framework."""


def _run_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a run, in the order in which help lists them."""
    for decorate in reversed((
        overrides_options,
        results_option,
        click.option("-m", "--model-path", type=PATH, metavar="FOLDER",
                     help="Also save weights in this folder; with -o, read them from it."),
        click.option("-o", "--only-test", is_flag=True, help="Test saved weights without training."),
        click.option("--legacy-outputs", is_flag=True,
                     help="Also write the radio framework's files to the folder `legacy` of the study."),
        policy_options,
        force_option,
        offline_option,
        click.option("--cells", metavar="CELL[,CELL...]",
                     help="Run only these: network, network/arm, network/arm/seed or the beginning of a key."),
        click.option("--share", metavar="K/N",
                     help="Run only the K-th of N equal shares, as a task of a batch job does."),
        click.option("--plan-only", is_flag=True, help="Prepare the data and write the plan, but train nothing."),
        click.option("--strict", is_flag=True, help="Refuse to run if any installed plugin is broken."),
    )):  # fmt: skip
        function = decorate(function)
    return function


@click.command(
    cls=RadioCommand,
    **command_settings(
        "benchmarker run registries/quickstart.yaml -s 8901",
        "benchmarker run becker2021 -d FIRST/ -f manifest.csv -p results/mine",
        "benchmarker run list.txt -d images/ -i 150 -t 10 -v 5 -s 8901,1826,4915",
        "benchmarker run becker2021 --jobs 4 --gpus 0,1 --timeout 7200",
        "benchmarker run becker2021 --retry-failed --fail-fast",
        "benchmarker run becker2021 --until-decided --at-most 12",
        "benchmarker run becker2021 -p results/shared --share 3/24",
    ),
)
@click.argument("registry", required=False, type=PATH)
@click.option("-a", "--architectures", type=PATH, metavar="LIST", help="The registry, for users of quickstart.py.")
@_run_options
def run(registry: Path | None, architectures: Path | None, **options: Any) -> int:
    """Train and test the networks of a registry, and print the leaderboard.

    REGISTRY is a YAML file, a text list of the radio framework, or the name of a shipped registry; without it the
    quickstart is run.

    Cells that finished before are not repeated. After Ctrl-C the same command resumes where it stopped. Several
    commands may run at the same time and share the work. The exit code is 1 if any cell failed.
    """
    if registry is not None and architectures is not None:
        raise click.UsageError("give the registry only once, as REGISTRY or with -a.", click.get_current_context())
    return run_registry(registry or architectures or DEFAULT_REGISTRY, **options)


@click.command(
    cls=RadioCommand,
    **command_settings(
        "python quickstart.py",
        "python quickstart.py -a registries/quickstart.yaml -s 8901",
        "python quickstart.py -a list.txt -d images/ -f manifest.csv -i 150 -s 8901 >> log.txt",
    ),
)
@click.option("-a", "--architectures", type=PATH, metavar="LIST", default=DEFAULT_REGISTRY, show_default=True,
              help="Registry (YAML), or text list of networks, learning rates and epochs.")  # fmt: skip
@_run_options
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def quickstart_command(architectures: Path, debug: bool, **options: Any) -> int:  # noqa: ARG001 - main() reads --debug
    """Train networks deterministically on galaxy images, and rank them.

    The leaderboard is at the end of the output. Cells that finished before are not repeated. After Ctrl-C the same
    command resumes where it stopped.
    """
    return run_registry(architectures, **options)


def run_registry(
    path: Path,
    *,
    overrides: Overrides,
    policy: Policy,
    results_path: Path | None,
    model_path: Path | None,
    only_test: bool,
    legacy_outputs: bool,
    force: bool,
    offline: bool,
    strict: bool,
    cells: str | None = None,
    share: str | None = None,
    plan_only: bool = False,
) -> int:
    """Run a registry as the options of the command line say, and return the exit code.

    Parameters
    ----------
    path : Path
        The registry, or the name of a shipped one.
    overrides, policy, results_path, model_path, only_test, legacy_outputs, force, offline, strict, cells, share
        Values of the options.
    plan_only : bool
        Prepare the data and write the plan, but train nothing.
    """
    from benchmarker.cli.progress import observer
    from benchmarker.discovery import installed
    from benchmarker.registry import load_registry
    from benchmarker.run import Chosen, Share, plan_study, run_study
    from benchmarker.statistics.judging import judge_round

    plugins = installed()
    if strict:
        _refuse_broken(plugins)
    chosen = Chosen(cells=cells, share=None if share is None else Share.parse(share))
    loaded = load_registry(path, overrides, plugins)
    results = results_path or default_results(loaded.path, mnist=overrides.mnist)
    try:
        with observer(results) as watching:
            if plan_only:
                n = plan_study(
                    loaded,
                    results,
                    observer=watching,
                    plugins=plugins,
                    force=force,
                    offline=offline,
                    policy=policy,
                    judge=judge_round,
                )
                echo(f"{loaded.path.name}: {counted(n, 'cell')} planned in {results}")
                return 0
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
                chosen=chosen,
                judge=judge_round,
            )
    except KeyboardInterrupt as error:
        echo("interrupted: finished cells are kept; run the same command again to resume the others", err=True)
        return exit_code(error)
    if legacy_outputs and outcome.ok:
        _write_legacy_files(results)
    _conclude(results, loaded, outcome)
    return 1 if outcome.failed or outcome.generators_failed else 0


def default_results(registry: Path, *, mnist: bool) -> Path:
    """Return the default folder of a study; MNIST has a different one, because it is a study of other images."""
    return RESULTS / f"{registry.stem}{'-mnist' if mnist else ''}"


def _refuse_broken(plugins: Plugins) -> None:
    if plugins.broken:
        lines = "\n".join(f"  {plugin.name} from {plugin.distribution}: {plugin.error}" for plugin in plugins.broken)
        raise PluginError(f"--strict refuses to run with broken plugins:\n{lines}\nTracebacks: benchmarker list -v")


def _write_legacy_files(study: Path) -> None:
    """Write the files of the radio framework, which a plugin knows, and say where they are."""
    from benchmarker.cli.output import write_file
    from benchmarker.cli.rendering import as_files, find_format, render
    from benchmarker.results.study_results import open_results
    from benchmarker.trained.whole_models import save_whole_models

    files = as_files(render(open_results(study), LEGACY_REPORT), find_format(LEGACY_REPORT))
    for name, content in files.items():
        write_file(study / LEGACY_FOLDER / name, content, parents=True)
    n = len(files) + save_whole_models(study, study / LEGACY_FOLDER)
    echo(f"{n} files of the radio framework: {study / LEGACY_FOLDER}")


def _conclude(results: Path, loaded: LoadedRegistry, outcome: StudyOutcome) -> None:
    """Print the leaderboard; it ends the output of a log, where readers look for it."""
    from benchmarker.cli.rendering import render
    from benchmarker.results.study_results import open_results

    rendered = render(open_results(results), "terminal")
    reused = f" ({outcome.reused} finished before)" if outcome.reused else ""
    lines = [f"{loaded.path.name}: {outcome.ok} of {outcome.ok + outcome.failed + outcome.pending} cells ok{reused}"]
    if outcome.failed_before:
        lines.append(f"Failed:   {outcome.failed_before} in an earlier call, not repeated; --retry-failed repeats them")
    lines += [
        f"Results:  {results}",
        f"More:     benchmarker leaderboard {results} --format csv",
        f"          benchmarker report {results} --format html",
        f"          benchmarker show {results}",
    ]
    summary = "\n".join(lines)
    echo(f"\n{summary}\n")
    show(rendered)
