"""Which policies the command line takes."""

from __future__ import annotations

import pytest

from benchmarker.errors import ConfigurationError
from benchmarker.run.policy import parse_gpus


def test_gpus_on_the_command_line() -> None:
    assert parse_gpus("0, 1") == ("0", "1")
    assert parse_gpus("none") == ()
    for text in ("", "0,,1", "0,0"):
        with pytest.raises(ConfigurationError, match="--gpus"):
            parse_gpus(text)
