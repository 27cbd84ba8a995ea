"""The keys of all stages of shipped pipelines are those of earlier commits, so that finished results are reused."""

import json
from pathlib import Path

import pytest

from pipelines.__main__ import main
from tests.configs import write_keys


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_keys.write_data(folder)
    return folder


def test_every_pipeline_has_its_keys() -> None:
    assert sorted(json.loads(write_keys.FILE.read_text())) == sorted(write_keys.PIPELINES)


@pytest.mark.slow
@pytest.mark.parametrize("name", write_keys.PIPELINES)
def test_a_plan_makes_a_step_of_every_stage_on_tensors_without_values(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So networks, terms and crops that do not go together are found before anything is trained."""
    monkeypatch.setenv("SEGDA_DATA", str(data))
    assert main(["run", name, "--plan", "--runs", str(tmp_path)]) == 0


@pytest.mark.promise("key-is-stable")
@pytest.mark.parametrize("name", write_keys.PIPELINES)
def test_keys_are_those_of_earlier_commits(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If an issue asks for another key: `python -m tests.configs.write_keys`."""
    monkeypatch.setenv("SEGDA_DATA", "")  # which is then put back
    assert write_keys.keys(name, data, tmp_path) == json.loads(write_keys.FILE.read_text())[name]
