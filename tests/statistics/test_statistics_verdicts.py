"""Verdicts of stored studies: pairing, classes, splits, doses, caveats; and the two commands on them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarker import ConfigurationError, Stream, open_results
from benchmarker.statistics.pairs import CROSSED, OVERLAPPING, SEEDS_ALONE
from benchmarker.statistics.scores import classification_sums, regression_sums, score
from benchmarker.statistics.seed_results import read_seed_results
from benchmarker.statistics.tables import Comparisons
from benchmarker.statistics.verdicts import compare_study
from benchmarker_reports.commands.compare_command import command as compare_command
from benchmarker_reports.commands.power_command import command as power_command

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.conftest import StudyFiles

CLASSES = ["COMP", "FRI", "FRII", "BENT"]
SEEDS = (8901, 1826, 4915, 77)
SOURCES = 160


def number(value: float | None) -> float:
    assert value is not None
    return value


def run(study: StudyFiles, cell: Mapping[str, Any], skill: float | NDArray[np.float64], **options: Any) -> None:
    """Finish a run that is right with a chance of ``skill``, more or less the same for all networks and seeds."""
    sources = options.pop("sources", [f"source {k:03d}" for k in range(SOURCES)])
    truth = np.array([int(source.rpartition(" ")[2]) % 4 for source in sources])
    luck = Stream("run", key=cell["key"]).generator().random(len(sources))
    hard = np.array([Stream("hard", source=source).generator().random() for source in sources])
    predicted = np.where(0.7 * hard + 0.3 * luck < skill, truth, (truth + 1) % 4)
    values = score(classification_sums(sources, truth, predicted, 4), "mean_per_class_accuracy")
    assert values is not None
    folder = study.finish(cell, values.value, **options)
    lines = [f"source_id,image,true,predicted,{','.join(f'p_{name}' for name in CLASSES)}"]
    for k, (source, true, own) in enumerate(zip(sources, truth, predicted, strict=True)):
        chances = ["0.7" if c == own else "0.1" for c in range(4)]
        lines.append(",".join([source, str(k), CLASSES[true], CLASSES[own], *chances]))
    for checkpoint in ("best", "final"):
        (folder / f"predictions_{checkpoint}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def fill(study: StudyFiles, skills: Mapping[tuple[str, str], float], seeds: tuple[int, ...] = SEEDS) -> Comparisons:
    for (model, arm), skill in skills.items():
        for seed in seeds:
            run(study, study.cell(model, seed, arm=arm), skill)
    return compare_study(open_results(study.folder))


def test_arms_and_networks_are_compared_with_verdicts(study: StudyFiles) -> None:
    found = fill(study, {("good", "real"): 0.7, ("good", "gan"): 0.9, ("poor", "real"): 0.45, ("poor", "gan"): 0.45})
    arms, classes, networks = (found.table(name) for name in ("arms", "arms_per_class", "networks"))
    assert arms is not None
    assert classes is not None
    assert networks is not None
    assert [(row.first.label, row.second.label, row.verdict) for row in arms.rows] == [
        ("good/gan", "good/real", "better"),
        ("poor/gan", "poor/real", "undecided"),
    ]
    assert [row.verdict for row in networks.rows] == ["better", "better"]
    row = arms.rows[0]
    assert (row.n, row.n_sources, row.method, row.unit) == (4, SOURCES, CROSSED, "pp")
    assert number(row.low) < number(row.difference) < number(row.high)
    assert number(row.p_adjusted) >= number(row.p)
    assert [line.scope for line in classes.rows] == CLASSES * 2
    assert np.mean([number(line.difference) for line in classes.rows[:4]]) == pytest.approx(row.difference)
    assert (arms.tests, classes.tests, networks.tests) == (2, 8, 2)
    assert len(found.frame()) == 12
    assert json.loads(json.dumps(found.to_json()))["metric"] == "mean_per_class_accuracy"


def test_the_same_study_gives_the_same_numbers(study: StudyFiles) -> None:
    first = fill(study, {("good", "real"): 0.7, ("good", "gan"): 0.9})
    assert compare_study(open_results(study.folder)) == first


def test_values_are_those_of_the_run(study: StudyFiles) -> None:
    fill(study, {("good", "real"): 0.7})
    (row,) = read_seed_results(open_results(study.folder), "mean_per_class_accuracy", "best")
    for seed in SEEDS:
        found = row.score(seed, "mean_per_class_accuracy")
        assert found is not None
        assert found.value == pytest.approx(row.values[seed], abs=1e-12)


def test_splits_that_are_drawn_by_seed_are_corrected(study: StudyFiles) -> None:
    for model, skill in (("good", 0.9), ("poor", 0.5)):
        for number, seed in enumerate(SEEDS):
            sources = [f"source {k:03d}" for k in range(20 * number, 20 * number + SOURCES)]
            run(study, study.cell(model, seed), skill, sources=sources)
    (row,) = compare_study(open_results(study.folder)).tables[0].rows
    assert row.method == OVERLAPPING
    deviation = np.std(row.differences, ddof=1)
    assert row.standard_error == pytest.approx(deviation * np.sqrt(1 / 4 + SOURCES / 240))


def test_runs_without_predictions_are_compared_over_seeds_alone(study: StudyFiles) -> None:
    for model, values in (("a", (80.0, 81.0, 82.5)), ("b", (80.0, 80.0, 80.0))):
        for seed, value in zip(SEEDS, values, strict=False):
            study.finish(study.cell(model, seed), value)
    (row,) = compare_study(open_results(study.folder)).tables[0].rows
    assert row.method == SEEDS_ALONE
    assert row.caveats == ("predictions could not be used: test sources are taken as fixed",)
    assert row.mcnemar is None


def test_equal_differences_without_predictions_are_no_certainty(study: StudyFiles) -> None:
    for seed in SEEDS:
        study.finish(study.cell("a", seed), 85)
        study.finish(study.cell("b", seed), 80)
    (row,) = compare_study(open_results(study.folder)).tables[0].rows
    assert (row.verdict, row.p, row.difference) == ("undecided", None, 5.0)
    assert row.caveats[0].startswith("all 4 seeds differ by the same amount")


def test_networks_that_agree_on_one_class_are_not_called_equivalent_there(study: StudyFiles) -> None:
    first_class = np.arange(SOURCES) % 4 == 0
    for arm, skill in (("real", 0.5), ("gan", 0.6)):
        for seed in SEEDS:
            run(study, study.cell("good", seed, arm=arm), np.where(first_class, 2.0, skill))
    classes = compare_study(open_results(study.folder)).table("arms_per_class")
    assert classes is not None
    agreed, *others = classes.rows
    assert (agreed.difference, agreed.low, agreed.p, agreed.verdict) == (0.0, None, None, "undecided")
    assert agreed.caveats[0].startswith("right on the same sources under all 4 seeds")
    assert all(row.low is not None for row in others)


def test_guards_name_missing_seeds_and_other_environments(study: StudyFiles) -> None:
    for seed in SEEDS[:3]:
        run(study, study.cell("a", seed), 0.8)
    for seed in SEEDS[:2]:
        run(study, study.cell("b", seed), 0.7, fingerprint={"threads": 4})
    study.fail(study.cell("b", SEEDS[2]), "diverged", "the loss is not finite")
    found = compare_study(open_results(study.folder))
    (row,) = found.tables[0].rows
    assert row.n == 2
    assert row.caveats == ("2 of 3 seeds finished", "fingerprints differ: 2 environments")
    assert any(sentence.startswith("fingerprints differ: 2 environments (") for sentence in found.caveats)
    assert "2 seeds: a signed-rank test cannot fall below p = 0.5" in found.caveats


def test_without_the_reference_arm_the_first_one_takes_its_place(study: StudyFiles) -> None:
    found = fill(study, {("a", "rotations"): 0.7, ("a", "flips"): 0.8})
    assert found.reference == "rotations"
    assert found.caveats[0] == "the study has no arm 'real': arms are compared with 'rotations'"


def test_one_seed_says_nothing(study: StudyFiles) -> None:
    found = fill(study, {("a", "real"): 0.9, ("b", "real"): 0.5}, seeds=(1,))
    (row,) = found.tables[0].rows
    assert (row.verdict, row.low, row.p) == ("undecided", None, None)
    assert found.caveats == ("1 seed: nothing can be said about differences; train three or more",)


def test_dose_response_fits_a_line_within_each_seed(study: StudyFiles) -> None:
    for arm, ratio, skill in (("real", 0, 0.6), ("gan-0.5", 0.5, 0.7), ("gan-2", 2, 0.9)):
        for seed in SEEDS:
            cell = study.cell("a", seed, arm=arm)
            if ratio:
                cell["spec"]["arm"] = {"generated": {"by": "dcgan", "ratio": ratio}, "augmentations": []}
            study.write_plan()
            run(study, cell, skill)
    found = compare_study(open_results(study.folder))
    (response,) = found.ratios
    assert (response.network, response.generator, response.n) == ("a", "dcgan", 4)
    assert [point.ratio for point in response.points] == [0.0, 0.5, 2.0]
    slopes = []
    rows = {row.arm: row for row in read_seed_results(open_results(study.folder), found.metric, "best")}
    for seed in SEEDS:
        values = [rows[arm].values[seed] for arm in ("real", "gan-0.5", "gan-2")]
        slopes.append(np.polyfit([0, 0.5, 2], values, 1)[0])
    assert response.slope == pytest.approx(np.mean(slopes))
    assert 0 < number(response.low) < number(response.slope)
    assert response.points[2].comparison is not None
    assert response.points[2].comparison.verdict == "better"


def errors() -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
    draws = Stream("errors").generator()
    truth = draws.normal(60, 10, (30, 2))
    return [f"galaxy {k // 2}" for k in range(30)], truth, truth + draws.normal(0, 3, (30, 2))


@pytest.mark.parametrize("metric", ["mean_absolute_error", "root_mean_squared_error"])
def test_errors_without_a_source_are_those_of_scikit_learn(metric: str) -> None:
    from sklearn import metrics

    sources, truth, predicted = errors()
    found = score(regression_sums(sources, truth, predicted), metric)
    assert found is not None
    function = getattr(metrics, metric)
    assert found.value == pytest.approx(function(truth, predicted))
    names = sorted(set(sources))
    for k, name in enumerate(names):
        kept = np.array([source != name for source in sources])
        assert found.left_out[k] == pytest.approx(function(truth[kept], predicted[kept]))


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "macro_precision", "macro_recall"])
def test_scores_without_a_source_are_those_of_scikit_learn(metric: str) -> None:
    from sklearn import metrics

    draws = Stream("scores").generator()
    sources = [f"s{k // 2:02d}" for k in range(60)]
    truth, predicted = draws.integers(0, 3, 60), draws.integers(0, 3, 60)
    functions = {
        "accuracy": metrics.accuracy_score,
        "macro_f1": lambda a, b: metrics.f1_score(a, b, average="macro"),
        "macro_precision": lambda a, b: metrics.precision_score(a, b, average="macro"),
        "macro_recall": lambda a, b: metrics.recall_score(a, b, average="macro"),
    }
    found = score(classification_sums(sources, truth, predicted, 3), metric)
    assert found is not None
    assert found.value == pytest.approx(functions[metric](truth, predicted))
    kept = np.array([source != "s07" for source in sources])
    assert found.left_out[7] == pytest.approx(functions[metric](truth[kept], predicted[kept]))
    assert score(classification_sums(sources, truth, predicted, 3), "loss") is None


def test_power_says_how_many_seeds_and_how_long(study: StudyFiles) -> None:
    fill(study, {("good", "real"): 0.8, ("poor", "real"): 0.6})
    out = CliRunner().invoke(power_command, [str(study.folder), "--delta", "10"])
    assert out.exit_code == 0, out.output
    assert "To tell a difference of 10 pp in mean_per_class_accuracy with a chance of 80%:" in out.output
    assert "good/real - poor/real" in out.output
    assert "seeds for every row tell all of them" in out.output
    tiny = CliRunner().invoke(power_command, [str(study.folder), "--delta", "0.1"])
    assert "cannot be told with any number of seeds: 160 test sources are too few" in tiny.output


def test_power_of_a_study_with_one_network(study: StudyFiles) -> None:
    fill(study, {("good", "real"): 0.8})
    out = CliRunner().invoke(power_command, [str(study.folder)])
    assert "Nothing to compare" in out.output


def test_compare_shows_configuration_before_results(study: StudyFiles) -> None:
    for seed in SEEDS:
        run(study, study.cell("good", seed, epochs=30), 0.9)
        run(study, study.cell("poor", seed), 0.5, fingerprint={"threads": 4})
    out = CliRunner().invoke(compare_command, [f"{study.folder}:good", f"{study.folder}:poor/real"])
    assert out.exit_code == 0, out.output
    lines = out.output.splitlines()
    at = {name: next(k for k, line in enumerate(lines) if line.startswith(name)) for name in ("Conf", "Env", "Res")}
    assert at["Conf"] < at["Env"] < at["Res"]
    assert any(line.split() == ["model.epochs", "30", "16"] for line in lines)
    assert any(line.split() == ["threads", "-", "4"] for line in lines)
    assert next(line for line in lines if line.startswith("good/real - poor/real")).endswith("better")


def test_compare_of_a_study_with_itself_and_of_single_runs(study: StudyFiles) -> None:
    fill(study, {("good", "real"): 0.9, ("poor", "real"): 0.5})
    same = CliRunner().invoke(compare_command, [str(study.folder), str(study.folder)])
    assert "Configuration: the same" in same.output
    assert same.output.count("equivalent") == 2
    pair = [f"{study.folder}:{model}/real/8901" for model in ("good", "poor")]
    runs = CliRunner().invoke(compare_command, pair)
    assert "of these two trainings alone" in runs.output
    assert "undecided" in runs.output


@pytest.mark.parametrize(
    ("chosen", "message"),
    [("typo", "no finished run of that name"), ("good/real/x", "a seed was expected"), ("a/b/c/d", "4 parts")],
)
def test_compare_refuses_what_is_not_there(study: StudyFiles, chosen: str, message: str) -> None:
    fill(study, {("good", "real"): 0.9}, seeds=(1,))
    out = CliRunner().invoke(compare_command, [f"{study.folder}:{chosen}", str(study.folder)])
    assert isinstance(out.exception, ConfigurationError)
    assert message in str(out.exception)


@pytest.mark.parametrize("command", [compare_command, power_command])
def test_help_has_examples_on_lines_of_their_own(command: Any) -> None:
    lines = CliRunner().invoke(command, ["--help"]).output.splitlines()
    assert sum(line.strip().startswith(f"$ benchmarker {command.name} results/") for line in lines) >= 2
