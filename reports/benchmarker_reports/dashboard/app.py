"""The page that `benchmarker dashboard` shows; Streamlit runs this file anew after each click.

Names and messages come from the study, which may be a stranger's. They are shown as plain text, or escaped where
Streamlit renders Markdown: a picture in it would be loaded from the internet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from benchmarker import (
    BenchmarkerError,
    ReportOptions,
    Stretch,
    StudyResults,
    counted,
    markdown_text,
    open_results,
    page_settings,
)
from benchmarker_reports.content.charts import PALETTE
from benchmarker_reports.content.confused import ConfusedImage, confused_images
from benchmarker_reports.content.drawing import draw_images, shows_north
from benchmarker_reports.content.pictures import STRETCHES
from benchmarker_reports.content.study_content import StudyContent
from benchmarker_reports.dashboard.live import MOST_CURVES, LiveStudy, curve_metrics, curve_points

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ON_A_PAGE = 24
_COLUMNS = 6
_PICTURE_SIDE = 160
_CHART_HEIGHT = 380


def main() -> None:
    """Show the page."""
    settings = page_settings()
    path = str(settings["study"])
    st.set_page_config(page_title="Galaxy benchmarker", layout="wide")
    results = open_results(path)
    st.title(markdown_text(results.title))
    views: dict[str, Callable[[LiveStudy], None]] = {
        "Progress": _progress, "Learning curves": _curves, "Leaderboard": _leaderboard, "Images": _images,
    }  # fmt: skip
    if "view" not in st.session_state:
        st.session_state["view"] = "Leaderboard" if LiveStudy(results).ended else "Progress"
    view = views[st.segmented_control("View", list(views), key="view") or "Progress"]

    @st.fragment(run_every=int(settings["every"]))
    def live() -> None:
        try:
            view(LiveStudy(open_results(path)))
        except BenchmarkerError as error:
            st.error("The study cannot be read now.")
            st.text(str(error))

    live()


def _progress(study: LiveStudy) -> None:
    """Show how far each run is."""
    counts = study.counts
    for column, (word, count) in zip(st.columns(max(1, len(counts))), counts.items(), strict=False):
        column.metric(word.capitalize(), f"{count:,}")
    st.progress(study.share, text=f"{100 * study.share:.0f} % of the epochs")
    table = pd.DataFrame(
        [(row.name, row.state, row.share, row.epochs, row.remark) for row in study.rows],
        columns=["run", "state", "done", "epochs", "remark"],
    )
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        column_config={"done": st.column_config.ProgressColumn("done", format="percent", min_value=0, max_value=1)},
    )


def _curves(study: LiveStudy) -> None:
    """Show learning curves of some runs, up to the last epoch that has ended."""
    names = list(study.curved)
    if not names:
        st.info("No run has begun.")
        return
    chosen = st.multiselect("Runs", names, default=names[:MOST_CURVES], max_selections=MOST_CURVES, key="runs")
    histories = study.histories(chosen)
    if not (metrics := curve_metrics(histories)):
        st.info("None of these runs has ended an epoch.")
        return
    metric = st.selectbox("Metric", metrics, format_func=_words, key="metric")
    points = pd.DataFrame([(p.run, p.part, p.epoch, p.value) for p in curve_points(histories, metric)],
                          columns=["run", "part", "epoch", "value"])  # fmt: skip
    chart = (
        alt.Chart(points)
        .mark_line(point={"size": 18})
        .encode(
            x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y("value:Q", title=_words(metric), scale=alt.Scale(zero=False)),
            color=alt.Color("run:N", title=None, sort=chosen, scale=alt.Scale(domain=chosen, range=list(PALETTE))),
            strokeDash=alt.StrokeDash(
                "part:N",
                title=None,
                sort=["validation", "training"],
                legend=alt.Legend(symbolType="stroke", symbolSize=400),
            ),
            tooltip=["run", "part", "epoch", alt.Tooltip("value:Q", format=".4g")],
        )
        .properties(height=_CHART_HEIGHT, usermeta={"embedOptions": {"actions": False}})
        .configure_legend(orient="bottom", columns=2, labelLimit=320)
    )
    st.altair_chart(chart, width="stretch")


def _words(metric: str) -> str:
    return metric.replace("_", " ")


def _content(study: LiveStudy) -> StudyContent:
    return _content_at(study.stamp, study.results)


@st.cache_resource(show_spinner="Comparing networks ...", max_entries=2)
def _content_at(stamp: str, _results: StudyResults) -> StudyContent:  # noqa: ARG001 - the key of the cache
    return StudyContent(_results, ReportOptions(checkpoints=("best",)))


def _leaderboard(study: LiveStudy) -> None:
    """Show what the study says so far, and its leaderboard."""
    content = _content(study)
    for message in content.messages:
        st.text(message)
    if not content.finished:
        st.info("No run has finished.")
        return
    rows = [{column.title: column.cell(line).text for column in content.columns} for line in content.brief_table_lines]
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")
    for note in content.footnotes:
        st.text(note)


def _images(study: LiveStudy) -> None:
    """Show the test images behind a cell of a confusion matrix."""
    content = _content(study)
    lines = {line.name: line for line in content.finished}
    classes = list(study.results.classes)
    if not classes or not lines:
        st.info("Images are shown by true and predicted class once a network that classifies them has finished.")
        return
    left, middle, right, last = st.columns(4)
    line = lines[left.selectbox("Network and arm", list(lines), key="line")]
    counts = study.results.confusion(line.runs, content.checkpoint)
    if counts is None:
        st.info("This network has no confusion matrix.")
        return
    _choose_most_frequent_error(counts, classes)
    truth = middle.selectbox("True class", classes, key="truth")
    predicted = right.selectbox("Predicted class", classes, key="predicted")
    stretch = last.selectbox("Stretch", STRETCHES, key="stretch")
    st.caption(
        "Test images by true class (rows) and predicted class (columns), "
        f"summed over {counted(len(line.runs), 'seed')}. Click on a number to see its images."
    )
    st.dataframe(
        pd.DataFrame(counts, index=classes, columns=classes),
        width="stretch",
        key="matrix",
        on_select=lambda: _choose_clicked(classes),
        selection_mode="single-cell",
    )
    found = confused_images(
        study.results, line.runs, content.checkpoint, truth=classes.index(truth), predicted=classes.index(predicted)
    )
    st.text(f"{counted(len(found), 'image')} of class {truth}, predicted as {predicted}")
    _pictures(study.results, found, stretch)


def _choose_most_frequent_error(counts: NDArray[np.int64], classes: Sequence[str]) -> None:
    """Begin with the cell off the diagonal that has most images."""
    if "truth" not in st.session_state:
        errors = counts - np.diag(np.diag(counts))
        truth, predicted = divmod(int(errors.argmax()), len(classes))
        st.session_state["truth"], st.session_state["predicted"] = classes[truth], classes[predicted]


def _choose_clicked(classes: Sequence[str]) -> None:
    cells = st.session_state["matrix"]["selection"]["cells"]
    if cells and cells[0][1] in classes:
        st.session_state["truth"], st.session_state["predicted"] = classes[cells[0][0]], cells[0][1]


def _pictures(results: StudyResults, found: Sequence[ConfusedImage], stretch: Stretch) -> None:
    pages = max(1, -(-len(found) // _ON_A_PAGE))
    page = int(st.number_input("Page", 1, pages, 1, key="page")) if pages > 1 else 1
    shown = found[(page - 1) * _ON_A_PAGE : page * _ON_A_PAGE]
    numbers = [each.image for each in shown]
    pictures = draw_images(results, numbers, stretch, _PICTURE_SIDE) if shown else None
    if shown and pictures is None:
        st.info("The prepared images are not in the cache of this machine, so only names are listed.")
    if shows_north(results, numbers):
        st.caption("North is up and east to the left; the bar gives the scale.")
    for start in range(0, len(shown), _COLUMNS):
        columns = st.columns(_COLUMNS)
        for place, each in enumerate(shown[start : start + _COLUMNS]):
            if pictures is not None:
                columns[place].image(pictures[start + place], width="stretch")
            seeds = f"{len(each.seeds)} of {counted(each.tested, 'seed')}"
            columns[place].text(f"{each.source}\n{seeds}, p = {each.probability:.2f}")


main()
