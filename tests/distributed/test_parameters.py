"""Three steps of every method change the parameters as they did with earlier commits, on any processor."""

import json
from pathlib import Path

import pytest

from tests.distributed import write_parameters
from tests.distributed.conftest import NAMES, Runs

pytestmark = pytest.mark.distributed

# A gradient is a float32 sum of up to n = 4 * 32 * 32 * 27 terms, which processors add in other orders: it is off by
# about 2^-24 * sqrt(n) = 2e-5 of the terms' size. Where terms cancel to a tenth that is 2e-4 of the sum, and three
# steps that build on each other, in two players, make a few times that. (Between SSE, AVX2 and AVX-512 it was 3e-5.)
SHARE = 1e-3
# Each of three steps rounds each parameter to float32, by half of 2^-23 of its value at most; the initial values, which
# are drawn by way of logarithms and cosines, may be off by as much again.
ROUNDING = 4 * 2**-24


def assert_near(found: dict[str, list[float]], expected: dict[str, list[float]]) -> None:
    assert found.keys() == expected.keys()
    for network, (size, moved, product) in expected.items():
        allowed = SHARE * moved + ROUNDING * size
        assert found[network][0] == pytest.approx(size, rel=1e-6), f"{network}: other initial values"
        assert found[network][1:] == pytest.approx([moved, product], rel=0, abs=allowed), network


def test_every_method_is_there() -> None:
    assert sorted(json.loads(write_parameters.FILE.read_text())) == sorted(NAMES)


@pytest.mark.parametrize("method", NAMES)
def test_three_steps_change_what_they_did(file: Path, one: Runs, method: str) -> None:
    """Another result that an issue asked for: `python -m tests.distributed.write_parameters`."""
    expected = json.loads(write_parameters.FILE.read_text())[method]
    assert_near(write_parameters.of_method(file, one, method), expected)
