"""Plots the fidelity curves of a study's generators, and writes them as CSV and Markdown.

A fidelity curve shows whether generated images follow a continuous condition.

    benchmarker gan train conditional_fidelity
    python examples/conditional_fidelity.py results/conditional_fidelity --out build/fidelity

The curves are measured at the end of each training: one condition moves through its range while the latent points stay
fixed and the other conditions stay at their means.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarker import open_results

Curve = Mapping[str, Any]

_COLUMNS = ("requested", "measured", "p16", "p84")


def curves(study: Path, condition: str, measured: str) -> dict[str, Curve]:
    """Return the curve of each finished generator by name and seed."""
    results = open_results(study)
    found = {}
    for generator in results.generators:
        for curve in results.quality(generator).get("fidelity", ()):
            if curve["condition"] == condition and curve["property"] == measured:
                found[f"{generator.label} (seed {generator.seed})"] = curve
    return found


def table(found: Mapping[str, Curve]) -> str:
    """Return the numbers as a Markdown table."""
    lines = [
        "| generator | rank correlation | rises at every step | falls at every step | latent points |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, curve in found.items():
        rank = curve["rank_correlation"]
        shares = " | ".join(f"{100 * curve[share]:.0f} %" for share in ("monotonic_share", "falling_share"))
        lines.append(f"| {name} | {'-' if rank is None else f'{rank:.3f}'} | {shares} | {curve['n']} |")
    return "\n".join(lines) + "\n"


def as_csv(found: Mapping[str, Curve]) -> str:
    """Return a line per generator and requested value: the median, and the 16th and 84th percentiles."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("generator", *_COLUMNS))
    for name, curve in found.items():
        writer.writerows((name, *row) for row in zip(*(curve[column] for column in _COLUMNS), strict=True))
    return text.getvalue()


def draw(found: Mapping[str, Curve], file: Path) -> None:
    """Plot all curves side by side on a common scale."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(found), 3.2), layout="constrained")
    panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for panel, (name, curve) in zip(panels, found.items(), strict=True):
        panel.fill_between(curve["requested"], curve["p16"], curve["p84"], alpha=0.3, linewidth=0)
        panel.plot(curve["requested"], curve["measured"], marker="o", markersize=3)
        rank = curve["rank_correlation"]
        share = f"{100 * curve['monotonic_share']:.0f} % monotonic"
        panel.set_title(f"{name}\nrank correlation {'-' if rank is None else f'{rank:.3f}'}, {share}", fontsize=9)
        panel.set_xlabel(f"requested {curve['condition']} [{curve['condition_unit']}]", fontsize=9)
    first = next(iter(found.values()))
    panels[0].set_ylabel(f"measured {first['property']} [{first['property_unit']}]", fontsize=9)
    # A fixed salt makes the file reproducible.
    with rc_context({"svg.hashsalt": "fidelity"}):
        figure.savefig(file, format="svg", metadata={"Date": None})


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="folder of a study with generators")
    parser.add_argument(
        "--out", type=Path, default=Path(), help="folder for fidelity.svg, fidelity.csv and fidelity.md"
    )
    parser.add_argument("--condition", default="log_stellar_mass", help="default: log_stellar_mass")
    parser.add_argument("--property", default="aperture_flux", dest="measured", help="default: aperture_flux")
    chosen = parser.parse_args(arguments)
    found = curves(chosen.study, chosen.condition, chosen.measured)
    if not found:
        sys.stderr.write(f"{chosen.study}: no generator has a curve of {chosen.measured} against {chosen.condition}\n")
        return 1
    chosen.out.mkdir(parents=True, exist_ok=True)
    draw(found, chosen.out / "fidelity.svg")
    (chosen.out / "fidelity.csv").write_text(as_csv(found), encoding="utf-8")
    (chosen.out / "fidelity.md").write_text(table(found), encoding="utf-8")
    sys.stdout.write(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
