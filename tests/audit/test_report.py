"""Cells are chosen for an audit, and its report is rendered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarker.audit.audit import select
from benchmarker.audit.bands import MetricComparison
from benchmarker.audit.render import MEANING, render
from benchmarker.audit.verdicts import EXIT_CODES, AuditReport, CellAudit, Finding
from benchmarker.errors import ConfigurationError
from benchmarker.results.study import Study, read_study
from benchmarker.results.trails import Difference, Entry

BITWISE = CellAudit(name="a/real/1", key="1" * 64, verdict="bitwise", summary="all 12 links are equal")
CRASHED = CellAudit(name="d/real/1", key="4" * 64, verdict="unchecked", summary="the re-run failed (crashed)")
TOLERATED = CellAudit(
    name="b/real/1",
    key="2" * 64,
    verdict="within tolerance",
    summary="in another environment",
    environment=(Entry(name="packages.numpy", recorded="2.3", rerun="2.4"),),
    difference=Difference(
        link="epoch 1",
        part="weights",
        entries=(Entry(name="weights", recorded="ab" * 32, rerun="cd" * 32),),
    ),
    causes=("threads",),
    metrics=(
        MetricComparison(checkpoint="best", metric="accuracy", recorded=0.9, rerun=0.91, band=0.04),
        MetricComparison(checkpoint="final", metric="accuracy", recorded=0.9, rerun=0.8, band=0.04),
    ),
)
TAMPERED = CellAudit(
    name="<script>|x*/real/1",
    key="3" * 64,
    verdict="differs",
    summary="its files are not what its run wrote",
    findings=(Finding(link="predictions", file="predictions_best.csv", text="<b>other</b> bytes | here"),),
)


def report(*cells: CellAudit, **changes: Any) -> AuditReport:
    content: dict[str, Any] = {
        "title": "A <study>",
        "dataset": "synthetic-radio",
        "trained": True,
        "planned": 5,
        "finished": 4,
        "selection": "all finished cells",
        "cells": cells,
    }
    return AuditReport(**content | changes)


@pytest.mark.parametrize(
    ("cells", "verdict", "code"),
    [
        ((BITWISE,), "bitwise", 0),
        ((BITWISE, TOLERATED), "within tolerance", 3),
        ((BITWISE, TOLERATED, CRASHED), "unchecked", 2),
        ((BITWISE, CRASHED, TAMPERED), "differs", 1),
    ],
)
def test_the_worst_cell_decides(cells: tuple[CellAudit, ...], verdict: str, code: int) -> None:
    assert (report(*cells).verdict, report(*cells).exit_code) == (verdict, code)


def test_a_damaged_registry_decides() -> None:
    found = Finding(link="cell", file="registry.yaml", text="another")
    assert report(BITWISE, findings=(found,)).exit_code == 1


def test_every_verdict_has_a_meaning_and_an_exit_code() -> None:
    assert set(MEANING) == set(EXIT_CODES)


def test_json_holds_everything() -> None:
    read = json.loads(render(report(BITWISE, TOLERATED, TAMPERED), "json"))
    assert (read["verdict"], read["planned"], read["finished"], read["audited"]) == ("differs", 5, 4, 3)
    assert [each["first_link"] for each in read["cells"]] == ["", "epoch 1 / weights", "predictions"]
    assert read["cells"][1]["entries"][0]["recorded"] == "ab" * 32
    assert [each["within"] for each in read["cells"][1]["metrics"]] == [True, False]


def test_text_names_the_environment_before_the_link_and_the_link_before_its_causes() -> None:
    text = render(report(TOLERATED), "text")
    order = ["packages.numpy", "first link that differs: epoch 1 / weights", "usual causes", "band", "NO", "Verdict"]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
    assert "4 of 5 planned cells" in text
    assert MEANING["within tolerance"] in text


def test_html_is_one_page_and_escapes_names() -> None:
    page = render(report(BITWISE, TAMPERED), "html")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<b>other</b>" not in page
    assert "A &lt;study&gt;" in page
    assert page.count("<html") == page.count("</html>") == 1
    assert "src=" not in page
    assert "href=" not in page


def test_markdown_escapes_names() -> None:
    text = render(report(BITWISE, TAMPERED), "markdown")
    assert r"\<script\>\|x\*/real/1" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(row.replace(r"\|", "").split("|")) for row in rows} == {5}


@pytest.mark.parametrize("name", ["text", "json", "html", "markdown"])
def test_the_same_report_gives_the_same_bytes(name: str) -> None:
    assert render(report(TOLERATED, TAMPERED), name) == render(report(TOLERATED, TAMPERED), name)


@pytest.fixture
def five(study: Any) -> Study:
    """Four finished cells and a pending one."""
    for model in ("a", "b"):
        for seed in (1, 2):
            study.finish(study.cell(model, seed), 80)
    study.cell("c", 1)
    return read_study(study.folder)


def test_all_finished_cells_are_chosen_in_the_order_of_the_plan(five: Study) -> None:
    cells, selection = select(five, "", None)
    assert [cell.name for cell in cells] == ["a/real/1", "a/real/2", "b/real/1", "b/real/2"]
    assert selection == "all finished cells"


def test_cells_are_named_in_full_or_in_part(five: Study) -> None:
    cells, selection = select(five, "b/real/2, a", None)
    assert [cell.name for cell in cells] == ["a/real/1", "a/real/2", "b/real/2"]
    assert selection == "3 named"


def test_a_sample_is_stated_and_repeatable(five: Study) -> None:
    once, selection = select(five, "", 2)
    again, _ = select(five, "", 2)
    assert [cell.name for cell in once] == [cell.name for cell in again]
    assert len(once) == 2
    assert selection.startswith("2 of 4 drawn by the stream audit-sample")


def test_samples_differ_between_sizes_and_studies(five: Study) -> None:
    names = {tuple(cell.name for cell in select(five, "", n)[0]) for n in (1, 2, 3)}
    assert len(names) == 3
    assert [len(select(five, "a", n)[0]) for n in (1, 2)] == [1, 2]


@pytest.mark.parametrize(
    ("selector", "sample", "said"),
    [("d", None, "no cell 'd'"), ("c/real/1", None, "is pending"), ("", 5, "more than the 4")],
)
def test_cells_without_results_cannot_be_chosen(five: Study, selector: str, sample: int | None, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        select(five, selector, sample)


def test_a_study_without_results_cannot_be_audited(study: Any) -> None:
    study.cell("a", 1)
    with pytest.raises(ConfigurationError, match="nothing to audit"):
        select(read_study(study.folder), "", None)
