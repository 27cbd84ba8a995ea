"""What other packages say, as part of one line."""

from segda.errors import reason


def test_a_reason_is_one_line_without_terminal_codes() -> None:
    coloured = RuntimeError(
        "\x1b[1mWeights only\x1b[0m load\n  \x1b]8;;http://x\x1b\\failed\x1b]8;;\x07 \x1b[38;5;196mhere\x1b[K"
    )
    assert reason(coloured) == "Weights only load failed here"
    assert reason(ValueError("abcdef"), 3) == "abc"
    assert reason(ValueError()) == "ValueError"
