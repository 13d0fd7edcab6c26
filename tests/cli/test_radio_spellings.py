"""Command lines of the radio framework work unchanged."""

from __future__ import annotations

import pytest
import rich_click as click

from benchmarker.cli.radio_spellings import translated


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("-i 300,300", "-i 300"),
        ("--img_size=300,300", "--image-size 300"),
        ("-i 150", "-i 150"),
        ("-o True -s 1", "-o -s 1"),
        ("-o -s 1", "-o -s 1"),
        ("--mnist=True", "--mnist"),
        ("--only_test False -X true", "-X"),
        ("-c 4 -s 8901", "-s 8901"),
        ("--number_classes=4", ""),
        ("--rotate 15 --val_size=100", "--rotation 15 --validation-size=100"),
        ("--data_manifest m.csv --results_path=a=b", "--manifest m.csv --results-path=a=b"),
        ("-a list.txt -d images -t 250", "-a list.txt -d images -t 250"),
        ("--seed 8901 --architectures_file list.txt", "--seed 8901 --architectures list.txt"),
        ("--data MNIST", "--mnist"),
        ("--data=LRG_manifest", "--manifest LRG_manifest.csv"),
        ("--data unLRG_manifest -t 80", "--manifest unLRG_manifest.csv -t 80"),
        ("--data images/first", "--data images/first"),
        ("--bin_thresh 0.7 --early_stopping=5", "--binary-threshold 0.7 --early-stopping=5"),
        ("--bin_thresh True", "--binary-threshold 0.8"),
        ("--bin_thresh=False --early_stopping -1", "--early-stopping -1"),
        ("--test True", "--only-test"),
        ("--test=False", ""),
        ("--test=time", "--only-test --legacy-outputs"),
        ("--test flops -s 1", "--only-test --legacy-outputs -s 1"),
        ("--final True --img_rows 300 --img_cols 300", "--image-size 300"),
        ("--final --img_cols=150", "--image-size 150"),
    ],
)
def test_options_of_the_radio_framework_are_translated(given: str, expected: str) -> None:
    assert list(translated(given.split())) == expected.split()


def test_both_commands_understand_them() -> None:
    from click.testing import CliRunner

    from benchmarker.cli.run_command import quickstart_command, run

    for command in (run, quickstart_command):
        found = CliRunner().invoke(
            command, ["-c", "4", "--rotate", "15", "-o", "True", "--img_size", "300,300", "--help"]
        )
        assert found.exit_code == 0, found.output
        refused = CliRunner().invoke(command, ["--img_size", "300,200"])
        assert "300,200" in refused.output
        assert refused.exit_code == 2


def test_an_image_that_is_not_square_is_refused() -> None:
    with pytest.raises(click.BadParameter, match="images are square"):
        list(translated(["-i", "300,200"]))
    with pytest.raises(click.BadParameter, match="images are square"):
        list(translated(["--img_rows", "300", "--img_cols=200"]))
