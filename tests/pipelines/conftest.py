"""One undisturbed run of the tiny pipeline, which many tests compare with, and small published data sets."""

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
    """The runs folder of an undisturbed run; do not change it."""
    runs = tmp_path_factory.mktemp("finished") / "runs"
    tiny.run(job, runs)
    return runs


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data root, with GTA5 (one label of another size than its image) and Cityscapes in small."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path / "data"))
    layouts.gta5(tmp_path / "data")
    layouts.cityscapes(tmp_path / "data")
    return tmp_path / "data"
