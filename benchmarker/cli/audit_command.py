"""``benchmarker audit``: whether the results of a study can be reproduced."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from benchmarker.cli.interrupts import exit_code
from benchmarker.cli.options import PATH, command_settings, output_option, study_argument
from benchmarker.cli.output import write
from benchmarker.errors import BenchmarkerError, ConfigurationError
from benchmarker.printing import echo


@click.command(
    **command_settings(
        "benchmarker audit results/quickstart",
        "benchmarker audit results/quickstart --sample 2 --format html --output audit.html",
        "benchmarker audit results/mine --cells convxpress/real/8901,mcrgnet/real -d FIRST/",
        "benchmarker audit results/quickstart --offline --format json",
    )
)
@study_argument
@click.option("--cells", metavar="CELL[,CELL...]",
              help="Cells to audit: network, network/arm, network/arm/seed or the beginning of a key. "
              "[default: all finished cells]")  # fmt: skip
@click.option("--sample", type=click.IntRange(min=1), metavar="N",
              help="Audit a random sample of N cells, which is the same every time.")  # fmt: skip
@click.option("--offline", is_flag=True, help="Train nothing; only check the files against the trails.")
@click.option("-d", "--data", type=PATH, metavar="PATH", help="Path of the images, if they were moved.")
@click.option("--format", "name", type=click.Choice(["text", "json", "html", "markdown"]), default="text",
              show_default=True, help="Format of the report.")  # fmt: skip
@output_option
@click.option("--keep", type=PATH, metavar="FOLDER", help="Keep the new runs in this folder, which must be empty.")
def audit(
    *,
    study: Path,
    cells: str | None,
    sample: int | None,
    offline: bool,
    data: Path | None,
    name: str,
    output: Path | None,
    keep: Path | None,
) -> int:
    """Run cells of a study again, and compare the trails link by link.

    First, files that were changed after their run are found. With --offline the audit ends there: the verdict is
    "intact" (exit code 0) or "differs" (1).

    Then cells are run again in another folder, and the verdict is "bitwise" (0), "within tolerance" (3) if another
    environment gives other bits but metrics within their bands, or "differs" (1), with the first link that differs and
    its usual cause. What cannot be compared, for want of a plugin, memory or the images, is "unchecked" (2), and
    everything else is checked. The study itself is never changed.
    """
    from benchmarker.audit import audit_study
    from benchmarker.audit.render import render
    from benchmarker.discovery import installed

    if offline and keep is not None:
        raise click.UsageError("--offline trains nothing, so there is nothing to --keep.", click.get_current_context())
    try:
        report = audit_study(
            study,
            plugins=installed(),
            cells=cells or "",
            sample=sample,
            train=not offline,
            keep=keep,
            data=data,
            announce=lambda text: echo(text, err=True),
        )
    except BenchmarkerError as error:
        # Exit code 1 means that results differ; an audit that fails must not look like one with that verdict.
        raise ConfigurationError(str(error)) from error
    except MemoryError as error:
        raise ConfigurationError("memory ran out before anything was compared; use a larger machine") from error
    except KeyboardInterrupt as error:
        echo("interrupted: the audit has no verdict", err=True)
        return exit_code(error)
    _deliver(render(report, name), output, report.verdict)
    return report.exit_code


def _deliver(rendered: str, output: Path | None, verdict: str) -> None:
    if output is None:
        echo(rendered, nl=False)
    else:
        write(rendered, output)
        echo(f"verdict: {verdict}; the report is in {output}", err=True)
