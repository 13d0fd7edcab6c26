"""What the page shows: models of a study or a folder, opened once and run by onnxruntime; knows no Streamlit."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker import (
    BenchmarkerError,
    Classification,
    GeneratorRecord,
    StudyImages,
    StudyResults,
    cache_folder,
    open_results,
    read_image,
    trained_networks,
)
from benchmarker import Member as ImageFile
from benchmarker_serving.models.bundle import DESCRIPTION_FILE, FILES, Bundle
from benchmarker_serving.models.latent import latent_points
from benchmarker_serving.models.running import ExportSettings, Place, export_run
from benchmarker_serving.server.catalogue import Served, read_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CACHE = "exported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawer:
    """A generator that can be drawn from.

    Parameters
    ----------
    name : str
        Name to choose it by.
    epochs : tuple of int
        Epochs whose weights can be drawn from; empty where only the exported ones can.
    """

    name: str
    epochs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """What one network, or an ensemble of several seeds, says about an image.

    Parameters
    ----------
    network : str
        Name of the network.
    values : mapping of str to float
        Probabilities by class, or values by target.
    spread : mapping of str to float
        Standard deviations over the seeds; empty for one.
    members : tuple of str or None
        Classes of the conformal set; None where there is none.
    unlike : bool or None
        Whether the image is unlike the training images; None where that is unknown.
    """

    network: str
    values: Mapping[str, float]
    spread: Mapping[str, float]
    members: tuple[str, ...] | None = None
    unlike: bool | None = None


class Model:
    """An exported model, ready to run.

    Parameters
    ----------
    file : Path
        ONNX file.
    bundle : Bundle
        What is to know about it.
    """

    def __init__(self, file: Path, bundle: Bundle) -> None:
        import onnxruntime

        self.bundle = bundle
        self._session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Return the outputs for inputs by name."""
        outputs: NDArray[np.float32] = self._session.run([self.bundle.output], dict(inputs))[0]
        return outputs

    def draw(self, seed: int, n: int, conditions: Sequence[float]) -> NDArray[np.float32]:
        """Return generated images, ndarray of shape (n, height, width, channels).

        Parameters
        ----------
        seed : int
            Seed of the first image; the others follow.
        n : int
            Number of images.
        conditions : sequence of float
            Encoded conditions that all images are made for; empty for a generator without conditions.
        """
        import numpy as np

        size = self.bundle.inputs["latent"][0]
        inputs: dict[str, NDArray[Any]] = {
            "latent": latent_points(np.arange(seed, seed + n), size, uniform=self.bundle.latent == "uniform")
        }
        if "conditions" in self.bundle.inputs:
            inputs["conditions"] = np.tile(np.asarray(conditions, np.float32), (n, 1))
        return self.run(inputs)


class FolderSource:
    """Models that `benchmarker model export` wrote.

    Parameters
    ----------
    folder : Path
        Folder of the models.
    """

    results: StudyResults | None = None

    def __init__(self, folder: Path) -> None:
        models = [served for versions in read_folder(folder).values() for served in versions.values()]
        self._models: dict[str, Served] = {served.key: served for served in models}

    @property
    def drawers(self) -> list[Drawer]:
        """Generators."""
        return [Drawer(name=key) for key, each in self._models.items() if each.bundle.kind == "generator"]

    def open(self, name: str, _epoch: int | None = None) -> Model:
        """Return a model by its name."""
        return Model(self._models[name].file, self._models[name].bundle)

    def real(self, _class: str | None, _n: int) -> NDArray[np.float32] | None:
        """Return real images to compare with; a folder has none."""
        return None

    @property
    def networks(self) -> list[str]:
        """Names of the networks."""
        return [key for key, each in self._models.items() if each.bundle.kind == "network"]

    def classify(self, name: str, file: str, content: bytes) -> Classified:
        """Return what a network says about an image file."""
        import numpy as np

        model = self.open(name)
        pixels = np.asarray(read_image(ImageFile(name=file, read=lambda: content)), dtype=np.float32)
        image = pixels[..., None] if pixels.ndim == 2 else pixels
        if image.shape != model.bundle.inputs["images"]:
            raise BenchmarkerError(f"images of {model.bundle.inputs['images']} were expected. Received: {image.shape}")
        if model.bundle.prepared and image.max() > image.min():
            image = (image - image.min()) / (image.max() - image.min())
        outputs = model.run({"images": image[None].astype(np.float32)})[0]
        names = model.bundle.classes or tuple(model.bundle.units)
        return Classified(network=name, values=dict(zip(names, map(float, outputs), strict=True)), spread={})


class StudySource:
    """The finished runs of a study.

    Parameters
    ----------
    study : Path
        Path of the study.
    """

    def __init__(self, study: Path) -> None:
        self._study = study
        self.results: StudyResults | None = open_results(study)

    @property
    def _generators(self) -> dict[str, GeneratorRecord]:
        records = self.results.generators if self.results is not None else ()
        return {each.name: each for each in records if each.status == "ok"}

    @property
    def drawers(self) -> list[Drawer]:
        """Generators that have been trained, with the epochs that were kept."""
        from benchmarker import trained_generator

        return [Drawer(name=name, epochs=trained_generator(self._study, name).epochs) for name in self._generators]

    def open(self, name: str, epoch: int | None = None) -> Model:
        """Return a generator at an epoch, exported into this machine's cache when it is first asked for."""
        record = self._generators[name]
        folder = cache_folder() / _CACHE / f"{record.key[:32]}{'' if epoch is None else f'-{epoch}'}"
        found = next(folder.glob(f"*/1/{DESCRIPTION_FILE}"), None)
        if found is None and self.results is not None:
            place = Place.of(folder, record, version=1)
            export_run(self.results, record, place, ExportSettings(formats=("onnx",), epoch=epoch))
            found = place.path / DESCRIPTION_FILE
        if found is None:
            raise BenchmarkerError(f"{name} cannot be exported")
        return Model(found.parent / FILES["onnx"], Bundle.read(found.parent))

    @cached_property
    def _images(self) -> StudyImages:
        return StudyImages(self._study)

    def real(self, class_name: str | None, n: int) -> NDArray[np.float32] | None:
        """Return prepared images of the study, of one class if it is given; None where they are not at hand."""
        import numpy as np

        try:
            labelled = self._images.labelled
        except BenchmarkerError:
            return None
        rows = np.arange(len(labelled))
        if class_name is not None and isinstance(labelled.task, Classification):
            rows = np.flatnonzero(np.asarray(labelled.targets) == labelled.task.classes.index(class_name))
        chosen = rows[np.linspace(0, len(rows) - 1, min(n, len(rows))).astype(int)]
        return np.asarray(labelled.images[chosen])

    @property
    def networks(self) -> list[str]:
        """Networks with their arms; all seeds of one are an ensemble."""
        cells = self.results.cells if self.results is not None else ()
        return list(dict.fromkeys(f"{cell.model}/{cell.arm}" for cell in cells if cell.status == "ok"))

    def classify(self, name: str, file: str, content: bytes) -> Classified:
        """Return what the networks of all seeds say about an image file, calibrated as `benchmarker predict` does."""
        from benchmarker_serving.prediction.job import PartialResults
        from benchmarker_serving.prediction.running import make_job, run_job

        networks = trained_networks(self._study, name)
        with tempfile.TemporaryDirectory(prefix="benchmarker-page-") as folder:
            place, output = Path(folder, "upload"), Path(folder, "out")
            place.mkdir()
            (place / f"image{''.join(Path(file).suffixes[-2:]).lower()}").write_bytes(content)
            run_job(make_job(networks, study=self._study, selector=name, data=place), networks[0], output)
            (part,) = PartialResults(output).parts()
        if not part.rows:
            raise BenchmarkerError(f"the image cannot be used: {part.skipped[0].reason if part.skipped else 'unknown'}")
        (found,) = part.rows
        task = networks[0].task
        names = task.classes if isinstance(task, Classification) else tuple(target.name for target in task.targets)
        return Classified(
            network=name,
            values=dict(zip(names, found.values, strict=True)),
            spread={key: each for key, each in zip(names, found.spread, strict=True) if each is not None},
            members=found.members,
            unlike=None if found.unlike is None else found.unlike > 1 and math.isfinite(found.unlike),
        )


Source = FolderSource | StudySource


def open_source(path: Path) -> Source:
    """Return the models of a study or of a folder of exported ones."""
    return StudySource(path) if (path / "plan.json").exists() else FolderSource(path)
