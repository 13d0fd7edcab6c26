"""Options as the radio framework spells them, so that its users' command lines work unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import rich_click as click

_SAME = {
    "--architectures_file": "--architectures",
    "--data_manifest": "--manifest",
    "--data_path": "--data",
    "--img_size": "--image-size",
    "--model_path": "--model-path",
    "--only_test": "--only-test",
    "--results_path": "--results-path",
    "--rotate": "--rotation",
    "--train_size": "--train-size",
    "--val_size": "--validation-size",
}
_FLAGS = ("-o", "--only-test", "-X", "--mnist")
_SIZES = ("-i", "--image-size")
_UNUSED = ("-c", "--num_classes", "--number_classes")
"""The number of classes, which the images say here."""


class RadioCommand(click.RichCommand):
    """A command that also understands the options of the radio framework, which its help does not list."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Translate the options, and parse them."""
        return super().parse_args(ctx, list(translated(args)))


def translated(arguments: Iterable[str]) -> Iterator[str]:
    """Yield the arguments of a command line with the options of the radio framework in today's spelling.

    Its flags take a value (``-o True``), its image size is height and width (``-i 300,300``), and the number of classes
    (``-c 4``) is left out, because the images say it.

    Examples
    --------
    >>> list(translated(["-i", "300,300", "-o", "True", "-c", "4", "--train_size=250"]))
    ['-i', '300', '-o', '--train-size=250']
    """
    left = iter([word for argument in arguments for word in _split(argument)])
    waiting = next(left, None)
    while waiting is not None:
        word, waiting = waiting, next(left, None)
        name, separator, value = word.partition("=")
        if name in _UNUSED:
            if not separator:
                waiting = next(left, None)
        elif name in _FLAGS and waiting is not None and waiting.lower() in {"true", "false"}:
            if waiting.lower() == "true":
                yield name
            waiting = next(left, None)
        elif name in _SIZES and waiting is not None:
            yield name
            yield _side(waiting)
            waiting = next(left, None)
        else:
            yield f"{name}{separator}{value}"


def _side(size: str) -> str:
    """Return the height of ``height,width``."""
    height, comma, width = (part.strip() for part in size.partition(","))
    if comma and height != width:
        raise click.BadParameter(
            f"images are square: give one number, or the same twice. Received: {size}", param_hint="-i"
        )
    return height


def _split(argument: str) -> list[str]:
    """Return an argument in today's spelling; values of flags and sizes become words, as in ``--mnist True``."""
    name, separator, value = argument.partition("=")
    name = _SAME.get(name, name)
    return [name, value] if separator and name in (*_FLAGS, *_SIZES) else [f"{name}{separator}{value}"]
