"""The pipeline that several test files run."""

from pathlib import Path

import pytest

from tests.resume import chain as chains


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the pipeline with a stage of every kind."""
    return chains.write(tmp_path_factory.mktemp("chain"))
