"""Kernels that give the same bits each time, on a GPU too: slower, and an error where there is none."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from segda.errors import TrainingError

WORKSPACE_VARIABLE = "CUBLAS_WORKSPACE_CONFIG"
#: The larger of the two settings with which cuBLAS always takes the same workspace; read when CUDA starts.
WORKSPACE = ":4096:8"
_REFUSAL = "does not have a deterministic implementation"


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Around a launch: torch takes deterministic kernels alone, if `wanted`; afterwards everything is as before.

    On a CPU nothing changes but the flags: there the same threads give the same bits anyway.

    Raises:
        TrainingError: a layer or loss has no deterministic kernel on this device.
    """
    if not wanted:
        yield
        return
    before = (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled())
    library = torch.backends.cudnn
    chosen = (library.deterministic, library.benchmark)
    workspace = os.environ.get(WORKSPACE_VARIABLE)
    os.environ.setdefault(WORKSPACE_VARIABLE, WORKSPACE)
    torch.use_deterministic_algorithms(True)
    library.deterministic, library.benchmark = True, False
    try:
        yield
    except RuntimeError as error:
        if _REFUSAL not in str(error):
            raise
        kernel = str(error).split(_REFUSAL)[0].strip()
        raise TrainingError(
            f"runtime.deterministic: {kernel} has no deterministic kernel on this device; leave it out, or "
            "choose another layer or loss"
        ) from error
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        library.deterministic, library.benchmark = chosen
        if workspace is None:
            del os.environ[WORKSPACE_VARIABLE]
