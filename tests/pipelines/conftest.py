"""An uninterrupted run of the tiny pipeline for many tests to compare with, and small data sets in public layouts."""

from pathlib import Path

import pytest

from tests.configs import layouts
from tests.pipelines import tiny


@pytest.fixture(scope="session")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline's file."""
    return tiny.write(tmp_path_factory.mktemp("job"))


@pytest.fixture(scope="session")
def finished(job: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs folder of an uninterrupted run; do not modify it."""
    runs = tmp_path_factory.mktemp("finished") / "runs"
    tiny.run(job, runs)
    return runs


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data root, with GTA5 (one label differs in size from its image) and a small Cityscapes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path / "data"))
    layouts.gta5(tmp_path / "data")
    layouts.cityscapes(tmp_path / "data")
    return tmp_path / "data"
