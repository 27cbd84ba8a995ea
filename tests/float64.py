"""Run segda in float64: `python -m tests.float64 WORD…`, or `double()` in this process.

In float32 the order of a sum can decide on which side of a kink (a sign, an arg max, a ReLU) a value is, and one pixel
on the other side changes a gradient by far more than rounding. In float64 no value is that close to a kink.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from pipelines.__main__ import main as command_line
from pipelines.running import launch

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


def main() -> int:
    """The command line in float64, and so in each process that it starts."""
    make(torch.float64, torch.Tensor.double)
    launch.WORKER = launch.WORKER.replace("pipelines.__main__", "tests.float64")
    return command_line()


if __name__ == "__main__":
    sys.exit(main())
