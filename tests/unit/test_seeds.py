import pytest
from hypothesis import given
from hypothesis import strategies as st

from segda.seeds import derive_seed


@pytest.mark.promise("draws-by-position")
def test_is_the_same_everywhere() -> None:
    assert derive_seed(0, "order", 3) == 2723741169552378311


@given(st.integers(0, 2**31), st.integers(0, 2**31))
def test_purposes_and_seeds_do_not_meet(seed: int, number: int) -> None:
    values = [derive_seed(seed), derive_seed(seed, "a", number), derive_seed(seed, "b", number), derive_seed(seed + 1)]
    assert len(set(values)) == 4
    assert all(0 <= value < 2**63 for value in values)
