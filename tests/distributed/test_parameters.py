"""Three steps of every method change the parameters as they did with earlier commits, on any processor."""

import json
from pathlib import Path

import pytest

from tests.distributed import write_parameters
from tests.distributed.conftest import NAMES, Runs

pytestmark = pytest.mark.distributed

# `parameters.json` has eight digits, and in float64 another order of sums changes no more than the last of them.
SHARE = 1e-7
# Initial values are drawn by way of logarithms and cosines, of which a processor may round the last bit otherwise.
ROUNDING = 4 * 2**-52


def assert_near(changes: dict[str, list[float]], expected: dict[str, list[float]]) -> None:
    assert changes.keys() == expected.keys()
    for network, (size, moved, product) in expected.items():
        allowed = SHARE * moved + ROUNDING * size
        assert changes[network][0] == pytest.approx(size, rel=SHARE), f"{network}: other initial values"
        assert changes[network][1:] == pytest.approx([moved, product], rel=0, abs=allowed), network


def test_every_method_is_there() -> None:
    assert sorted(json.loads(write_parameters.FILE.read_text())) == sorted(NAMES)


@pytest.mark.parametrize("method", NAMES)
def test_three_steps_change_what_they_did(file: Path, one: Runs, method: str) -> None:
    """If an issue asks for another result: `python -m tests.distributed.write_parameters`."""
    expected = json.loads(write_parameters.FILE.read_text())[method]
    assert_near(write_parameters.of_method(file, one, method), expected)
