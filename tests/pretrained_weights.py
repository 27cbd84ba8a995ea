"""A weights file for methods that need a pretrained encoder: values at random, the same in every run."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from segda.networks.encoders import smp

NAME = "tu-mobilenetv3_small_050"


@cache
def encoder() -> dict[str, Any]:
    """The config of an encoder with such weights: the first two stages of a small network, output stride 4.

    Its file is deleted when the tests end.
    """
    folder = Path(tempfile.mkdtemp(prefix="segda-pretrained-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = smp.build(NAME, depth=2).encoder.model
    file = folder / f"{NAME}.safetensors"
    save_file({name: tensor.float().contiguous() for name, tensor in network.state_dict().items()}, file)
    return {"name": "smp", "encoder": NAME, "depth": 2, "weights": str(file), "freeze_batchnorm": True}
