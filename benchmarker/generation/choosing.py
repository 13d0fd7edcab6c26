"""The choice of an epoch: a page with the grids of all epochs side by side, and the record of what was chosen."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from benchmarker.errors import ConfigurationError
from benchmarker.files import read_ordinary, read_ordinary_text, write_text
from benchmarker.generation.run_files import FIXED, REAL_GRID, SAMPLES_FOLDER, GeneratorTrail, saved_epochs
from benchmarker.record import Record
from benchmarker.study.layout import HISTORY_FILE

CHOICE_FILE = "choice.json"

_GRID = re.compile(r"epoch-(\d{4,})\.png")
_SHOWN = ("diversity", "fresh_real_accuracy", "fresh_fake_accuracy", "d_loss_real", "d_loss_fake", "g_loss")
_STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; }
figure { margin: 0; padding: .5rem; border: 1px solid #8886; border-radius: .4rem; }
figure.chosen { border: 3px solid #2a7f62; }
img { width: 100%; image-rendering: pixelated; }
"""


class Choice(Record):
    """``choice.json`` in the run of a generator."""

    epoch: int
    """Epoch whose weights draw images where no other is asked for."""


def chosen_epoch(run: Path) -> int | None:
    """Return the epoch that was chosen for a generator; None if none was."""
    file = run / CHOICE_FILE
    return Choice.read(file).epoch if file.is_file() else None


def choose(run: Path, epoch: int) -> None:
    """Record the choice of an epoch.

    Raises
    ------
    ConfigurationError
        If its weights were not kept.
    """
    require_kept(epoch, saved_epochs(run))
    Choice(epoch=epoch).write(run / CHOICE_FILE)


def require_kept(epoch: int, kept: list[int] | tuple[int, ...]) -> None:
    """Refuse an epoch whose weights were not kept.

    Raises
    ------
    ConfigurationError
        With the epochs whose weights were.
    """
    if epoch not in kept:
        raise ConfigurationError(
            f"the weights of epoch {epoch} were not kept; there are those of: {', '.join(map(str, kept))}"
        )


def write_page(run: Path, out: Path) -> None:
    """Write one HTML page, which needs no other file, with the grids of all epochs.

    Parameters
    ----------
    run : Path
        Finished run of a generator.
    out : Path
        File to write.
    """
    trail = GeneratorTrail.read(run)
    samples = run / SAMPLES_FOLDER
    name = f"{trail.spec.generator.name}, seed {trail.spec.seed}"
    kept, chosen = saved_epochs(run), chosen_epoch(run)
    numbers = _numbers(run)
    figures = [_figure("Real images of the training part", [samples / REAL_GRID], "")]
    for epoch, grid in _grids(samples):
        about = [numbers.get(epoch, ""), "weights kept" if epoch in kept else "weights not kept"]
        title = f"Epoch {epoch}" + (" (chosen)" if epoch == chosen else "")
        pictures = [grid, *(path for path in [samples / f"{FIXED}{grid.name}"] if path.is_file())]
        figures.append(_figure(title, pictures, "; ".join(filter(None, about)), marked=epoch == chosen))
    body = "\n".join(figures)
    write_text(
        out,
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(name)}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{escape(name)}</h1>\n"
        "<p>Record your choice with <code>benchmarker gan choose STUDY --epoch N</code>.</p>\n"
        f"<main>\n{body}\n</main></body></html>\n",
    )


def _grids(samples: Path) -> Iterator[tuple[int, Path]]:
    for path in sorted(samples.glob("epoch-*.png")):
        if match := _GRID.fullmatch(path.name):
            yield int(match[1]), path


def _numbers(run: Path) -> dict[int, str]:
    """Return the figures of each epoch in words."""
    rows = list(csv.DictReader(io.StringIO(read_ordinary_text(run / HISTORY_FILE), newline="")))
    return {
        int(row["epoch"]): ", ".join(
            f"{name.replace('_', ' ')} {float(row[name]):.3g}" for name in _SHOWN if name in row
        )
        for row in rows
    }


def _figure(title: str, pictures: list[Path], caption: str, *, marked: bool = False) -> str:
    images = "".join(
        f'<img alt="{escape(title)}" src="data:image/png;base64,{base64.b64encode(read_ordinary(path)).decode()}">'
        for path in pictures
    )
    css = ' class="chosen"' if marked else ""
    return f"<figure{css}><figcaption><b>{escape(title)}</b><br>{escape(caption)}</figcaption>{images}</figure>"
