"""Keys: equal for equivalent configs, different for any change."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segda.artefacts.key import canonical, stage_key
from segda.errors import ConfigError

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(max_size=4)
PLAIN = st.recursive(LEAVES, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x, max_size=3))


def reversed_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_order(value[key]) for key in reversed(value)}
    return [reversed_order(item) for item in value] if isinstance(value, list) else value


@pytest.mark.promise("key-is-stable")
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(PLAIN)
def test_order_of_keys_does_not_matter(value: Any) -> None:
    assert canonical(value) == canonical(reversed_order(value))


def test_the_text_itself() -> None:
    assert canonical({"b": [1, 0.1, True, None], "a": {"é": 'x"'}}) == '{"a":{"\\u00e9":"x\\""},"b":[1,0.1,true,null]}'


@pytest.mark.promise("key-is-stable")
def test_whole_floats_are_whole_numbers() -> None:
    assert canonical([1.0, -2.0, 1e3]) == canonical([1, -2, 1000])
    assert canonical(1.5) != canonical(1)
    assert canonical(True) != canonical(1)
    assert canonical("1") != canonical(1)


def test_a_tuple_is_a_list() -> None:
    assert canonical((1, 2)) == canonical([1, 2])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, b"x", {1: "a", "1": "b"}])
def test_what_has_no_key_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"a\.b"):
        canonical({"a": {"b": value}})


def test_kind_version_and_config_all_count() -> None:
    keys = {
        stage_key("align", 1, {"steps": 1}),
        stage_key("supervise", 1, {"steps": 1}),
        stage_key("align", 2, {"steps": 1}),
        stage_key("align", 1, {"steps": 2}),
    }
    assert len(keys) == 4
    assert all(len(key) == 64 for key in keys)
