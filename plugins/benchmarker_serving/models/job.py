"""What the processes of backends are asked for about models, and what they reply."""

from __future__ import annotations

from typing import Literal

from benchmarker_serving.messages import Message
from benchmarker_serving.models.bundle import Format


class ExportJob(Message):
    """What is to be exported.

    Parameters
    ----------
    study : str
        Path of the study.
    selector : str
        Selector of the network or generator.
    kind : {"network", "generator"}
        What it is.
    seed : int
        Seed of the run.
    checkpoint : {"best", "final"}
        Weights of a network.
    epoch : int or None
        Epoch of a generator's weights; the last one if None.
    formats : tuple of str
        Formats to write.
    folder : str
        Empty folder to write into.
    name : str
        Name of the model.
    version : int
        Number of the version.
    preparation : bool
        Whether a network gets the preparation inside.
    input_size : int or None
        Height and width of an image before the preparation.
    """

    study: str
    selector: str
    kind: Literal["network", "generator"]
    seed: int
    checkpoint: Literal["best", "final"]
    epoch: int | None
    formats: tuple[Format, ...]
    folder: str
    name: str
    version: int
    preparation: bool
    input_size: int | None


Method = Literal["unpruned", "channels", "magnitude", "float16", "int8"]


class Form(Message):
    """A form of a model: what is done to make it smaller.

    Parameters
    ----------
    method : {"unpruned", "channels", "magnitude", "float16", "int8"}
        What is done.
    sparsity : float or None
        Fraction of the channels or weights to remove; None for the other methods.

    Examples
    --------
    >>> Form(method="channels", sparsity=0.5).label, Form(method="int8").label
    ('channels 0.5', 'int8')
    """

    method: Method
    sparsity: float | None = None

    @property
    def label(self) -> str:
        """Name in tables."""
        return self.method if self.sparsity is None else f"{self.method} {self.sparsity}"


class CompressionSettings(Message):
    """What the smaller forms of a model depend on, beside its run.

    Parameters
    ----------
    kind : {"network", "generator"}
        What the model is.
    seed : int
        Seed of the run.
    forms : tuple of Form
        Forms to make.
    epochs : int
        Epochs of fine-tuning after pruning.
    """

    kind: Literal["network", "generator"]
    seed: int
    forms: tuple[Form, ...]
    epochs: int


class CompressionJob(Message):
    """Which smaller forms of a model are to be made and measured.

    Parameters
    ----------
    study : str
        Path of the study.
    selector : str
        Selector of the network or generator.
    folder : str
        Empty folder to write into.
    settings : CompressionSettings
        What to make.
    """

    study: str
    selector: str
    folder: str
    settings: CompressionSettings


class CompressionRow(Message):
    """One form of a model.

    Parameters
    ----------
    form : str
        What was done to it, such as ``"channels 0.5"`` or ``"int8"``.
    file : str
        Name of its file.
    parameters : int
        Number of parameters that are not zero.
    bytes : int
        Size of the file.
    milliseconds : float
        Median time of a batch of 64 images.
    milliseconds_single : float
        Median time of one image.
    quality : float
        Accuracy on the test part, negative root mean squared error for a regression, or Fréchet distance to the images
        of the unpruned generator.
    """

    form: str
    file: str
    parameters: int
    bytes: int
    milliseconds: float
    milliseconds_single: float
    quality: float


class Compression(Message):
    """What was measured of the forms of a model.

    Parameters
    ----------
    rows : tuple of CompressionRow
        The unpruned model first, then each form.
    measure : str
        Name of the quality.
    floor : float or None
        Fréchet distance between two halves of the real images; None for networks, or where there are no real images.
    repeat : float or None
        Fréchet distance between two sets of images of the unpruned generator, from other latent points: the stricter
        yardstick where a generator varies less than real galaxies do. None for networks.
    """

    rows: tuple[CompressionRow, ...]
    measure: str
    floor: float | None = None
    repeat: float | None = None
