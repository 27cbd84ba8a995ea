"""Run segda in float64: `python -m tests.float64 WORD…`, or `double()` in this process.

In float32 the order of a sum decides on which side of a kink (a sign, an arg max, a ReLU) a value lies, and one pixel
on the other side changes a gradient by far more than rounding. In float64 no value is that near to one.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

SINGLE = torch.Tensor.float


def make(dtype: torch.dtype, convert: Callable[[Tensor], Tensor]) -> None:
    torch.set_default_dtype(dtype)
    torch.Tensor.float = convert  # type: ignore[method-assign, assignment]


@contextmanager
def double() -> Iterator[None]:
    """Networks, images and random numbers are made in float64."""
    make(torch.float64, torch.Tensor.double)
    try:
        yield
    finally:
        make(torch.float32, SINGLE)


if __name__ in ("__main__", "__mp_main__"):  # the second in each process that the launcher spawns
    make(torch.float64, torch.Tensor.double)
if __name__ == "__main__":
    from pipelines.__main__ import main

    sys.exit(main())
