"""A generator of a third-party package: the mean image of each class, learnt in milliseconds, plus noise.

With it comes a network of one layer: what is tested is how the two go together, and processes start slowly enough.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.registries import tiny

# It may be told by the environment to die once, to fail, or to draw from the system's entropy.
SOURCE = """
import os
import signal
from pathlib import Path

from benchmarker import Architecture, Generator, Options, hookimpl


class PainterOptions(Options):
    rate: float = 0.5


@hookimpl
def benchmarker_register(registrar):
    registrar.generator(Generator(
        name="painter",
        builder="painter:build",
        citation="none",
        options="painter:PainterOptions",
        quality="painter:measure",
    ))
    registrar.architecture(Architecture(name="dot", builder="painter:dot", citation="none"))


def dot(input_shape, task, seed):
    import keras

    from benchmarker import layer_seeds

    first = keras.initializers.GlorotUniform(seed=next(layer_seeds(seed)))
    return keras.Sequential([
        keras.layers.Input(input_shape),
        keras.layers.Flatten(),
        keras.layers.Dense(task.n_outputs, activation="softmax", kernel_initializer=first),
    ])


def build(image_shape, conditions, seed, options):
    return Painter(image_shape, conditions, seed, options)


class Painter:
    batch_size = 4

    def __init__(self, image_shape, conditions, seed, options):
        import keras
        import numpy as np

        from benchmarker import layer_seeds

        self.rate = options.rate
        first = keras.random.uniform((conditions.size, *image_shape), seed=next(layer_seeds(seed)))
        self.means = keras.Variable(first, name="means")
        self.steps = keras.Variable(np.zeros((), "int32"), trainable=False, dtype="int32", name="steps")
        self.variables = [self.means, self.steps]
        self.sampling_variables = [self.means]

    def draw(self, rng, n):
        return {"rate": rng.random(n).astype("float32")}

    def train_step(self, images, conditions, draws):
        import numpy as np

        if os.environ.get("PAINTER_RESTLESS"):
            images = images * (0.5 + os.urandom(1)[0] / 512)
        step = int(np.array(self.steps))
        marker = os.environ.get("PAINTER_DIES")
        if marker and step == 5 and not Path(marker).exists():
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        means = np.array(self.means)
        for image, row, rate in zip(images, conditions.argmax(axis=1), draws["rate"]):
            means[row] += self.rate * rate * (image - means[row])
        self.means.assign(means)
        self.steps.assign(step + 1)
        loss = float("nan") if os.environ.get("PAINTER_FAILS") else float(np.mean(means))
        return {"d_loss_real": 0.5, "d_loss_fake": 0.5, "g_loss": loss}

    def noise(self, rng, n):
        return rng.random((n, 1)).astype("float32")

    def sample(self, noise, conditions):
        import numpy as np

        return np.array(self.means)[conditions.argmax(axis=1)] * (0.5 + 0.5 * noise[:, :, None, None])


def measure(request):
    drawn = sum(len(batch) for batch in request.sample(request.conditions.encode(
        request.held_out.targets, request.held_out.attributes), request.stream))
    return {"n_samples": drawn, "n_held_out": len(request.held_out), "n_train": len(request.train), "rows": []}
"""

GENERATORS = [{"generator": "painter", "epochs": 3}]
PAINTED = {"name": "painted", "generated": {"by": "painter", "ratio": 0.5}}
ALONE = {
    "name": "synthetic-only",
    "generated": {"by": "painter", "ratio": 0.5, "real": False},
    "augmentations": [{"name": "repeats", "options": {"ratio": 1}}],
}
MODELS = [{"architecture": "dot", "learning_rate": 0.001, "epochs": 1}]


def install(folder: Path) -> Path:
    """Write the package as an installer would, for PYTHONPATH."""
    folder.mkdir(exist_ok=True)
    (folder / "painter.py").write_text(SOURCE)
    info = folder / "painter-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: painter\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[benchmarker]\npainter = painter\n")
    return folder


def registry(images: Path, **changes: Any) -> dict[str, Any]:
    """Return a registry with two generated arms over a folder of images."""
    parts = {"generators": GENERATORS, "arms": ["real", PAINTED, ALONE], "models": MODELS}
    return tiny(images, **parts | changes)
