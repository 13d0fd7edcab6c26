"""The generator that the documentation shows, installed as a plugin, and jobs for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarker.registry.models import Watch
from benchmarker.study.layout import RunPaths
from benchmarker.study.plan import PlannedGenerator
from benchmarker.study.protocol import GeneratorJob
from benchmarker.study.specs import GeneratorChoice, GeneratorSpec, GeneratorTraining, PluginChoice, TrainingPartSpec

Edited = Callable[[], AbstractContextManager[None]]

SEED = 8901
SIZE = 16


def _write_plugin(folder: Path) -> None:
    text = Path("docs/how-to/plugins/generator.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        name = re.match(r"# (\S+\.py)\n", block)
        if name is not None:  # other blocks are excerpts
            (folder / name[1]).write_text(block, encoding="utf-8")
    info = folder / "their_gan-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their_gan\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[benchmarker]\ntheir_gan = their_gan\n")


@pytest.fixture(scope="session")
def plugin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example of docs/how-to/plugins/generator.md, as an installer would lay it down."""
    folder = tmp_path_factory.mktemp("their-site")
    _write_plugin(folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def surroundings(tmp_path_factory: pytest.TempPathFactory, plugin_folder: Path) -> Iterator[None]:
    """Find the plugin in this process and in those it starts, use a separate cache, and leave threads as they are."""
    from benchmarker import backends, discovery

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        patch.setenv("PYTHONPATH", str(plugin_folder))
        patch.setenv("BENCHMARKER_CACHE", str(tmp_path_factory.mktemp("generation-cache")))
        # A process can be configured once; here many jobs share one.
        patch.setattr(backends.load("tensorflow"), "configure", lambda _threads, _seed: None)
        discovery.installed.cache_clear()
        yield
    discovery.installed.cache_clear()


@pytest.fixture
def edited(plugin_folder: Path) -> Edited:
    """A context in which the code of the example is different."""

    @contextmanager
    def edit() -> Iterator[None]:
        module = plugin_folder / "their_gan_model.py"
        before = module.read_text(encoding="utf-8")
        module.write_text(f"{before}\n# edited\n", encoding="utf-8")
        try:
            yield
        finally:
            module.write_text(before, encoding="utf-8")

    return edit


def make_images(n: int, seed: int = 0) -> Any:
    """Two classes of blobs, left and right, whose brightness is an attribute."""
    from benchmarker import Attribute, Classification, LabelledImages, Stream, digest_arrays

    rng = Stream("test", seed=seed).generator()
    targets = np.arange(n, dtype=np.int64) % 3 // 2  # two thirds, one third
    flux = rng.uniform(0.3, 1.0, n)
    y, x = np.mgrid[:SIZE, :SIZE]
    centres = np.where(targets == 0, 4.5, 10.5)[:, None, None] + rng.normal(0, 1.5, (n, 1, 1))
    images = flux[:, None, None] * np.exp(-((x - centres) ** 2 + (y - 7.5) ** 2) / 8)
    pixels = images[..., None].astype(np.float32)
    return LabelledImages(
        task=Classification(classes=("left", "right")),
        images=pixels,
        targets=targets,
        source_ids=tuple(f"s{k}" for k in range(n)),
        parts=(None,) * n,
        attributes={"flux": Attribute(values=flux, unit="Jy")},
        skipped=(),
        digest=digest_arrays({"images": pixels, "targets": targets}),
    )


MakeJob = Callable[..., GeneratorJob]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeJob]:
    """Return a function that makes jobs for the example: ``job(folder, epochs=2, conditions=("class",))``.

    The images are made, not prepared.
    """
    from benchmarker.contracts.settings import Split
    from benchmarker.data.splits import split_sources
    from benchmarker.generation import job as job_module
    from benchmarker.training.sets import PartSet, digest_part

    made: dict[Path, Any] = {}
    folder = tmp_path_factory.mktemp("prepared")

    def make(
        run: Path,
        *,
        epochs: int = 3,
        conditions: tuple[str, ...] = ("class", "flux"),
        images: Any = None,
        cache: bool = False,
        augmentations: tuple[PluginChoice, ...] = (),
        watch: Watch | None = None,
    ) -> GeneratorJob:
        prepared = folder / str(len(made))
        data = made[prepared] = images if images is not None else make_images(72)
        split = Split(train=0.6, validation=0.2)
        part = PartSet(data, split_sources(data, split, SEED).train)
        spec = GeneratorSpec(
            backend="tensorflow",
            seed=SEED,
            training=GeneratorTraining(threads=1, precision="float32"),
            data=TrainingPartSpec(digest=digest_part(part), images=len(part), shape=(SIZE, SIZE, 1), task=data.task),
            generator=GeneratorChoice(name="their-gan", options={"latent": 4, "learning_rate": 0.002}, epochs=epochs),
            conditions=conditions,
            **({"augmentations": augmentations} if augmentations else {}),
        )
        return GeneratorJob(
            generator=PlannedGenerator.of(spec, label="their-gan", line=0, watch=watch),
            prepared=prepared,
            paths=RunPaths(working=run, tested=run, finished=run, failed=run),
            split=split,
            cache=cache,
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_module, "open_prepared", made.__getitem__)
        yield make
