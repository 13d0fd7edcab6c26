"""The HTML page: complete, inert, small, self-contained, and the same bytes each time."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmarker import ReportOptions, open_results
from benchmarker_reports.formats.html import render
from tests.reports.material import CLASSES, HOSTILE, DocumentStudy

SECTIONS = [
    "leaderboard", "comparisons", "classes", "learning", "probabilities", "costs", "examples", "generators",
    "reproduce",
]  # fmt: skip
VOID = {"meta", "img", "br", "wbr", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects elements, and tags that are not closed properly."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"{tag} at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def html(study_folder: Path) -> str:
    return render(open_results(study_folder), ReportOptions())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_page_links_every_section_from_the_top(page: Page) -> None:
    assert [section["id"] for section in page.named("section")] == SECTIONS
    links = [link["href"] for link in page.named("a") if link.get("href")]
    assert links[1 : len(SECTIONS) + 1] == [f"#{name}" for name in SECTIONS]
    assert not page.wrong
    assert not page.open


def test_confusion_cells_lead_to_the_images_behind_them(page: Page, study_folder: Path) -> None:
    results = open_results(study_folder)
    leader = results.leaderboard("best").rows[0]
    counts = results.confusion(results.cells_of(leader))
    assert counts is not None
    errors = {f"images-{k}-{j}" for k in range(len(counts)) for j in range(len(counts)) if k != j and counts[k, j]}
    links = [(link.get("href") or "").removeprefix("#") for link in page.named("a")]
    assert {link for link in links if link.startswith("images-")} == errors
    assert {each["id"] for each in page.named("div") if each.get("class") == "behind"} == errors
    assert errors


def test_page_draws_pictures_with_the_stretch_that_is_asked_for(study_folder: Path, page: Page) -> None:
    other = Page(render(open_results(study_folder), ReportOptions(stretch="linear")))
    pictures = zip(page.named("img"), other.named("img"), strict=True)
    assert sum(mine["src"] != theirs["src"] for mine, theirs in pictures) > 12
    assert "the stretch is linear" in other.text
    assert "square root" in page.text


def test_page_shows_what_the_study_holds(page: Page) -> None:
    for words in (
        "Four classes of radio galaxies",
        "24 of 25 cells finished, 1 pending",
        "0/1*",
        "Fréchet distance",
        "12.5",
        "rank correlation 0.97",
        "tensorflow 2.21.0",
        "benchmarker audit .",
        "seeds: [1, 2, 3]",
        "blank.fits: every pixel is NaN",
        "Correct in every run",
        "Correct in no run",
    ):
        assert words in page.text, words
    assert len([1 for image in page.named("img") if str(image["src"]).startswith("data:image/png;base64,")]) > 8


def test_page_has_the_same_bytes_wherever_the_study_is(
    html: str, make_study: Callable[[], Path], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "copied"
    shutil.copytree(make_study(), elsewhere)
    assert render(open_results(elsewhere), ReportOptions()) == html


def test_page_loads_nothing_and_allows_only_its_own_script(html: str, page: Page) -> None:
    policy = next(str(meta["content"]) for meta in page.named("meta") if meta.get("http-equiv"))
    assert "default-src 'none'" in policy
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not page.named("link")
    assert "eval(" not in html
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        for name in ("src", "href", "action", "srcset", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/png;base64,")), value


def test_page_shows_names_that_look_like_code_as_text(hostile_folder: Path) -> None:
    html = render(open_results(hostile_folder), ReportOptions())
    page = Page(html)
    assert html.count("<script") == 1
    assert "alert(1)" in html
    assert "<script>alert" not in html
    assert not page.wrong
    for name in HOSTILE:
        assert " ".join(name.split()) in page.text


@pytest.mark.long
def test_page_of_a_large_study_stays_small(tmp_path: Path) -> None:
    study = DocumentStudy(tmp_path / "large", n_test=24, epochs=20)
    study.add([f"network_{k:02d}" for k in range(15)], range(10), [f"arm_{k}" for k in range(6)])
    html = render(open_results(study.folder), ReportOptions())
    page = Page(html)
    assert len(html.encode()) < 2_000_000
    assert len(page.named("section")) >= 7
    assert html.count("network_14") > 6


def test_page_refreshes_only_while_the_study_runs(study_folder: Path, html: str) -> None:
    live = Page(render(open_results(study_folder), ReportOptions(refresh_seconds=7)))
    assert {"http-equiv": "refresh", "content": "7"} in live.named("meta")
    assert 'http-equiv="refresh"' not in html


def test_page_of_a_study_without_results(tmp_path: Path) -> None:
    study = DocumentStudy(tmp_path / "empty").pending("convxpress", 1)
    page = Page(render(open_results(study.folder), ReportOptions()))
    assert [section["id"] for section in page.named("section")] == ["leaderboard", "reproduce"]
    assert "0 of 1 cells finished" in page.text


def test_page_of_one_seed_and_two_classes(tmp_path: Path) -> None:
    study = DocumentStudy(tmp_path / "two", classes=CLASSES[:2]).add(("convxpress",), (1,))
    page = Page(render(open_results(study.folder), ReportOptions()))
    assert "one seed: no interval" in page.text
    assert "comparisons" not in [section["id"] for section in page.named("section")]


def test_page_names_every_drawing_and_image(page: Page) -> None:
    assert all(drawing.get("aria-label") or drawing.get("aria-hidden") for drawing in page.named("svg"))
    assert all(image.get("alt") for image in page.named("img"))
    identifiers = [str(attributes["id"]) for _, attributes in page.tags if attributes.get("id")]
    assert len(identifiers) == len(set(identifiers))
