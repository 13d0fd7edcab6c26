"""The page that `benchmarker page` shows; Streamlit runs this file anew after each click."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from benchmarker import BenchmarkerError, page_settings
from benchmarker_serving.page.pictures import MAPS, SENTENCE, archive, fits_file, png, shown
from benchmarker_serving.page.sources import Classified, Drawer, Model, Source, open_source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST = 16
_COLUMNS = 4


@st.cache_resource(show_spinner=False)
def source_of(path: str) -> Source:
    """Open a study or a folder once for all visitors."""
    return open_source(Path(path))


@st.cache_resource(show_spinner="Loading the model ...", max_entries=8)
def model_of(path: str, name: str, epoch: int | None) -> Model:
    """Open a model once for all visitors."""
    return source_of(path).open(name, epoch)


def main() -> None:
    """Show the page."""
    settings = page_settings()
    st.set_page_config(page_title="Galaxies", layout="centered")
    path = str(settings["source"])
    source = source_of(path)
    if settings.get("classic"):
        _classic(path, source)
        return
    views: dict[str, Callable[[str, Source], None]] = {}
    if source.drawers:
        views["Draw galaxies"] = _draw
    if source.networks:
        views["Classify an image"] = _classify
    if source.results is not None:
        views["Leaderboard"] = _leaderboard
    chosen = st.sidebar.radio("View", list(views), key="view")
    views[chosen](path, source)


def _classic(path: str, source: Source) -> None:
    """Show the page of the radio GAN's authors: one button, one galaxy, as a figure and in grey."""
    st.title("Galaxy generator")
    drawer = source.drawers[0]
    if st.button("Generate a galaxy", key="generate", width="stretch"):
        st.session_state["drawn"] = st.session_state.get("drawn", -1) + 1
    if "drawn" in st.session_state:
        model = model_of(path, drawer.name, None)
        image = model.draw(st.session_state["drawn"], 1, _first_class(model))[0]
        low, high = model.bundle.pixel_range
        st.image(shown(image, low, high, "magma"), width="stretch")
        st.image(shown(image, low, high, "gray"), width="stretch")
    st.caption(SENTENCE)


def _first_class(model: Model) -> list[float]:
    size = model.bundle.inputs.get("conditions", (0,))[0]
    return [float(k == 0 and bool(model.bundle.classes)) for k in range(size)]


def _draw(path: str, source: Source) -> None:
    st.title("Draw galaxies")
    st.caption(SENTENCE)
    drawer, epoch = _choose_generator(source.drawers)
    model = model_of(path, drawer.name, epoch)
    class_name, conditions = _choose_conditions(model)
    left, middle, right = st.columns(3)
    n = int(left.slider("Number", 1, _MOST, _COLUMNS, key="number"))
    seed = int(middle.number_input("Seed", 0, 2**31 - 1, 0, key="seed"))
    colours = right.selectbox("Colours", MAPS, key="colours")
    images = model.draw(seed, n, conditions)
    low, high = model.bundle.pixel_range
    _grid([shown(image, low, high, colours) for image in images], "drawn")
    facts: dict[str, Any] = {"generator": drawer.name, "key": model.bundle.run, "epoch": epoch or "last"}
    facts |= {f"condition {name}": value for name, value in zip(model.bundle.conditions, conditions, strict=False)}
    _downloads(images, [shown(image, low, high, colours) for image in images], seed, facts)
    real = source.real(class_name, n)
    if real is not None:
        st.subheader("Real images beside them")
        _grid([shown(image, float(image.min()), float(image.max()), colours) for image in real], "real")


def _choose_generator(drawers: list[Drawer]) -> tuple[Drawer, int | None]:
    by_name = {drawer.name: drawer for drawer in drawers}
    drawer = by_name[st.sidebar.selectbox("Generator", list(by_name), key="generator")]
    if len(drawer.epochs) < 2:
        return drawer, None
    epoch = st.sidebar.select_slider("Epoch", list(drawer.epochs), value=drawer.epochs[-1], key="epoch")
    return drawer, None if epoch == drawer.epochs[-1] else int(epoch)


def _choose_conditions(model: Model) -> tuple[str | None, list[float]]:
    """Return the chosen class, if there is one, and the encoded conditions."""
    bundle = model.bundle
    class_name = None
    conditions: list[float] = []
    if bundle.classes:
        class_name = st.sidebar.selectbox("Class", bundle.classes, key="class")
        conditions += [float(name == class_name) for name in bundle.classes]
    for name in bundle.conditions[len(bundle.classes) :]:
        label = f"{name}, in standard deviations from its mean"
        conditions.append(float(st.sidebar.slider(label, -3.0, 3.0, 0.0, 0.1, key=f"condition-{name}")))
    return class_name, conditions


def _grid(images: list[NDArray[np.uint8]], key: str) -> None:
    columns = st.columns(_COLUMNS)
    for k, image in enumerate(images):
        columns[k % _COLUMNS].image(image, width="stretch", caption=f"{key} {k + 1}")


def _downloads(
    images: NDArray[np.float32], pictures: list[NDArray[np.uint8]], seed: int, facts: dict[str, Any]
) -> None:
    left, right = st.columns(2)
    numbered = [{**facts, "seed": seed + k} for k in range(len(images))]
    fits = {
        f"synthetic-{each['seed']}.fits": fits_file(image, each) for image, each in zip(images, numbered, strict=True)
    }
    pngs = {f"synthetic-{each['seed']}.png": png(image, each) for image, each in zip(pictures, numbered, strict=True)}
    left.download_button("Download FITS", archive(fits), "synthetic-fits.zip", key="fits", width="stretch")
    right.download_button("Download PNG", archive(pngs), "synthetic-png.zip", key="png", width="stretch")


def _classify(path: str, source: Source) -> None:
    st.title("Classify an image")
    uploaded = st.file_uploader("FITS, PNG, JPEG or NumPy file", key="upload",
                                type=["fits", "fit", "gz", "fz", "png", "jpg", "jpeg", "tif", "npy"])  # fmt: skip
    if uploaded is None:
        st.info("The image is prepared as those of the study were, and stays on this machine.")
        return
    for name in source.networks:
        try:
            with st.spinner(f"{name} ..."):
                found = _classified(path, name, uploaded.name, uploaded.getvalue())
        except BenchmarkerError as error:
            st.error(f"{name}: {error}")
            continue
        st.subheader(name)
        st.table(_table(found))
        if found.members is not None:
            st.write(f"Set that holds the true class for 90 % of such images: {', '.join(found.members) or 'empty'}")
        if found.unlike:
            st.warning("This image is unlike the training images; do not trust the numbers.")


def _table(found: Classified) -> dict[str, list[str]]:
    """Return the columns of what a network says; without the spread where only one seed was trained."""
    table = {"": list(found.values), "value": [f"{value:.3f}" for value in found.values.values()]}
    if found.spread:
        table["spread over seeds"] = [f"{found.spread[key]:.3f}" if key in found.spread else "-" for key in table[""]]
    return table


@st.cache_data(show_spinner=False, max_entries=64)
def _classified(path: str, name: str, file: str, content: bytes) -> Any:
    return source_of(path).classify(name, file, content)


def _leaderboard(path: str, source: Source) -> None:  # noqa: ARG001 - every view takes the same
    results = source.results
    if results is None:
        return
    st.title(results.title)
    rows = results.leaderboard("best").rows
    metric = results.study.plan.primary.name
    st.dataframe({
        "network": [row.label for row in rows],
        metric: [row.metrics[metric].mean if metric in row.metrics else None for row in rows],
    })  # fmt: skip
    st.caption(f"{results.study.count('ok')} of {len(results.cells)} cells finished.")


main()
