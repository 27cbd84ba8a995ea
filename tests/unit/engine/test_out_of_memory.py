"""Out-of-memory errors of every library are recognized; the search for what fits."""

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from segda.engine import out_of_memory


class Greedy(Dataset[int]):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        return int(np.empty(1 << 60, dtype=np.uint8)[0])


def test_real_errors_are_known() -> None:
    """Each library is asked for more memory than any machine has."""
    reasons = []
    for attempt in (
        lambda: torch.empty(1 << 60),
        lambda: np.empty(1 << 60, dtype=np.uint8),
        lambda: bytearray(1 << 60),
        lambda: cv2.resize(np.zeros((10, 10), np.uint8), (1 << 28, 1 << 28)),
        lambda: next(iter(DataLoader(Greedy(), num_workers=1))),
    ):
        with pytest.raises((RuntimeError, MemoryError, cv2.error)) as raised:
            attempt()
        reasons.append(out_of_memory.out_of_memory_reason(raised.value))
    assert all(line and "\n" not in line and len(line) < 200 for line in reasons), reasons
    assert reasons[0] == "DefaultCPUAllocator: can't allocate memory: you tried to allocate 4611686018427387904 bytes"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a capacity of …"),
            "CUDA out of memory",
        ),
        (
            RuntimeError("DataLoader worker (pid 12) is killed by signal: Killed. "),
            "DataLoader worker (pid 12) is killed by signal: Killed",
        ),
        (
            RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly: std::bad_alloc"),
            "DataLoader worker (pid(s) 7) exited unexpectedly: std::bad_alloc",
        ),
        (OSError(12, "Cannot allocate memory"), "[Errno 12] Cannot allocate memory"),
        (MemoryError(), "out of memory"),
    ],
)
def test_others_are_known_by_their_words(error: Exception, line: str) -> None:
    assert out_of_memory.out_of_memory_reason(error) == line


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes differ"), OSError(28, "No space left on device"), ValueError("out of memory")]
)
def test_other_errors_are_not(error: Exception) -> None:
    assert out_of_memory.out_of_memory_reason(error) is None


def test_the_error_behind_an_error_counts() -> None:
    """The loader names the signal only in the cause of its error; cyclic causes must not loop forever."""
    error = RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly")
    error.__cause__ = RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")
    assert out_of_memory.out_of_memory_reason(error) == "DataLoader worker (pid 7) is killed by signal: Killed"
    circle = ValueError("x")
    circle.__cause__ = circle
    assert out_of_memory.out_of_memory_reason(circle) is None


@pytest.mark.parametrize(
    ("share", "first", "limit", "expected"),
    [(8, 1, 8, 1), (8, 1, 3, 4), (8, 2, 8, 2), (6, 1, 3, 2), (6, 1, 2, 3), (7, 1, 3, 7), (8, 1, 0, None)],
)
def test_the_smallest_number_that_fits(share: int, first: int, limit: int, expected: int | None) -> None:
    """At most `limit` samples fit at a time."""
    assert out_of_memory.smallest_accumulate(share, first, lambda count: share // count <= limit) == expected


def test_an_attempt_that_fails_otherwise_is_not_hidden() -> None:
    def broken() -> None:
        raise RuntimeError("shapes differ")

    assert out_of_memory.fits_in_memory(lambda: None)
    assert not out_of_memory.fits_in_memory(lambda: torch.empty(1 << 60))
    with pytest.raises(RuntimeError, match="shapes differ"):
        out_of_memory.fits_in_memory(broken)
