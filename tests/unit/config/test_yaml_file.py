"""Reading YAML: YAML 1.2 scalars, and one clear line for everything refused."""

from pathlib import Path

import pytest

from segda.config.yaml_file import MAX_BYTES, parse, read_mapping
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
    found = parse(text)
    assert found == value
    assert type(found) is type(value)


def test_anchors_and_merge_keys_work() -> None:
    text = "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: *x\n"
    assert parse(text) == {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}, "c": {"p": 1, "q": 2}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: key 'a' occurs twice"),
        ("a: {x: 1, x: 1}", "line 1: key 'x' occurs twice"),
        ("a: [1", "line 1: not valid YAML"),
        ("a: *nowhere", "not valid YAML"),
        ("a: !!python/object/apply:os.system ['ls']", "not valid YAML"),
        ("a: &x [*x]", "contains itself"),
        ("1.5: a", "key must be text"),
        ("null: a", "key must be text"),
        ("[" * 3000 + "]" * 3000, "nested too deeply"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(text)


def test_alias_bomb_is_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(ConfigError, match="aliases expand to more than"):
        parse("\n".join(lines))


def test_file_errors_name_the_file(tmp_path: Path) -> None:
    cases = {"list.yaml": b"[1]", "empty.yaml": b"", "latin.yaml": b"a: \xff\xfe", "big.yaml": b"#" * (MAX_BYTES + 1)}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match=name) as caught:
            read_mapping(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"gone\.yaml: cannot be read"):
        read_mapping(tmp_path / "gone.yaml")


def test_a_long_file_is_refused_before_all_of_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segda.config.yaml_file.MAX_NODES", 20)
    assert parse("[" + "1, " * 18 + "]") == [1] * 18
    with pytest.raises(ConfigError, match="more than 20 entries"):
        parse("[" + "1, " * 20 + "]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!set {b}", "!!set is no plain data; remove the tag"),
        ("a: !!int x", "not of the kind that its tag says"),
        ("!!str {a: 1}: 2", "a key must be text"),
        ("a: 1e999", "1e999 is beyond all numbers"),
        ("a: !!float .nan", "beyond all numbers"),
        (f"a: {10**30}", "31 digits; expected at most 18"),
        ("a: \x00", "remove the character"),
        ("a:\n\tb: 1", "spaces and no tabs"),
        ("a: 1\n---\nb: 1", "keep one document"),
    ],
)
def test_what_is_no_plain_data_is_refused_with_a_remedy(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(text)


def test_numbers_up_to_18_digits_are_numbers() -> None:
    assert parse("a: 999999999999999999") == {"a": 10**18 - 1}
    assert parse("a: 1.7e308") == {"a": 1.7e308}
