"""What a network or a generator cannot do is refused before anything is trained, in one sentence and with its place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarker import Architecture, Dataset, Generator, Options, Regression, RegressionTarget
from benchmarker.discovery import Plugins, installed
from benchmarker.errors import ConfigurationError
from tests import registries
from tests.registries import plugins_of, says

TARGETS = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),))

GENERATED = """\
dataset: {{name: synthetic-radio, preparation: {{crop: {size}}}}}
models: [{{architecture: simple_net, learning_rate: 1e-3, epochs: 1}}]
generators:
  - {{generator: {generator}, epochs: 1, {settings}}}
arms: [real, {{name: half, generated: {{by: {generator}, ratio: 0.5}}}}]
"""


def generated(generator: str, settings: str = "", size: int = 64) -> str:
    return GENERATED.format(generator=generator, settings=settings, size=size)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (generated("dcgan", "conditions: [class, redshift]"), ("continuous", "use cgan", "redshift")),
        (generated("dcgan", size=50), ("'small'", "48 and 56", "50")),
        (generated("dcgan", "options: {preset: colour}", size=50), ("'colour'", "48 and 56", "50")),
        (generated("dcgan", "options: {preset: radio}", size=50), ("'radio'", "multiple of 8", "50")),
        (generated("cgan", size=12), ("16", "12")),
        (generated("cgan", "options: {preset: published}", size=12), ("16", "12")),
    ],
)
def test_generator_that_cannot_be_built_is_refused(text: str, words: tuple[str, ...]) -> None:
    (problem,) = registries.problems(text, plugins=installed())
    assert says(problem, "mine.yaml:4:17", *words)


@pytest.mark.parametrize("preset", ["small", "radio", "colour"])
def test_generator_that_can_be_built_has_no_problem(preset: str) -> None:
    assert registries.check(generated("dcgan", f"options: {{preset: {preset}}}", size=48), installed()) == ()


def test_network_for_regressions_is_refused_for_classes() -> None:
    text = "dataset: synthetic-radio\nmodels:\n  - {architecture: axis_ratio, learning_rate: 1e-3, epochs: 1}\n"
    (problem,) = registries.problems(text, plugins=installed())
    assert says(problem, "mine.yaml:3:20", "axis_ratio", "regression", "classification")


class Wide(Options):
    """Options of a generator."""

    width: int = 1


def only_narrow(conditions: tuple[str, ...], image_size: tuple[int, int] | None, options: Wide) -> None:
    """Check as a plugin does."""
    if options.width > 2:
        raise ConfigurationError(f"too wide for {', '.join(conditions)} of {image_size}")


def forgetful(_conditions: tuple[str, ...], _image_size: tuple[int, int] | None) -> None:
    raise KeyError("size")


def painters(**settings: str) -> Plugins:
    return plugins_of(
        Architecture(name="net", builder="x:y", citation="c"),
        Dataset(name="sky", loader="x:y", licence="l", citation="c", task=TARGETS),
        Generator(name="painter", builder="x:y", citation="c", **settings),
    )


PAINTED = """\
dataset: sky
models: [{architecture: net, learning_rate: 1e-4, epochs: 1}]
generators:
  - {generator: painter, epochs: 2}
arms: [{name: half, generated: {by: painter, ratio: 0.5}}]
"""


def test_check_of_a_plugin_gets_conditions_size_and_options() -> None:
    known = painters(check=f"{__name__}:only_narrow", options=f"{__name__}:Wide")
    assert registries.check(PAINTED, known) == ()
    (problem,) = registries.problems(PAINTED.replace("2}", "2, options: {width: 3}}"), plugins=known)
    assert says(problem, "mine.yaml:4:17", "too wide for inclination of None")


def test_check_that_fails_itself_is_the_fault_of_its_plugin() -> None:
    (problem,) = registries.check(PAINTED, painters(check=f"{__name__}:forgetful"))
    assert (problem.part, problem.kind) == ("arm", "plugin")
    assert says(problem.message, "mine.yaml:4:17", "KeyError", "painter")


def test_checking_generators_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(generated("dcgan", size=50))
    code = (
        "import sys; from benchmarker.cli import main\n"
        "try: main(['validate', 'mine.yaml'])\nexcept SystemExit as end: print(end.code)\n"
        "print(sorted({'keras', 'tensorflow', 'pandas', 'matplotlib'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
