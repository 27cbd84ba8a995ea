"""One undisturbed run of the tiny pipeline, which many tests compare with."""

from pathlib import Path

import pytest

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
