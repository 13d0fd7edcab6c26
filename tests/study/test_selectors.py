"""Selectors: one grammar for every command that takes a part of a study."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from benchmarker import ConfigurationError
from benchmarker.audit.audit import select as select_for_audit
from benchmarker.cli import main
from benchmarker.generation.on_request import find_run
from benchmarker.results.study import read_study
from benchmarker.study.selectors import RunName, choose_runs, select_runs, split_study
from benchmarker_reports.commands.selection import select as select_for_compare
from benchmarker_reports.exports.command import command as export_command
from tests.statistics.material import finish

if TYPE_CHECKING:
    from tests.conftest import StudyFiles

NAMES = tuple(
    RunName(networks=(network,), arm=arm, seed=seed, key=f"{k}{seed}abcdef{'0' * 56}")
    for k, network in enumerate(("resnet/18", "c:d", "a,b", "plain", "deadbeef"))
    for arm in ("real", "gan/0.5")
    for seed in (1, 2)
)


def chosen(selector: str) -> list[str]:
    choices = choose_runs(NAMES, selector, where="study")
    return [NAMES[position].written for choice in choices for position in choice.positions]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("resnet/18/gan/0.5/2", ["resnet/18/gan/0.5/2"]),
        ("c:d/real", ["c:d/real/1", "c:d/real/2"]),
        ("a,b/real/1", ["a,b/real/1"]),
        ("plain/real/1, a,b/real/1 ,c:d/real/2", ["plain/real/1", "a,b/real/1", "c:d/real/2"]),
        ("Res-Net/18/REAL/1", ["resnet/18/real/1"]),
        ("31ab", ["plain/real/1", "plain/gan/0.5/1"]),
        ("deadbeef/real", ["deadbeef/real/1", "deadbeef/real/2"]),
    ],
)
def test_selector_follows_the_names_of_the_study(selector: str, expected: list[str]) -> None:
    assert chosen(selector) == expected


def test_selector_that_may_mean_two_networks_is_refused() -> None:
    names = [RunName(networks=("a",), arm="b", seed=1), RunName(networks=("a/b",), arm="real", seed=1)]
    with pytest.raises(ConfigurationError, match="'a/b' may mean the network 'a' in the arm 'b' or the network 'a/b'"):
        choose_runs(names, "a/b", where="study")


@pytest.mark.parametrize("selector", ["plain/real/3", "31a", "typo", "plain,typo"])
def test_selector_of_nothing_is_refused(selector: str) -> None:
    with pytest.raises(ConfigurationError, match="study has no cell"):
        chosen(selector)


def test_a_thousand_keys_of_ten_thousand_runs_are_found_at_once() -> None:
    names = [
        RunName(networks=(f"network-{number % 20}",), arm="real", seed=number // 20, key=f"{number:064x}")
        for number in range(10_000)
    ]
    wanted = range(0, 10_000, 10)
    started = time.process_time()
    found = choose_runs(names, ",".join(names[position].key for position in wanted), where="study")
    assert time.process_time() - started < 5  # a fraction of a second; hours if every name is compared with every key
    assert [choice.positions for choice in found] == [(position,) for position in wanted]


@pytest.mark.parametrize("selector", ["", " , "])
def test_empty_selector_is_refused(selector: str) -> None:
    with pytest.raises(ConfigurationError, match="Received: nothing"):
        chosen(selector)


def test_study_may_contain_colons(tmp_path: Path) -> None:
    (folder := tmp_path / "a:b").mkdir()
    assert split_study(f"{folder}:c:d") == (str(folder), "c:d")
    assert split_study(str(folder)) == (str(folder), "")
    assert split_study("missing:c:d") == ("missing", "c:d")


@pytest.fixture
def awkward(study: StudyFiles) -> StudyFiles:
    """A study of networks whose names contain the separators, with a generator."""
    for network in ("resnet/18", "c:d", "a,b"):
        for seed in (1, 2):
            finish(study, study.cell(network, seed), 0.9)
    study.train(study.generator("dc/gan", 1))
    study.train(study.generator("dc/gan", 2))
    return study


@pytest.mark.parametrize("network", ["resnet/18", "c:d", "a,b"])
def test_commands_take_the_same_selectors(awkward: StudyFiles, network: str, tmp_path: Path) -> None:
    wanted = f"{network}/real/2"
    key = next(cell["key"] for cell in awkward.cells if (cell["model"], cell["seed"]) == (network, 2))
    study = read_study(awkward.folder)
    for selector in (wanted, wanted.upper(), key[:12]):
        assert [cell.name for cell in select_runs(study.cells, selector, where="study")] == [wanted]
        assert [cell.name for cell in select_for_audit(study, selector, None)[0]] == [wanted]
        (row,) = select_for_compare(f"{awkward.folder}:{selector}").rows
        assert (row.network, list(row.seeds)) == (network, [2])
        assert main(["show", str(awkward.folder), selector]) == 0
        out = tmp_path / selector.replace("/", "_")
        arguments = [str(awkward.folder), "--to", "tensorboard", "--out", str(out), "--cells", selector]
        exported = CliRunner().invoke(export_command, arguments)
        assert "1 run(s) written" in exported.output


def test_generators_are_chosen_by_selectors(awkward: StudyFiles) -> None:
    key = next(each["key"] for each in awkward.plan["generators"] if each["seed"] == 2)
    for selector in ("dc/gan/generator/2", key[:8]):
        assert find_run(awkward.folder, selector, None).name == key[:16]
    assert find_run(awkward.folder, "DC/GAN", 2).name == key[:16]
    with pytest.raises(ConfigurationError, match="has no cell 'typo'"):
        find_run(awkward.folder, "typo", None)
