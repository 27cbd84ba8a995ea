"""docs/promises.md is up to date: each promise has tests, and each marker names a promise."""

from tests.docs import promises


def test_the_page_is_that_of_the_markers() -> None:
    assert promises.PAGE.read_text(encoding="utf-8") == promises.page(), "run: make promises"


def test_every_promise_has_a_test_and_every_marker_a_promise() -> None:
    keys = [row[1] for row in promises.ROW.finditer(promises.PAGE.read_text(encoding="utf-8"))]
    assert len(keys) > 100
    assert sorted(keys) == sorted(promises.proofs())
