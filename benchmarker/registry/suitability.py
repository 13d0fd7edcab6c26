"""What networks and generators cannot do, as far as they declare it: found before anything is trained.

The check of a registry applies these rules as far as the registry and the dataset's declaration tell the task and the
size of the images. The plan of a study applies them again once the images are prepared.
"""

from __future__ import annotations

from benchmarker.containment import PluginErrors
from benchmarker.contracts.plugins import Architecture, Generator
from benchmarker.contracts.tasks import Task
from benchmarker.discovery import Plugins, resolve
from benchmarker.errors import ConfigurationError
from benchmarker.registry.generated import conditions_of
from benchmarker.registry.models import GeneratorEntry
from benchmarker.registry.options import validated_options


def check_task(architecture: Architecture, task: Task) -> None:
    """Refuse a task that a network is not made for.

    Parameters
    ----------
    architecture : Architecture
        The network.
    task : Task
        Task of the dataset.

    Raises
    ------
    ConfigurationError
        If the network is for other tasks.
    """
    if task.kind not in architecture.tasks:
        raise ConfigurationError(
            f"{architecture.name} is for a {' or a '.join(architecture.tasks)}, but the dataset is a {task.kind}"
        )


def check_generator(
    entry: GeneratorEntry, plugins: Plugins, task: Task | None, image_size: tuple[int, int] | None
) -> None:
    """Refuse conditions, options and image sizes that a generator cannot be built for, as its plugin checks them.

    Parameters
    ----------
    entry : GeneratorEntry
        Generator of a registry; its name and its options are valid.
    plugins : Plugins
        Plugins to look its name up in.
    task : Task, optional
        Task of the dataset; if it is unknown, so are the conditions of an entry that gives none.
    image_size : tuple of int, optional
        Height and width of the prepared images in pixels.

    Raises
    ------
    ConfigurationError
        If the plugin refuses them.
    PluginError
        If its check cannot be imported, or fails.
    """
    generator: Generator = plugins.generator(entry.generator)
    if not generator.check or (entry.conditions is None and task is None):
        return
    options = validated_options(generator, entry.options)
    conditions = tuple(conditions_of(entry, task))
    check = resolve(generator.check)
    with PluginErrors(f"checking the settings of {generator.name!r}"):
        check(conditions, image_size, *(() if generator.options is None else (options,)))
