"""Turns a registry into what a study runs: a cell for every model x arm x seed, and the generators that arms need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from benchmarker.contracts.images import LabelledImages
from benchmarker.contracts.plugins import Dataset
from benchmarker.contracts.settings import Split
from benchmarker.contracts.tasks import Task
from benchmarker.data.splits import Parts
from benchmarker.discovery import Plugins
from benchmarker.errors import ConfigurationError, DataError, RegistryError
from benchmarker.generation.choosing import chosen_epoch
from benchmarker.generation.conditions import fit_conditions, fixed_condition
from benchmarker.generation.synthetic import Mixture
from benchmarker.hooks import spelling
from benchmarker.registry import (
    ArmEntry,
    AugmentationEntry,
    CellProblem,
    GeneratorEntry,
    LoadedRegistry,
    ModelEntry,
    Registry,
    plain_options,
)
from benchmarker.registry.generated import (
    conditions_of,
    generated_problems,
    label_of_row,
    trained_generators,
)
from benchmarker.registry.models import CHOSEN
from benchmarker.registry.positions import Problem
from benchmarker.registry.suitability import check_generator
from benchmarker.study.layout import RunPaths
from benchmarker.study.plan import PlannedCell, PlannedGenerator
from benchmarker.study.specs import (
    ArmSpec,
    CellSpec,
    DatasetSpec,
    GeneratedSpec,
    GeneratorChoice,
    GeneratorSpec,
    GeneratorTraining,
    ModelSpec,
    PluginChoice,
    TrainingPartSpec,
)
from benchmarker.training.sets import PartSet, digest_part

Generators = Mapping[tuple[str, int], PlannedGenerator]
"""Generators by their label, spelled as names are compared, and their seed."""


def make_cells(
    registry: Registry,
    plugins: Plugins,
    *,
    dataset: Dataset,
    data_digest: str,
    backend: str,
    lines: Mapping[int, int],
    unusable: Iterable[CellProblem] = (),
    generators: Generators | None = None,
    choices: Mapping[str, int] | None = None,
) -> list[tuple[PlannedCell, CellProblem | None]]:
    """Return the cells of a registry: seed by seed, arm by arm, model by model.

    Parameters
    ----------
    registry : Registry
        A validated registry.
    plugins : Plugins
        Plugins to look names up in.
    dataset : Dataset
        Dataset of the registry; it brings the split where the registry has none.
    data_digest : str
        SHA-256 of the prepared images.
    backend : str
        Name of the backend of Keras.
    lines : mapping of int to int
        Line of each model in the registry.
    unusable : iterable of CellProblem
        Models and arms that a broken plugin keeps from working.
    generators : mapping of (str, int) to PlannedGenerator
        Generators that arms need.
    choices : mapping of str to int
        Epochs that were chosen, by the keys of their generators.

    Returns
    -------
    list of (PlannedCell, CellProblem or None)
        Cells that cannot run stay in the plan, each with its problem. Those whose epoch is still to be chosen are left
        out.
    """
    problems = {(problem.part, problem.index): problem for problem in unusable}
    models = [_model_spec(entry, plugins, ("model", k) in problems) for k, entry in enumerate(registry.models)]
    arms = [_arm_spec(arm, plugins, ("arm", k) in problems) for k, arm in enumerate(registry.arms)]
    cells = []
    for seed in registry.all_seeds:
        for a, arm in enumerate(registry.arms):
            arm_spec = _with_generated(arms[a], arm, seed, generators or {}, choices or {})
            if arm_spec is None:
                continue
            for m, entry in enumerate(registry.models):
                spec = CellSpec(
                    backend=backend,
                    dataset=DatasetSpec(name=dataset.name, digest=data_digest),
                    split=registry.dataset.split or dataset.split or Split(),
                    training=registry.training,
                    arm=arm_spec,
                    model=models[m],
                    seed=seed,
                )
                cell = PlannedCell.of(spec, model=entry.label, arm=arm.name, line=lines.get(m, 0))
                cells.append((cell, problems.get(("model", m)) or problems.get(("arm", a))))
    return cells


def _model_spec(entry: ModelEntry, plugins: Plugins, unusable: bool) -> ModelSpec:
    if unusable:
        return ModelSpec(
            architecture=entry.architecture,
            options=entry.options,
            learning_rate=entry.learning_rate,
            epochs=entry.epochs,
            unusable=True,
        )
    architecture = plugins.architecture(entry.architecture)
    return ModelSpec(
        architecture=architecture.name,
        options=plain_options(architecture, entry.options),
        learning_rate=entry.learning_rate,
        epochs=entry.epochs,
    )


def _arm_spec(arm: ArmEntry, plugins: Plugins, unusable: bool) -> ArmSpec:
    """Return the specification of an arm but for its generator, which depends on the seed."""
    if unusable:
        return ArmSpec(
            augmentations=tuple(PluginChoice(name=entry.name, options=entry.options) for entry in arm.augmentations),
            augment_validation=arm.augment_validation,
            unusable=True,
            **({} if arm.generated is None else {"generated": arm.generated}),
        )
    augmentations = _augmentation_choices(arm.augmentations, plugins)
    return ArmSpec(augmentations=augmentations, augment_validation=arm.augment_validation and bool(augmentations))


def _augmentation_choices(entries: Sequence[AugmentationEntry], plugins: Plugins) -> tuple[PluginChoice, ...]:
    found = [(plugins.augmentation(entry.name), entry.options) for entry in entries]
    return tuple(PluginChoice(name=each.name, options=plain_options(each, options)) for each, options in found)


def _with_generated(
    spec: ArmSpec, arm: ArmEntry, seed: int, generators: Generators, choices: Mapping[str, int]
) -> ArmSpec | None:
    """Return the specification of an arm under a seed: with the generator that it has then, where it has one.

    None where an epoch is to be chosen and none was: such cells have no key yet.
    """
    asked = arm.generated
    if asked is None or spec.unusable:
        return spec
    generator = generators[spelling(asked.by), seed]
    epoch = asked.epoch if isinstance(asked.epoch, int) else None
    if asked.epoch == CHOSEN:
        if generator.key not in choices:
            return None
        epoch = choices[generator.key]
    elif epoch == generator.spec.generator.epochs:
        epoch = None  # the same images as without it
    generated = GeneratedSpec.of(generator.key, generator.configuration, asked, epoch)
    return spec.model_copy(update={"generated": generated})


def read_choices(
    study: Path, loaded: LoadedRegistry, generators: Generators, *, standalone: bool = False
) -> dict[str, int]:
    """Return the epochs that were chosen in a study for the arms that ask for them, by the keys of their generators.

    Parameters
    ----------
    study : Path
        Folder of the study, which holds the trained generators.
    loaded : LoadedRegistry
        A valid registry.
    generators : mapping of (str, int) to PlannedGenerator
        Generators that arms need.
    standalone : bool
        Whether generators are trained without networks, and may be chosen from later.

    Raises
    ------
    RegistryError
        If none was chosen for some seed, unless `standalone`.
    """
    found, problems = {}, []
    for index, arm in enumerate(loaded.registry.arms):
        if arm.generated is None or arm.generated.epoch != CHOSEN:
            continue
        missing = []
        for (label, seed), generator in generators.items():
            if label != spelling(arm.generated.by):
                continue
            epoch = chosen_epoch(RunPaths.of(study, generator.key).finished)
            if epoch is None:
                missing.append(seed)
            else:
                found[generator.key] = epoch
        if missing and not standalone:
            text = (
                f"no epoch of {arm.generated.by!r} was chosen for the seeds {', '.join(map(str, missing))} in {study}: "
                "train it with 'benchmarker gan train' and choose one for each seed with 'benchmarker gan choose'"
            )
            problems.append(Problem(path=("arms", index, "generated", "epoch"), text=text))
    if problems:
        raise RegistryError(loaded.positions.messages(problems))
    return found


def make_generators(
    loaded: LoadedRegistry,
    plugins: Plugins,
    *,
    data: LabelledImages,
    splits: Sequence[Parts],
    backend: str,
    unusable: Iterable[CellProblem] = (),
    standalone: bool = False,
) -> dict[tuple[str, int], PlannedGenerator]:
    """Return the generators that are trained, one for each seed.

    Parameters
    ----------
    loaded : LoadedRegistry
        A valid registry, with names as plugins spell them.
    plugins : Plugins
        Plugins to look names up in.
    data : LabelledImages
        All prepared images; a generator's key depends only on those of its training part.
    splits : sequence of Parts
        Parts under each seed of the registry.
    backend : str
        Name of the backend of Keras.
    unusable : iterable of CellProblem
        Arms that a broken plugin keeps from working.
    standalone : bool
        Whether all generators of the registry are trained, without networks, or those that arms use.

    Returns
    -------
    dict of (str, int) to PlannedGenerator
        Generators by their label, spelled as names are compared, and their seed.
    """
    entries = trained_generators(loaded.registry, _unusable_arms(unusable), standalone=standalone)
    found = {}
    for seed, parts in zip(loaded.registry.all_seeds, splits, strict=True) if entries else ():
        part = PartSet(data, parts.train)
        images = TrainingPartSpec(digest=digest_part(part), images=len(part), shape=part.image_shape, task=part.task)
        training = loaded.registry.training
        for index, entry in entries:
            augmentations = _augmentation_choices(entry.augmentations, plugins)
            spec = GeneratorSpec(
                backend=backend,
                seed=seed,
                training=GeneratorTraining(threads=training.threads, precision=training.precision),
                data=images,
                generator=_generator_choice(entry, plugins),
                conditions=tuple(conditions_of(entry, data.task)),
                # Left out where there are none, so that keys of generators without them are as they were.
                **({"augmentations": augmentations} if augmentations else {}),
            )
            line = loaded.positions.position(("generators", index)).line
            found[spelling(entry.label), seed] = PlannedGenerator.of(
                spec, label=entry.label, line=line, watch=entry.watch
            )
    return found


def _generator_choice(entry: GeneratorEntry, plugins: Plugins) -> GeneratorChoice:
    plugin = plugins.generator(entry.generator)
    return GeneratorChoice(name=plugin.name, options=plain_options(plugin, entry.options), epochs=entry.epochs)


def check_generated(
    loaded: LoadedRegistry,
    plugins: Plugins,
    data: LabelledImages,
    splits: Sequence[Parts],
    unusable: Iterable[CellProblem] = (),
    *,
    standalone: bool = False,
) -> list[str]:
    """Refuse conditions that these images cannot be generated for, and return notes on arms.

    Notes name the arms that would get no image, and the generators whose images are labelled by the real ones.

    Parameters
    ----------
    loaded : LoadedRegistry
        A valid registry.
    plugins : Plugins
        Plugins to look names up in.
    data : LabelledImages
        All prepared images.
    splits : sequence of Parts
        Parts under each seed of the registry.
    unusable : iterable of CellProblem
        Arms that a broken plugin keeps from working.
    standalone : bool
        Whether all generators of the registry are trained, without networks, or those that arms use.

    Raises
    ------
    RegistryError
        With every problem found.
    """
    lost = _unusable_arms(unusable)
    entries = trained_generators(loaded.registry, lost, standalone=standalone)
    if not entries:
        return []
    problems = generated_problems(loaded.registry, data.task, tuple(data.attributes), lost, standalone=standalone)
    problems += [] if problems else _impossible(entries, plugins, data)
    trained = [PartSet(data, parts.train) for parts in splits]
    notes: list[Problem] = []
    if not problems:
        problems = _unknown_values(entries, trained)
        if not standalone:
            empty, notes = _too_few(loaded.registry, trained, lost)
            problems = empty + problems
            notes += _labelled_by_rows(entries, data.task)
    if problems:
        raise RegistryError(loaded.positions.messages(problems))
    return [loaded.positions.message(note) for note in notes]


def _labelled_by_rows(entries: Sequence[tuple[int, GeneratorEntry]], task: Task) -> list[Problem]:
    """Return the generators that do not know the whole label of the images that they make."""
    texts = ((index, label_of_row(task, conditions_of(entry, task))) for index, entry in entries)
    return [Problem(path=("generators", index, "conditions"), text=text) for index, text in texts if text]


def _unusable_arms(unusable: Iterable[CellProblem]) -> set[int]:
    return {problem.index for problem in unusable if problem.part == "arm"}


def _impossible(entries: Sequence[tuple[int, GeneratorEntry]], plugins: Plugins, data: LabelledImages) -> list[Problem]:
    """Return the generators that cannot be built for these images."""
    height, width = data.images.shape[1:3]
    problems = []
    for index, entry in entries:
        try:
            check_generator(entry, plugins, data.task, (height, width))
        except ConfigurationError as error:
            problems.append(Problem(path=("generators", index, "generator"), text=str(error)))
    return problems


def _too_few(
    registry: Registry, trained: Sequence[PartSet], lost: Collection[int]
) -> tuple[list[Problem], list[Problem]]:
    """Return the arms that would have nothing to train on, and those that would get no generated image."""
    problems, notes = [], []
    for index, arm in enumerate(registry.arms):
        if arm.generated is None or index in lost:
            continue
        path = ("arms", index, "generated")
        mixture = Mixture(ratio=arm.generated.ratio, balance=arm.generated.balance, real=arm.generated.real)
        try:
            images = max(sum(mixture.counts(part.task, part.targets)) for part in trained)
        except ConfigurationError as error:
            problems.append(Problem(path=path, text=str(error)))
            continue
        if not images:
            why = "all classes of the training part are equally large" if mixture.balance else "the ratio is too small"
            text = f"no image is generated for the arm {arm.name!r}, which trains on real images only: {why}"
            notes.append(Problem(path=path, text=text))
    return problems, notes


def _unknown_values(entries: Sequence[tuple[int, GeneratorEntry]], trained: Sequence[PartSet]) -> list[Problem]:
    """Return the generators whose conditions are unknown for some image that they would be trained on."""
    problems = []
    for index, entry in entries:
        for part in trained:
            try:
                space = fit_conditions(conditions_of(entry, part.task), part, {})
            except DataError as error:
                problems.append(Problem(path=("generators", index, "conditions"), text=str(error)))
                continue
            try:
                fixed_condition(space, (entry.watch and entry.watch.condition) or {})
            except ConfigurationError as error:
                problems.append(Problem(path=("generators", index, "watch", "condition"), text=str(error)))
                break
    return problems
