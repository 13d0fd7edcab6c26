"""Plans with generators: what their keys depend on, and what they change in those of cells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarker import Attribute, Classification, LabelledImages, Regression, RegressionTarget, Split
from benchmarker.data.splits import Parts, split_sources
from benchmarker.discovery import installed
from benchmarker.errors import RegistryError
from benchmarker.paths import shipped_folder
from benchmarker.registry import LoadedRegistry, load_registry
from benchmarker.run.planning import check_generated, make_cells, make_generators
from benchmarker.study.plan import PlannedCell, PlannedGenerator, read_plan
from benchmarker.study.plan_growth import merge_generators
from tests.study.material import write_plan

HEAD = """\
dataset: synthetic-radio
seeds: [8901, 1826]
models: [{architecture: mcrgnet, learning_rate: 1e-3, epochs: 2}]
"""
GENERATED = """\
generators: [{generator: dcgan, epochs: 2}, {generator: dcgan, name: unused, epochs: 3}]
arms: [real, {name: half, generated: {by: DCGAN, ratio: 0.5}}, {name: even, generated: {by: dcgan, balance: true}}]
"""
N = 24


def images(changed: Mapping[int, float] | None = None, **attributes: Any) -> LabelledImages:
    pixels = np.linspace(0, 1, N * 256, dtype=np.float32).reshape(N, 16, 16, 1).copy()
    for index, value in (changed or {}).items():
        pixels[index] = value
    return LabelledImages(
        task=Classification(classes=("a", "b")),
        images=pixels,
        targets=np.arange(N) % 2,
        source_ids=tuple(f"source {k:02d}" for k in range(N)),
        parts=(None,) * N,
        attributes={name: Attribute(values=np.asarray(values), unit="") for name, values in attributes.items()},
        skipped=(),
        digest="0" * 64,
    )


def loaded(folder: Path, text: str) -> LoadedRegistry:
    (folder / "mine.yaml").write_text(text)
    return load_registry(folder / "mine.yaml")


def planned(
    registry: LoadedRegistry, data: LabelledImages, backend: str = "tensorflow"
) -> tuple[dict[tuple[str, int], PlannedGenerator], list[PlannedCell], list[Parts]]:
    splits = [split_sources(data, Split(train=6, validation=3), seed) for seed in registry.registry.seeds]
    plugins = installed()
    generators = make_generators(registry, plugins, data=data, splits=splits, backend=backend)
    cells = make_cells(
        registry.registry,
        plugins,
        dataset=plugins.dataset("synthetic-radio"),
        data_digest=data.digest,
        backend=backend,
        lines=registry.lines,
        generators=generators,
    )
    return generators, [cell for cell, _ in cells], splits


def keys(generators: Mapping[tuple[str, int], PlannedGenerator]) -> list[str]:
    return [cell.key for cell in generators.values()]


def test_generators_change_no_key_of_other_cells(tmp_path: Path) -> None:
    """These keys were made before there were generators."""
    quickstart = load_registry(shipped_folder() / "quickstart.yaml")
    plugins = installed()
    made = make_cells(
        quickstart.registry,
        plugins,
        dataset=plugins.dataset("synthetic-radio"),
        data_digest="0" * 64,
        backend="tensorflow",
        lines=quickstart.lines,
    )
    first = made[0][0]
    assert first.key == "2582729f203cef90483bbbfd964b1042927e7494fcbd1bda2f7f076b54c1ca6e"
    assert first.configuration == "e2347e7dcb707994834bbe5870372e361eb53acaafb2c8b95b41c12973cb35fe"
    plain = planned(loaded(tmp_path, HEAD), images())[1]
    beside = planned(loaded(tmp_path, HEAD + GENERATED), images())[1]
    assert [cell.key for cell in plain] == [cell.key for cell in beside if cell.arm == "real"]


def test_only_generators_that_arms_use_are_trained_once_for_each_seed(tmp_path: Path) -> None:
    generators, cells, _ = planned(loaded(tmp_path, HEAD + GENERATED), images())
    assert [(each.label, each.plugin, each.arm, each.seed) for each in generators.values()] == [
        ("dcgan", "dcgan", "generator", 8901),
        ("dcgan", "dcgan", "generator", 1826),
    ]
    by_seed = {cell.seed: cell.key for cell in generators.values()}
    for cell in cells:
        assert cell.generator == (None if cell.arm == "real" else by_seed[cell.seed])
    assert len({cell.configuration for cell in generators.values()}) == 1
    assert len({cell.configuration for cell in cells}) == 3  # seeds of an arm are averaged


def test_all_generators_are_planned_without_networks(tmp_path: Path) -> None:
    """Unconditional ones too, which no arm can use, and whether there are arms or not."""
    text = HEAD + GENERATED.splitlines()[0].replace("epochs: 3", "epochs: 3, conditions: []") + "\n"
    registry, data = loaded(tmp_path, text), images()
    splits = parts_of(data)
    assert check_generated(registry, installed(), data, splits, standalone=True) == []
    found = make_generators(registry, installed(), data=data, splits=splits, backend="tensorflow", standalone=True)
    assert [(each.label, each.seed, each.spec.conditions) for each in found.values()] == [
        ("dcgan", 8901, ("class",)),
        ("unused", 8901, ()),
        ("dcgan", 1826, ("class",)),
        ("unused", 1826, ()),
    ]


def test_plan_keeps_generators_that_were_trained_without_networks(tmp_path: Path) -> None:
    data = images()
    registry = loaded(tmp_path, HEAD + GENERATED)
    trained = make_generators(
        registry, installed(), data=data, splits=parts_of(data), backend="tensorflow", standalone=True
    ).values()
    used, cells, _ = planned(registry, data)
    assert {each.key for each in merge_generators(used.values(), trained, cells)} == {each.key for each in trained}
    other = loaded(tmp_path, HEAD + GENERATED.replace("epochs: 3", "epochs: 4"))
    changed = make_generators(
        other, installed(), data=data, splits=parts_of(data), backend="tensorflow", standalone=True
    ).values()
    merged = merge_generators(changed, trained, cells)
    assert {each.spec.generator.epochs for each in merged if each.label == "unused"} == {4}


def test_images_made_for_other_conditions_than_the_class_are_labelled_by_their_rows(tmp_path: Path) -> None:
    text = (HEAD + GENERATED).replace("dcgan, epochs: 2", "cgan, name: dcgan, epochs: 2, conditions: [redshift]")
    data = images(redshift=np.arange(N) / N)
    note, *_ = [
        note
        for note in check_generated(loaded(tmp_path, text), installed(), data, parts_of(data))
        if "real image whose" in note
    ]
    assert "mine.yaml:4:68: generated images get the class of the real image whose redshift" in note


def test_key_depends_on_the_training_part_and_on_no_other_image(tmp_path: Path) -> None:
    registry = loaded(tmp_path, HEAD + GENERATED)
    generators, _, splits = planned(registry, images(redshift=np.arange(N) / N))
    for part, same in (("validation", True), ("test", True), ("train", False)):
        indices = [set(getattr(parts, part).tolist()) for parts in splits]
        shared = sorted(set.intersection(*indices))
        changed = planned(registry, images({shared[0]: 0.5}, redshift=np.arange(N) / N))[0]
        assert [a == b for a, b in zip(keys(generators), keys(changed), strict=True)] == [same, same]
    other = planned(registry, images(redshift=np.arange(N) / N + 1))[0]
    assert not set(keys(other)) & set(keys(generators))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dcgan, epochs: 2", "dcgan, epochs: 4"),
        ("dcgan, epochs: 2", "dcgan, epochs: 2, conditions: [class, redshift]"),
        ("dcgan, epochs: 2", "dcgan, epochs: 2, augmentations: [Flips, {name: rotations, options: {step: 10}}]"),
        ("seeds: [8901, 1826]", "seeds: [1, 2]"),
        ("dataset:", "training: {threads: 1}\ndataset:"),
        ("dataset:", "training: {precision: mixed_bfloat16}\ndataset:"),
    ],
)
def test_key_depends_on_what_changes_the_training(old: str, new: str, tmp_path: Path) -> None:
    data = images(redshift=np.arange(N) / N)
    before = keys(planned(loaded(tmp_path, HEAD + GENERATED), data)[0])
    after = keys(planned(loaded(tmp_path, (HEAD + GENERATED).replace(old, new, 1)), data)[0])
    assert not set(before) & set(after)


def test_augmentations_are_in_the_key_only_where_they_are_used(tmp_path: Path) -> None:
    """This key was made before generators could have augmentations."""
    registry = loaded(tmp_path, HEAD + GENERATED)
    first, second = (planned(registry, images())[0][("dcgan", seed)] for seed in (8901, 1826))
    assert "augmentations" not in first.spec.to_json()
    assert first.key == "808459a07bbca5dcf0e4ef11bc3d4581768c51ddc0b179e485190750fb97af8a"
    entry = "dcgan, epochs: 2, augmentations: [flips, {name: rotations, options: {step: 10}}]"
    turned = planned(loaded(tmp_path, (HEAD + GENERATED).replace("dcgan, epochs: 2", entry, 1)), images())[0]
    spec = turned["dcgan", 8901].spec
    assert [(each.name, each.options) for each in spec.augmentations][1] == ("rotations", {"step": 10})
    assert ("augmentation", "flips") in spec.plugins
    assert second.configuration == first.configuration != turned["dcgan", 8901].configuration


def test_names_rates_and_batches_change_no_generator(tmp_path: Path) -> None:
    before = keys(planned(loaded(tmp_path, HEAD + GENERATED), images())[0])
    text = (HEAD + GENERATED).replace("1e-3", "1e-2").replace("dataset:", "training: {batch_size: 8}\ndataset:")
    text = text.replace("generator: dcgan, epochs: 2", "generator: dcgan, name: brush, epochs: 2")
    text = text.replace("by: DCGAN", "by: brush").replace("by: dcgan", "by: brush")
    assert keys(planned(loaded(tmp_path, text), images())[0]) == before
    assert not set(keys(planned(loaded(tmp_path, text), images(), backend="jax")[0])) & set(before)


def test_plan_keeps_generators_that_its_cells_need(tmp_path: Path) -> None:
    generators, cells, _ = planned(loaded(tmp_path, HEAD + GENERATED), images())
    write_plan(tmp_path, cells, generators.values())
    plan = read_plan(tmp_path)
    assert plan is not None
    assert list(plan.cells) == cells
    assert list(plan.generators) == list(generators.values())
    of_first_seed, of_second = ([cell for cell in cells if cell.seed == seed] for seed in (8901, 1826))
    kept = merge_generators((), plan.generators, of_first_seed, of_second)
    assert [generator.seed for generator in kept] == [8901]
    write_plan(tmp_path, cells)
    assert "generators" not in (tmp_path / "plan.json").read_text()


def parts_of(data: LabelledImages) -> list[Parts]:
    return [split_sources(data, Split(train=6, validation=3), seed) for seed in (8901, 1826)]


def unknown_somewhere() -> LabelledImages:
    """Images with one unknown redshift, of an image that is in the training part under the second seed only."""
    data = images(redshift=np.arange(N) / N)
    first, second = (set(parts.train.tolist()) for parts in parts_of(data))
    data.attributes["redshift"].values[min(second - first)] = np.nan
    return data


@pytest.mark.parametrize(
    ("conditions", "complaint"),
    [
        ("[class, mass]", "4:76: these images have no condition 'mass'; known are: class, redshift"),
        ("[]", "4:68: images that are generated without conditions have no label to train on: add 'class'"),
        ("[class, redshift]", "4:68: the condition 'redshift' is unknown for some images of the training part"),
    ],
)
def test_conditions_that_images_lack_are_refused(conditions: str, complaint: str, tmp_path: Path) -> None:
    text = (HEAD + GENERATED).replace("dcgan, epochs: 2", f"cgan, name: dcgan, epochs: 2, conditions: {conditions}")
    data = unknown_somewhere()
    with pytest.raises(RegistryError) as caught:
        check_generated(loaded(tmp_path, text), installed(), data, parts_of(data))
    (problem,) = caught.value.problems
    assert f"mine.yaml:{complaint}" in problem


def test_arm_without_a_generated_image_is_reported_before_training(tmp_path: Path) -> None:
    """The classes of the training part are equally large; a twentieth of twelve images is one, a fiftieth is none."""
    data = images()
    (told,) = check_generated(loaded(tmp_path, HEAD + GENERATED), installed(), data, parts_of(data))
    assert "mine.yaml:5:" in told
    assert "the arm 'even'" in told
    assert "all classes of the training part are equally large" in told
    some = (HEAD + GENERATED).replace(", {name: even, generated: {by: dcgan, balance: true}}", "")
    for ratio, said in ((0.05, []), (0.02, ["the ratio is too small"])):
        text = some.replace("ratio: 0.5", f"ratio: {ratio}")
        notes = check_generated(loaded(tmp_path, text), installed(), data, parts_of(data))
        assert [note.rpartition(": ")[2] for note in notes] == said
    with pytest.raises(RegistryError, match="needs synthetic ones; raise its ratio"):
        check_generated(
            loaded(tmp_path, some.replace("ratio: 0.5", "ratio: 0.02, real: false")), installed(), data, parts_of(data)
        )


def test_arms_without_any_image_are_reported_together(tmp_path: Path) -> None:
    text = HEAD + GENERATED
    for amount, ratio in (("ratio: 0.5", 0.02), ("balance: true", 0.01)):
        text = text.replace(amount, f"ratio: {ratio}, real: false")
    data = images()
    with pytest.raises(RegistryError) as caught:
        check_generated(loaded(tmp_path, text), installed(), data, parts_of(data))
    assert len(caught.value.problems) == 2
    assert all("raise its ratio" in problem for problem in caught.value.problems)


def test_regression_is_generated_for_all_targets_and_never_balanced(tmp_path: Path) -> None:
    targets = tuple(RegressionTarget(name=name, unit="", minimum=0, maximum=1) for name in ("z", "mass"))
    data = images()
    numbers = LabelledImages(
        task=Regression(targets=targets),
        images=data.images,
        targets=np.zeros((N, 2)),
        source_ids=data.source_ids,
        parts=data.parts,
        attributes={},
        skipped=(),
        digest="0" * 64,
    )
    registry = loaded(tmp_path, HEAD + GENERATED)
    with pytest.raises(RegistryError, match="only classes can be balanced"):
        check_generated(registry, installed(), numbers, parts_of(numbers))
    text = HEAD + GENERATED.replace(", {name: even, generated: {by: dcgan, balance: true}}", "")
    with pytest.raises(RegistryError, match=r"mine.yaml:4:26: dcgan .* continuous .* z, mass"):
        check_generated(loaded(tmp_path, text), installed(), numbers, parts_of(numbers))
    text = text.replace("generator: dcgan, epochs", "generator: cgan, name: dcgan, epochs")
    assert check_generated(loaded(tmp_path, text), installed(), numbers, parts_of(numbers)) == []
    (generator, _) = planned(loaded(tmp_path, text), numbers)[0].values()
    assert generator.spec.conditions == ("z", "mass")
