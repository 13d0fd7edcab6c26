"""How much memory of a GPU a cell needs: measured where a finished cell says so, and estimated otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from benchmarker.contracts.settings import Training
from benchmarker.errors import StorageError
from benchmarker.run.network_sizes import NetworkSize, network_sizes
from benchmarker.study.layout import COSTS_FILE, RunPaths
from benchmarker.study.plan import Planned, PlannedCell
from benchmarker.study.runs import CellCosts, GeneratorCosts
from benchmarker.study.space import network_of

if TYPE_CHECKING:
    from benchmarker.run.prepare import PreparedStudy

MIB = 1 << 20

CONTEXT_BYTES = 512 * MIB
"""CUDA context of a process: the driver's own memory and the kernels of cuDNN and cuBLAS that were loaded.

No backend counts it among its arrays. Since CUDA 11.7 loads kernels when they are needed, it is 300 to 500 MiB.
"""

WORKSPACE_BYTES = 512 * MIB
"""Memory that convolutions and matrix products work in, which depends on the kernels that cuDNN chooses."""

RESERVED = 2
"""How many times the memory of its arrays a backend may reserve.

Preallocation is off, so it takes what it needs; but its allocator takes regions of doubled size and returns none.
"""

ACTIVATION_COPIES = 4
"""How many times the outputs of all layers are held at the peak of a gradient step.

Once as they are, once before the activation, their gradients, and copies in another layout. On a CPU, XLA allocates
1.4 to 3.1 times the outputs and parameters of MCRGNet, ConvXpress, AlexNet and VGG-16 for batches of 64 to 195 pixels.
"""

_BYTES = {"float32": 4, "mixed_bfloat16": 2}
_OF_A_WEIGHT = 4  # stored in float32 whatever the layers compute in
_MOMENTS = {"adam": 2, "adamw": 2, "rmsprop": 1, "sgd": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuNeed:
    """Memory of a GPU that the cells of a network need.

    Parameters
    ----------
    network : str
        What tables call the network or generator.
    n_bytes : int
        Memory, with what no backend counts.
    known_by : {"measured", "estimated"}
        Whether a finished cell was measured.
    """

    network: str
    n_bytes: int
    known_by: Literal["measured", "estimated"]


def measured_bytes(peak: int) -> int:
    """Return the memory that a cell needs whose arrays took some memory at their peak.

    Parameters
    ----------
    peak : int
        Peak of the backend's arrays in bytes, workspace included.

    Examples
    --------
    >>> measured_bytes(3 << 30) / (1 << 30)
    6.5
    """
    return CONTEXT_BYTES + RESERVED * peak


def estimated_bytes(size: NetworkSize, training: Training) -> int:
    r"""Return the memory that training a network needs, before any cell of it was measured.

    For :math:`P` parameters, :math:`T` of them trained by an optimiser with :math:`m` moments, and batches of :math:`B`
    images for which the layers give :math:`A` numbers of :math:`b` bytes each, the arrays take

    .. math:: 4 P + 4 (1 + m) T + 4 b B A

    bytes: weights, gradients and moments, and four copies of the activations. The backend may reserve twice as much;
    the workspace of convolutions and the CUDA context come on top. A program that trains several seeds holds the
    arrays of each.

    Parameters
    ----------
    size : NetworkSize
        Numbers of parameters and of activations.
    training : Training
        Batch size, optimiser and precision.
    """
    weights = _OF_A_WEIGHT * (size.total + (1 + _MOMENTS[training.optimiser]) * size.trainable)
    activations = ACTIVATION_COPIES * _BYTES[training.precision] * training.batch_size * size.activations
    return CONTEXT_BYTES + WORKSPACE_BYTES + RESERVED * training.seeds_at_once * (weights + activations)


def gpu_needs(study: PreparedStudy, left: Sequence[Planned]) -> dict[str, GpuNeed]:
    """Return what each cell or generator needs, by its key; those of which nothing is known are left out.

    Networks that no finished cell tells about are built in another process. A generator is known once it was trained
    on a GPU under another seed.

    Parameters
    ----------
    study : PreparedStudy
        The study.
    left : sequence of PlannedCell or PlannedGenerator
        What of it has no run yet.
    """
    peaks = _peaks(study, {network_of(each) for each in left})
    unknown = {
        network_of(each): each.spec for each in left if isinstance(each, PlannedCell) and network_of(each) not in peaks
    }
    sizes = network_sizes(study.prepared, unknown)
    found = {each.key: _need(each, peaks, sizes) for each in left}
    return {key: need for key, need in found.items() if need is not None}


def _need(planned: Planned, peaks: Mapping[str, int], sizes: Mapping[str, NetworkSize]) -> GpuNeed | None:
    network = network_of(planned)
    name = planned.name.partition("/")[0]
    if network in peaks:
        return GpuNeed(network=name, n_bytes=measured_bytes(peaks[network]), known_by="measured")
    if isinstance(planned, PlannedCell) and network in sizes:
        n_bytes = estimated_bytes(sizes[network], planned.spec.training)
        return GpuNeed(network=name, n_bytes=n_bytes, known_by="estimated")
    return None


def _peaks(study: PreparedStudy, networks: Iterable[str]) -> dict[str, int]:
    """Return the largest memory of the finished runs of networks on a GPU, in bytes.

    Other cells of the registry differ in seed and arm only, which change neither the network nor its batches.
    """
    wanted, peaks = set(networks), dict[str, int]()
    everything: list[Planned] = [*study.generators.values(), *study.cells]
    for planned in everything:
        if (network := network_of(planned)) not in wanted:
            continue
        costs = CellCosts if isinstance(planned, PlannedCell) else GeneratorCosts
        try:
            peak = costs.read(RunPaths.of(study.folder, planned.key).finished / COSTS_FILE).peak_device_memory_bytes
        except StorageError:  # it has not finished, or is damaged
            continue
        if peak is not None:
            peaks[network] = max(peak, peaks.get(network, 0))
    return peaks
