"""Damaged JSON files of a run are detected by checksum or, without one, by their schema."""

import json
from pathlib import Path

import pytest

from segda.artefacts import checked_json
from segda.errors import ArtefactError

FORM = {"stages": {checked_json.EACH: {"kind": str, "folder": (str, type(None))}}}
CONTENT = {"stages": {"a": {"kind": "supervise", "folder": None}}, "more": [1]}


def opened(content: object) -> dict[str, object]:
    assert isinstance(content, dict)
    return checked_json.verified(Path("x.json"), content, FORM, "run it again")


def test_content_with_a_checksum_comes_back() -> None:
    assert opened(checked_json.with_checksum(CONTENT)) == CONTENT


@pytest.mark.promise("sealed-json")
@pytest.mark.parametrize("change", [{"more": [2]}, {"new": 1}, {"stages": {}}])
def test_any_change_is_noticed(change: dict[str, object]) -> None:
    with pytest.raises(ArtefactError, match=r"x\.json: damaged, it does not hold what was written; run it again"):
        opened({**checked_json.with_checksum(CONTENT), **change})


def test_numbers_as_keys_are_read_as_text_and_known_again() -> None:
    content = checked_json.with_checksum({**CONTENT, "classes": {2: "a", 10: "b", "11..19": "c"}})
    assert opened(json.loads(json.dumps(content)))["classes"] == {"2": "a", "10": "b", "11..19": "c"}


def test_files_without_a_checksum_are_read_if_their_form_is_right() -> None:
    assert opened(CONTENT) == CONTENT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "'stages' is missing"),
        ({"stages": []}, r"'stages' is \[\], no mapping"),
        ({"stages": {"a": {"kind": 3, "folder": None}}}, "'stages.a.kind' is 3"),
        ({"stages": {"a": {"kind": "x", "folder": True}}}, "'stages.a.folder' is true"),
        ({"stages": {"a": {"kind": "x"}}}, "'stages.a.folder' is missing"),
    ],
)
def test_another_form_is_named(content: dict[str, object], message: str) -> None:
    with pytest.raises(ArtefactError, match=rf"x\.json: damaged, {message}.*; run it again"):
        opened(content)
