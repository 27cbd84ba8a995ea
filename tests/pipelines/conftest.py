"""One undisturbed run of the tiny pipeline, which many tests compare with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.pipelines import tiny


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Bytes are compared between runs in this process and in forks of it, which compute in one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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
