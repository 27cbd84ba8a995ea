"""Inputs that chance spoils: nothing but an error for users comes of them. `python -m tools.fuzz` goes on for hours."""

import json
import random
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.definition import loading
from segda.config import loading as configs
from segda.config.yaml_file import parse
from segda.data.decode import image_size, read_channels, read_index, read_rgb
from segda.errors import SegdaError
from tools import fuzz
from tools.fuzz_mutation import ANY_VALUE
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
    fuzz.read_spoilt(target, tmp_path / "sound", tmp_path, 5)


@QUICK
@given(text=st.text(alphabet="ab:-[]{}&*!<>|?#%@'\"\n\t 01.e~,\\", max_size=60))
def test_any_text_is_yaml_or_refused(text: str) -> None:
    assert "\n" not in (refusal(lambda: parse(text)) or "")


PLACES = (
    "task", "seed", "runtime", "stages", "stages.source", "stages.source.data", "stages.source.data.root",
    "stages.source.data.resize", "stages.source.method", "stages.source.method.terms", "stages.source.networks",
    "stages.source.networks.encoder", "stages.source.crop", "stages.source.augment", "stages.source.optimizer",
    "stages.evaluate.rows", "stages.evaluate.rows.first",
)  # fmt: skip


@settings(parent=QUICK, max_examples=40)
@given(place=st.sampled_from(PLACES), value=ANY_VALUE)
def test_any_value_anywhere_in_a_pipeline_is_valid_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: str, value: Any
) -> None:
    content = configs.apply_setting(parse(PIPELINE), place.split("."), value)
    file = tmp_path_factory.mktemp("job") / "job.yaml"
    file.write_text(json.dumps(content))
    assert refusal(lambda: loading.load(str(file))) != ""


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


def test_an_input_of_the_tool_is_a_function_of_format_and_run(tmp_path: Path) -> None:
    target = next(target for target in TARGETS if target.name == "mnist")
    target.write(tmp_path / "sound")
    inputs = []
    for run in (7, 7, 8):
        random.seed(len(inputs))
        fuzz.read_spoilt(target, tmp_path / "sound", tmp_path, 3, run)
        inputs.append([(path.name, path.read_bytes()) for path in (tmp_path / "input").iterdir()])
    assert inputs[0] == inputs[1] != inputs[2]


@pytest.mark.parametrize("error", [SegdaError("a.png: broken; fetch it again"), SegdaError(""), KeyError("bytes")])
def test_the_tool_tells_an_error_for_users_from_a_fault(tmp_path: Path, error: Exception) -> None:
    def read(folder: Path) -> None:
        raise error

    (tmp_path / "sound").mkdir()
    (tmp_path / "sound" / "a.txt").write_text("content")
    fault = {"": ValueError, "'bytes'": KeyError}.get(str(error))
    with pytest.raises(fault) if fault else nullcontext():
        fuzz.read_spoilt(Target("x", lambda folder: None, ("*",), read), tmp_path / "sound", tmp_path, 2)
