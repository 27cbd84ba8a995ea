"""Bytes are compared between this process and forks of it, which compute in one thread."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.resume import chain as chains


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """As in `tests/pipelines/`."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the pipeline with a stage of every kind."""
    return chains.write(tmp_path_factory.mktemp("chain"))
