"""A small job on a small data set, and a small disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import data, refused
from tests.resources.full_disk import Disk

__all__ = ["data", "refused"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 64 MiB, empty."""
    small = Disk(tmp_path / "disk", 64 << 20)
    yield small
    small.unmount()
