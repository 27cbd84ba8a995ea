"""Inputs that chance spoils: nothing but an error for users comes of them. `python -m tools.fuzz` goes on for hours."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import pipeline
from segda import config as configs
from segda.data.decode import image_size, read_channels, read_index, read_rgb
from segda.errors import SegdaError
from segda.yaml_file import parse
from tools import fuzz
from tools.fuzz_targets import PIPELINE, TARGETS, Target

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
#: A run takes seconds to make; the tool spoils it.
LIGHT = [target for target in TARGETS if target.name not in ("run", "unfinished run", "pipeline.yaml")]


def refusal(work: Callable[[], object]) -> str | None:
    """What a refusal says; `None` for an answer. Any other exception is a fault, and passes through."""
    try:
        work()
    except SegdaError as error:
        return str(error)
    return None


@pytest.mark.parametrize("target", LIGHT, ids=lambda target: target.name)
def test_a_spoilt_file_of_each_format(target: Target, tmp_path: Path) -> None:
    target.write(tmp_path / "sound")
    for number in range(4):
        fuzz.spoil(target, tmp_path / "sound", tmp_path / "set", number)
        assert refusal(lambda: target.read(tmp_path / "set")) != ""


@QUICK
@given(text=st.text(alphabet="ab:-[]{}&*!<>|?#%@'\"\n\t 01.e~,\\", max_size=60))
def test_any_text_is_yaml_or_refused(text: str) -> None:
    assert "\n" not in (refusal(lambda: parse(text)) or "")


VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
PLACES = (
    "task", "seed", "runtime", "stages", "stages.source", "stages.source.data", "stages.source.data.root",
    "stages.source.data.resize", "stages.source.method", "stages.source.method.terms", "stages.source.networks",
    "stages.source.networks.encoder", "stages.source.crop", "stages.source.augment", "stages.source.optimizer",
    "stages.evaluate.rows", "stages.evaluate.rows.first",
)  # fmt: skip


@settings(parent=QUICK, max_examples=40)
@given(place=st.sampled_from(PLACES), value=VALUES)
def test_any_value_anywhere_in_a_pipeline_is_valid_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: str, value: Any
) -> None:
    content = configs.apply_setting(parse(PIPELINE), place.split("."), value)
    file = tmp_path_factory.mktemp("job") / "job.yaml"
    file.write_text(json.dumps(content))
    assert refusal(lambda: pipeline.load(str(file))) != ""


@QUICK
@given(content=st.binary(max_size=80), head=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF",
       b"GIF89a", b"BM", b"II*\0"]))  # fmt: skip
def test_any_bytes_are_a_picture_or_refused(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, content: bytes
) -> None:
    file = tmp_path_factory.mktemp("picture") / "a.png"
    file.write_bytes(head + content)
    for read in (read_rgb, read_channels, read_index, image_size):
        assert str(file) in (refusal(lambda: read(file)) or str(file))  # noqa: B023


def test_an_input_of_the_tool_is_a_function_of_format_and_number(tmp_path: Path) -> None:
    target = next(target for target in TARGETS if target.name == "mnist")
    target.write(tmp_path / "sound")
    random.seed(1)
    first = fuzz.spoil(target, tmp_path / "sound", tmp_path / "a", 7)
    random.seed(2)
    second = fuzz.spoil(target, tmp_path / "sound", tmp_path / "b", 7)
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


def test_the_tool_tells_an_error_for_users_from_a_fault(tmp_path: Path) -> None:
    def fails(error: Exception) -> Target:
        def read(folder: Path) -> None:
            raise error

        return Target("x", lambda folder: None, (), read)

    assert fuzz.try_one(fails(SegdaError("a.png: broken; fetch it again")), tmp_path) == ""
    assert fuzz.try_one(fails(SegdaError("")), tmp_path) == "an error without a message"
    assert fuzz.try_one(fails(KeyError("bytes")), tmp_path).startswith("KeyError at")
