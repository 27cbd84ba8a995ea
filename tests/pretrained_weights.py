"""A weights file for methods that need a pretrained encoder: values at random, the same in every run."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from segda.networks.encoders import smp

NAME = "tu-mobilenetv3_small_050"


@cache
def encoder() -> dict[str, Any]:
    """The config of an encoder with such weights: the first two stages of a small network, output stride 4.

    Its file is deleted when the tests end.
    """
    folder = Path(tempfile.mkdtemp(prefix="segda-pretrained-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / f"{NAME}.safetensors"
    generator = torch.Generator().manual_seed(0)
    tensors = smp.build(NAME, depth=2).encoder.model.state_dict()
    save_file({name: _drawn(name, tensor, generator) for name, tensor in tensors.items()}, file)
    return {"name": "smp", "encoder": NAME, "depth": 2, "weights": str(file), "freeze_batchnorm": True}


def _drawn(name: str, tensor: Tensor, generator: torch.Generator) -> Tensor:
    """Values that do not depend on how a version of the library draws them."""
    if name.endswith(("running_var", "num_batches_tracked")):
        return torch.ones(tensor.shape, dtype=torch.float32)
    return 0.2 * torch.randn(tensor.shape, generator=generator, dtype=torch.float32)
