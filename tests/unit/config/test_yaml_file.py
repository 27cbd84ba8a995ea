"""Reading YAML: YAML 1.2 scalars; errors are tested in `tests/bad_input/configs.py`."""

import pytest

from segda.config.yaml_file import parse
from segda.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1.0e-4", 1e-4),
        ("-.5", -0.5),
        ("3", 3),
        ("-3", -3),
        ("010", "010"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        (".inf", ".inf"),
        ("~", None),
        ("null", None),
        ("", None),
        ("'3'", "3"),
        ("cyclegan", "cyclegan"),
        ("[1, 2]", [1, 2]),
        ("{7: road}", {7: "road"}),
    ],
)
def test_scalars_mean_what_they_look_like(text: str, value: object) -> None:
    parsed = parse(text)
    assert parsed == value
    assert type(parsed) is type(value)


def test_anchors_and_merge_keys_work() -> None:
    text = "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: *x\n"
    assert parse(text) == {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}, "c": {"p": 1, "q": 2}}


def test_an_error_names_the_line() -> None:
    with pytest.raises(ConfigError, match="line 3: key 'a' occurs twice"):
        parse("a: 1\nb: 2\na: 3\n")


def test_a_long_file_is_refused_before_all_of_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segda.config.yaml_file.MAX_NODES", 20)
    assert parse("[" + "1, " * 18 + "]") == [1] * 18
    with pytest.raises(ConfigError, match="more than 20 entries"):
        parse("[" + "1, " * 20 + "]")


def test_numbers_up_to_18_digits_are_numbers() -> None:
    assert parse("a: 999999999999999999") == {"a": 10**18 - 1}
    assert parse("a: 1.7e308") == {"a": 1.7e308}
