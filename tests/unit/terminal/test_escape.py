import pytest

from segda.terminal.escape import escape


@pytest.mark.parametrize("text", ["plain name.png", "münchen", "小さい", "a–b ± 1", "é̂", "👍"])
def test_letters_of_all_languages_stay(text: str) -> None:
    assert escape(text) == text


@pytest.mark.parametrize(("text", "escaped"), [
    ("a\x1b[2J\x1b]0;owned\x07b", r"a\x1b[2J\x1b]0;owned\x07b"),
    ("a\nerror: b\r\tc", r"a\nerror: b\r\tc"),
    ("\x00\x08\x7f", r"\x00\x08\x7f"),
    ("\x9b31m", r"\x9b31m"),
    ("gpj.\u202eevil", r"gpj.\u202eevil"),
    ("a\u2028b\u2066c", r"a\u2028b\u2066c"),
    ("\udcff.png", r"\udcff.png"),
])  # fmt: skip
def test_what_a_terminal_would_obey_is_escaped(text: str, escaped: str) -> None:
    assert escape(text) == escaped
    escape(text).encode("utf-8")
