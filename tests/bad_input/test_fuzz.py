"""Randomly corrupted inputs raise only user errors. `python -m tools.fuzz` is the long version."""

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
#: A run takes seconds to make; the tool corrupts it.
LIGHT = [target for target in TARGETS if target.name not in ("run", "unfinished run", "pipeline.yaml")]


def refusal(work: Callable[[], object]) -> str | None:
    """The message of a user error, or `None` on success. Any other exception is a bug and propagates."""
    try:
        work()
    except SegdaError as error:
        return str(error)
    return None


@pytest.mark.promise("fuzzing")
@pytest.mark.parametrize("target", LIGHT, ids=lambda target: target.name)
def test_a_corrupted_file_of_each_format(target: Target, tmp_path: Path) -> None:
    target.write(tmp_path / "valid")
    fuzz.read_corrupted(target, tmp_path / "valid", tmp_path, 5)


@QUICK
@given(text=st.text(alphabet="ab:-[]{}&*!<>|?#%@'\"\n\t 01.e~,\\", max_size=60))
def test_any_text_is_yaml_or_refused(text: str) -> None:
    assert "\n" not in (refusal(lambda: parse(text)) or "")


KEYS = (
    "task", "seed", "runtime", "stages", "stages.source", "stages.source.data", "stages.source.data.root",
    "stages.source.data.resize", "stages.source.method", "stages.source.method.terms", "stages.source.networks",
    "stages.source.networks.encoder", "stages.source.crop", "stages.source.augment", "stages.source.optimizer",
    "stages.evaluate.rows", "stages.evaluate.rows.first",
)  # fmt: skip


@pytest.mark.promise("fuzzing")
@settings(parent=QUICK, max_examples=40)
@given(place=st.sampled_from(KEYS), value=ANY_VALUE)
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
    target.write(tmp_path / "valid")
    inputs = []
    for run in (7, 7, 8):
        random.seed(len(inputs))
        fuzz.read_corrupted(target, tmp_path / "valid", tmp_path, 3, run)
        inputs.append([(path.name, path.read_bytes()) for path in (tmp_path / "input").iterdir()])
    assert inputs[0] == inputs[1] != inputs[2]


@pytest.mark.parametrize("error", [SegdaError("a.png: broken; fetch it again"), SegdaError(""), KeyError("bytes")])
def test_only_an_error_for_users_with_a_message_is_no_failure(tmp_path: Path, error: Exception) -> None:
    def read(folder: Path) -> None:
        raise error

    (tmp_path / "valid").mkdir()
    (tmp_path / "valid" / "a.txt").write_text("content")
    fault = {"": ValueError, "'bytes'": KeyError}.get(str(error))
    with pytest.raises(fault) if fault else nullcontext():
        fuzz.read_corrupted(Target("x", lambda folder: None, ("*",), read), tmp_path / "valid", tmp_path, 2)
