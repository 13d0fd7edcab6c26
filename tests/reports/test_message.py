"""The sentences that every report begins with."""

from __future__ import annotations

from pathlib import Path

from benchmarker import ReportOptions, open_results
from benchmarker_reports.content.study_content import StudyContent
from tests.reports.material import DocumentStudy

GAINS = {"real": 0.0, "noise": 0.25, "dcgan": 0.6, "flips": -0.4}


def test_arms_with_the_same_verdict_share_a_sentence_with_the_largest_effect_first(tmp_path: Path) -> None:
    study = DocumentStudy(tmp_path / "study", n_test=80)
    for network in range(6):
        for arm, gain in GAINS.items():
            for seed in (1, 2, 3):
                study.finish(study.cell(f"network {network}", arm, seed), skill=0.6 + gain, cost=1.0)
    content = StudyContent(open_results(study.write()), ReportOptions(checkpoints=("best",)))
    (helping,) = [sentence for sentence in content.messages if " help: " in sentence]
    assert helping.startswith("Averaged over 6 networks, 2 arms help: dcgan (+")
    assert " and noise (+" in helping
    (hurting,) = [sentence for sentence in content.messages if " hurts: " in sentence]
    assert hurting.startswith("The arm flips hurts: -")


def test_seeds_that_would_decide_are_those_of_one_arm(tmp_path: Path) -> None:
    """The average over arms may tell networks apart that one arm does not."""

    def sentences(name: str, arms: tuple[str, ...]) -> list[str]:
        study = DocumentStudy(tmp_path / name, n_test=60)
        for network, skill in (("first", 0.7), ("second", 0.6)):
            for arm in arms:
                for seed in (1, 2, 3):
                    study.finish(study.cell(network, arm, seed), skill=skill, cost=1.0)
        content = StudyContent(open_results(study.write()), ReportOptions(checkpoints=("best",)))
        return [sentence for sentence in content.messages if "if they differ by" in sentence]

    (alone,) = sentences("one", ("real",))
    assert "arm" not in alone
    (several,) = sentences("two", ("real", "noise"))
    assert several.startswith(("In the arm real, ", "In the arm noise, "))
