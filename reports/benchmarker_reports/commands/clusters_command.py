"""``benchmarker clusters``: declare which test sources are not independent of each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from benchmarker import UserPath, command_settings, echo

if TYPE_CHECKING:
    from benchmarker import StudyResults


@click.command(
    name="clusters",
    **command_settings(
        "benchmarker clusters results/mine --attribute mosaic",
        "benchmarker clusters results/mine --radius 30",
        "benchmarker clusters results/mine --file fields.csv",
        "benchmarker clusters results/mine --remove",
    ),
)
@click.argument("study", type=UserPath())
@click.option("--attribute", metavar="NAME", help="Attribute of the dataset whose equal values make a cluster.")
@click.option("--radius", type=click.FloatRange(0, min_open=True), metavar="ARCMIN",
              help="Link sources that are at most this far apart on the sky.")  # fmt: skip
@click.option("--positions", default="ra,dec", show_default=True, metavar="RA,DEC",
              help="Attributes with the positions in degrees, for --radius.")  # fmt: skip
@click.option("--file", "file", type=UserPath(), metavar="FILE", help="CSV with the columns source_id and cluster.")
@click.option("--remove", is_flag=True, help="Take all sources as independent again.")
def command(
    *, study: Path, attribute: str | None, radius: float | None, positions: str, file: Path | None, remove: bool
) -> None:
    """Declare clusters of sources, such as those of one pointing or mosaic, which are not independent of each other.

    The clusters are written to clusters.csv in the folder of the study. From then on every command and report draws
    whole clusters instead of sources when it asks what other galaxies would give; nothing is trained again.
    """
    from benchmarker import CLUSTERS_FILE, clusters_text, open_results, read_clusters, write_bytes

    chosen = [attribute is not None, radius is not None, file is not None, remove]
    if sum(chosen) != 1:
        raise click.UsageError("Give one of --attribute, --radius, --file and --remove.")
    results = open_results(study)
    target = results.folder / CLUSTERS_FILE
    if remove:
        target.unlink(missing_ok=True)
        echo("All sources are independent.")
        return
    if file is not None:
        found = read_clusters(file)
        if not found:
            raise click.UsageError(f"{file} holds no clusters.")
    else:
        found = _from_attributes(results, attribute, radius, positions)
    write_bytes(target, clusters_text(found).encode())
    echo(f"Wrote {target}: {len(found):,} sources in {len(set(found.values())):,} clusters")


def _from_attributes(
    results: StudyResults, attribute: str | None, radius: float | None, positions: str
) -> dict[str, str]:
    """Return the clusters that attributes of the prepared dataset give."""
    from benchmarker import ConfigurationError, clusters_by_position, clusters_by_value

    data = results.prepared
    if data is None:
        raise ConfigurationError(
            "The prepared images of this study are not in this machine's cache. Use --file, or run "
            "`benchmarker validate` or `run` with its registry here first."
        )
    names = [attribute] if attribute is not None else [name.strip() for name in positions.split(",")]
    if missing := [name for name in names if name not in data.attributes]:
        known = ", ".join(data.attributes) or "none"
        raise ConfigurationError(f"The dataset has no attribute {missing[0]!r}; it has: {known}.")
    if attribute is not None:
        return clusters_by_value(data.source_ids, data.attributes[attribute].values)
    if len(names) != 2 or radius is None:
        raise ConfigurationError(f"--positions needs two attributes. Received: {positions!r}")
    ra, dec = (data.attributes[name].values for name in names)
    return clusters_by_position(data.source_ids, ra, dec, radius)
