"""A small job on valid data for tests to damage, and the checks that every error must pass."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.__main__ import main
from tests.configs import layouts

JOB = """
task: {name: segmentation, labels: cityscapes}
runtime: {cpu: true, workers: 0, save_every: 1, log_every: 1}
stages:
  source:
    kind: supervise
    data: {base: gta5}
    method: source_only
    networks: {encoder: {name: small, width: 4, blocks: 1}, head: {name: small, width: 4}}
    steps: 2
    batch: 4
    crop: [32, 32]
  translate:
    kind: translate
    source: {base: gta5}
    target: {base: cityscapes}
    method: cyclegan
    networks:
      encoder: {name: translator, width: 4, blocks: 1}
      decoder: {name: translator, blocks: 1}
      discriminators: {image: {name: patch70, width: 4}}
    steps: 1
    crop: [32, 32]
  adapted:
    kind: export
    data: {base: gta5}
    translator: {from: translate}
  evaluate:
    kind: evaluate
    data: {base: cityscapes, split: val}
    rows: {source only: {from: source}}
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data root, with a small GTA5 and Cityscapes; `job.yaml` is in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path / "data"))
    layouts.gta5(tmp_path / "data")
    layouts.cityscapes(tmp_path / "data")
    (tmp_path / "job.yaml").write_text(JOB)
    return tmp_path / "data"


Refused = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run a command and expect an error: exit code 2, one line on stderr, no partial files."""

    def call(*words: str, finished: int = 0) -> str:
        capsys.readouterr()
        code = main(list(words))
        captured = capsys.readouterr()
        assert code == 2, captured
        lines = captured.err.splitlines()
        assert len(lines) == 1, captured.err
        assert lines[0].startswith("error: ")
        assert "Traceback" not in captured.out + captured.err
        assert len(list(Path("runs").glob("*/manifest.json"))) == finished
        assert leftovers(Path("runs")) == []
        return lines[0]

    return call


def leftovers(runs: Path) -> list[Path]:
    """Files and folders under temporary names, which were not finished."""
    return [path for path in runs.rglob("*") if path.name.startswith(".") and path.name != ".lock"]
