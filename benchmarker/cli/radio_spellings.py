"""Options as the radio framework spells them, so that its users' command lines work unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import rich_click as click

_SAME = {
    "--architectures_file": "--architectures",
    "--data_manifest": "--manifest",
    "--data_path": "--data",
    "--early_stopping": "--early-stopping",
    "--img_size": "--image-size",
    "--model_path": "--model-path",
    "--only_test": "--only-test",
    "--results_path": "--results-path",
    "--rotate": "--rotation",
    "--train_size": "--train-size",
    "--val_size": "--validation-size",
}
_FLAGS = ("-o", "--only-test", "-X", "--mnist")
_UNUSED = ("-c", "--num_classes", "--number_classes")
"""The number of classes, which the images say here."""
_BOOLEANS = ("true", "false")
_THRESHOLD = "0.8"
"""Fraction of the maximum that the framework's binary threshold stands for."""
_DATA = {
    "MNIST": ("--mnist",),
    "LRG_manifest": ("--manifest", "LRG_manifest.csv"),
    "unLRG_manifest": ("--manifest", "unLRG_manifest.csv"),
}
"""Data that the framework's second starter has names for."""


class RadioCommand(click.RichCommand):
    """A command that also understands the options of the radio framework, which its help does not list."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Translate the options, and parse them."""
        return super().parse_args(ctx, list(translated(args)))


def translated(arguments: Iterable[str]) -> Iterator[str]:
    """Yield the arguments of a command line with the options of the radio framework in today's spelling.

    Its flags take a value (``-o True``), its image size is height and width (``-i 300,300``), and the number of classes
    (``-c 4``) is left out, because the images say it. Of its second starter, ``--data`` also takes the names of its
    data, ``--test`` says what is tested, and ``--final`` is left out, because final weights are always tested.

    Examples
    --------
    >>> list(translated(["-i", "300,300", "-o", "True", "-c", "4", "--train_size=250"]))
    ['-i', '300', '-o', '--train-size=250']
    """
    words = _Words(arguments)
    while words.left:
        word = words.next()
        name = word.partition("=")[0]
        if name in _TRANSLATORS:
            yield from _TRANSLATORS[name](name, words)
        else:
            yield word
    yield from _image_size(words.sides)


class _Words:
    """The words of a command line that are still to be read, and sides of images that were."""

    def __init__(self, arguments: Iterable[str]) -> None:
        self.left = [word for argument in arguments for word in _split(argument)]
        self.sides: list[str] = []

    def next(self) -> str:
        """Return the next word, which is no longer left; an empty one at the end."""
        return self.left.pop(0) if self.left else ""

    def boolean(self) -> str:
        """Return the next word in lower case if it is true or false, and otherwise nothing."""
        return self.next().lower() if self.left and self.left[0].lower() in _BOOLEANS else ""


def _flag(name: str, words: _Words) -> Iterator[str]:
    if words.boolean() != "false":
        yield name


def _size(name: str, words: _Words) -> Iterator[str]:
    yield name
    if words.left:
        yield _side(words.next())


def _unused(name: str, words: _Words) -> Iterator[str]:  # noqa: ARG001 - as the others
    words.next()
    return iter(())


def _final(name: str, words: _Words) -> Iterator[str]:  # noqa: ARG001 - as the others
    words.boolean()
    return iter(())


def _one_side(name: str, words: _Words) -> Iterator[str]:  # noqa: ARG001 - as the others
    words.sides.append(words.next())
    return iter(())


def _data(name: str, words: _Words) -> Iterator[str]:
    value = words.next()
    yield from (name, value) if Path(value).exists() else _DATA.get(value, (name, value))


def _threshold(name: str, words: _Words) -> Iterator[str]:  # noqa: ARG001 - as the others
    switched = words.boolean()
    if switched != "false":
        yield from ("--binary-threshold", _THRESHOLD if switched else words.next())


def _test(name: str, words: _Words) -> Iterator[str]:  # noqa: ARG001 - as the others
    value = words.next().lower()
    if value != "false":
        yield "--only-test"
    if value not in _BOOLEANS:  # times, parameters and FLOPs are in files of the framework's names
        yield "--legacy-outputs"


_TRANSLATORS: Mapping[str, Callable[[str, _Words], Iterator[str]]] = {
    **dict.fromkeys(_FLAGS, _flag),
    **dict.fromkeys(("-i", "--image-size"), _size),
    **dict.fromkeys(_UNUSED, _unused),
    **dict.fromkeys(("--img_rows", "--img_cols"), _one_side),
    "--bin_thresh": _threshold,
    "--data": _data,
    "--final": _final,
    "--test": _test,
}


def _image_size(sides: list[str]) -> Iterator[str]:
    if sides:
        yield from ("--image-size", _side(",".join(sides)))


def _side(size: str) -> str:
    """Return the height of ``height,width``."""
    height, comma, width = (part.strip() for part in size.partition(","))
    if comma and height != width:
        raise click.BadParameter(
            f"images are square: give one number, or the same twice. Received: {size}", param_hint="-i"
        )
    return height


def _split(argument: str) -> list[str]:
    """Return an argument in today's spelling; values of options that are translated become words of their own."""
    name, separator, value = argument.partition("=")
    name = _SAME.get(name, name)
    return [name, value] if separator and name in _TRANSLATORS else [f"{name}{separator}{value}"]
