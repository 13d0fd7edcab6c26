"""LaTeX reports: text is escaped, each number has a macro, and the document compiles."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarker import ReportOptions, open_results
from benchmarker_reports.formats.latex import render
from benchmarker_reports.formats.latex_text import comment, escaped, letters
from tests.reports.material import HOSTILE

_NEEDS = "apt-get install --no-install-recommends texlive-latex-base texlive-latex-recommended"


@pytest.fixture(scope="module")
def files(study_folder: Path) -> dict[str, str]:
    return render(open_results(study_folder), ReportOptions())


def test_latex_files_are_a_document_tables_and_numbers(files: dict[str, str]) -> None:
    assert {"numbers.tex", "report.tex", "table_leaderboard.tex", "table_per_class.tex"} <= set(files)
    inputs = re.findall(r"\\input\{(.*?)\}", files["report.tex"])
    assert sorted(inputs) == sorted(set(files) - {"report.tex"})
    assert r"\toprule" in files["table_leaderboard.tex"]
    assert "95 \\% interval" in files["table_leaderboard.tex"]


def test_latex_numbers_have_macros_of_letters(files: dict[str, str], study_folder: Path) -> None:
    names = re.findall(r"\\newcommand\{\\(.*?)\}", files["numbers.tex"])
    assert len(names) == len(set(names)) > 100
    assert all(re.fullmatch("[A-Za-z]+", name) for name in names)
    defined = dict(re.findall(r"\\newcommand\{\\(.*?)\}\{(.*?)\} %", files["numbers.tex"]))
    row = open_results(study_folder).leaderboard("best").rows[0]
    name = f"GB{letters(row.label)}{letters(row.arm)}MeanPerClassAccuracy"
    summary = row.metrics["mean_per_class_accuracy"]
    assert defined[f"{name}Mean"] == f"{summary.mean:.1f}"
    assert defined[f"{name}Deviation"] == f"{summary.standard_deviation:.1f}"
    assert defined["GBCellsFinished"] == "24"


def test_latex_has_the_same_bytes_for_the_same_study(files: dict[str, str], make_study: Callable[[], Path]) -> None:
    assert render(open_results(make_study()), ReportOptions()) == files


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\write18{x}", r"\textbackslash{}write18\{x\}"),
        ("a_b", r"a\_\allowbreak{}b"),
        ("50 % & $5 #1", r"50 \% \& \$5 \#1"),
        ("x^2~y", r"x\textasciicircum{}2\textasciitilde{}y"),
        ("a---b,,c", r"a-{}-{}-b,{},c"),
        ("?`!`", r"?\textasciigrave{}!\textasciigrave{}"),
        ("±β é 星", r"\ensuremath{\pm}\ensuremath{\beta} é {[}U+661F]"),
        ("[2pt] *", "{[}2pt] {*}"),
        ("two\nlines\x00", "two lines "),
    ],
)
def test_escaped_text_is_printed_and_never_executed(text: str, expected: str) -> None:
    assert escaped(text) == expected


def test_macro_names_and_comments_are_plain_ascii() -> None:
    assert letters("fr_deep 2é") == "FrDeepTwoe"
    assert letters("星") == ""
    assert comment("a\nb\\input{x} 星") == "a b\\input{x}  "


def _compile(files: dict[str, str], folder: Path) -> str:
    if shutil.which("pdflatex") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs pdflatex: {_NEEDS}")
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    command = ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF")
    return done.stdout


def test_latex_document_compiles_within_its_margins(files: dict[str, str], tmp_path: Path) -> None:
    log = _compile(files, tmp_path)
    wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", log)]
    assert max(wide, default=0) < 10


def test_latex_document_compiles_to_the_same_bytes(files: dict[str, str], tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        _compile(files, tmp_path / name)
    assert (tmp_path / "first/report.pdf").read_bytes() == (tmp_path / "second/report.pdf").read_bytes()


def test_latex_with_hostile_names_compiles_and_executes_nothing(hostile_folder: Path, tmp_path: Path) -> None:
    files = render(open_results(hostile_folder), ReportOptions())
    for name, text in files.items():
        assert r"\write18" not in re.sub("%.*", "", text), name
    for line in files["numbers.tex"].splitlines():
        assert line.startswith(r"\newcommand{\GB")
    _compile(files, tmp_path)
    assert not (tmp_path / "owned").exists()
    assert HOSTILE[1] not in files["report.tex"]


def test_escaped_characters_compile(tmp_path: Path) -> None:
    """The fonts of pdflatex have every character that the escaping lets through."""
    letters_of = "".join(chr(code) for code in (*range(0x20, 0x7F), *range(0xA0, 0x180), *range(0x370, 0x400), 0x661F))
    document = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage[utf8]{inputenc}\usepackage{textcomp}"
    text = " ".join(escaped(letter) for letter in letters_of)
    _compile({"report.tex": document + r"\begin{document}" + text + r"\end{document}"}, tmp_path)


def test_best_values_of_ranked_rows_are_bold(study_folder: Path) -> None:
    table = render(open_results(study_folder), ReportOptions())["table_leaderboard.tex"]
    rows = [line for line in table.splitlines() if line.endswith(r"\\") and "network" not in line]
    assert rows[0].count(r"\textbf") == 2  # the metric and the macro-averaged F1
    assert sum(line.count(r"\textbf") for line in rows) == len(["metric", "F1"])  # two arms share each network's costs
