"""A plugin package with two small stage kinds: `kind: toy.write` and `kind: toy.sum`."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from segda.config import lookup

WRITE = """
from pathlib import Path
from pipelines.definition.schema import DataConfig, Reference, StageConfig
from segda.errors import ConfigError, TrainingError

VERSION = 1
OUTPUTS = ("numbers",)


class Config(StageConfig):
    value: int = 1
    fail_on: int | None = None
    init: Reference | None = None
    source: DataConfig | None = None
    target: DataConfig | None = None


def check(config):
    if config.value == 13:
        raise ConfigError("value: 13 is not possible; use another")


def run(config, inputs, folder, session):
    if session.is_main:
        (folder / "numbers").mkdir(exist_ok=True)
        before = int((inputs.folder(config.init) / "numbers" / "value.txt").read_text()) if config.init else 0
        (folder / "numbers" / "value.txt").write_text(str(before + config.value))
        with open(folder / "calls.txt", "a") as file:
            file.write("x")
    if config.fail_on == session.rank:
        raise TrainingError(f"told to fail on process {session.rank}")
    session.barrier()
    return {"value": config.value, "world": session.world}
"""

SUM = """
from pipelines.definition.schema import Reference, StageConfig

VERSION = 1
OUTPUTS = ("sum.txt",)


class Config(StageConfig):
    rows: dict[str, Reference]


def run(config, inputs, folder, session):
    values = [int((inputs.folder(row) / "numbers" / "value.txt").read_text()) for row in config.rows.values()]
    if session.is_main:
        (folder / "sum.txt").write_text(str(sum(values)))
    return {"sum": sum(values)}
"""

PIPELINE = """
task: {name: segmentation, labels: cityscapes}
runtime: {cpu: true}
stages:
  first: {kind: toy.write, value: 2}
  second: {kind: toy.write, value: 3, init: {from: first}}
  total: {kind: toy.sum, rows: {one: {from: first}, two: {from: second}}}
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with the importable plugin `toy` and `job.yaml`."""
    package = tmp_path / "toy"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "helper.py").touch()
    (package / "write.py").write_text(WRITE)
    (package / "sum.py").write_text(SUM)
    (tmp_path / "job.yaml").write_text(PIPELINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("SEGDA_DATA", raising=False)
    monkeypatch.setattr(lookup, "_allowed_plugins", {"toy"})
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "toy"]:
        del sys.modules[name]
