"""Networks as programs of `torch.export`, for any batch, height and width."""

import io
import warnings
from collections.abc import Mapping

import torch
from packaging.version import Version
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from segda.deployment.deployed import METADATA, Example
from segda.errors import ConfigError, reason

# The first whose torch.export turns conditions on sizes into checks of the program.
_LEAST_TORCH = "2.9"


def traced(network: nn.Module, example: Example) -> ExportedProgram:
    """The network as a program that takes any batch, and with `example.free_size` any height and width.

    Raises:
        ConfigError: the network computes what depends on the size in a way that cannot be traced, or torch is too old.
    """
    if Version(torch.__version__) < Version(_LEAST_TORCH):
        raise ConfigError(
            f"torch {torch.__version__} cannot trace networks for any size; pip install 'torch>={_LEAST_TORCH}', or "
            "write a .pt file"
        )
    free = dict.fromkeys((0, 2, 3) if example.free_size else (0,), Dim.DYNAMIC)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of layers that are obsolete, which no user can change here
            return torch.export.export(
                network, (example.image,), dynamic_shapes=(free,), prefer_deferred_runtime_asserts_over_guards=True
            )
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        raise ConfigError(
            f"torch.export cannot trace the network ({reason(error)}); choose another row, encoder or head"
        ) from error


class TorchExport:
    """A program of `torch.export`.

    Attributes:
        versions: see `Deployed`.
    """

    def __init__(self, program: ExportedProgram) -> None:
        self.versions: Mapping[str, str | int] = {"torch": torch.__version__}
        self._program = program
        self._program.example_inputs = None  # the file would hold the images
        self._module = torch.export.load(io.BytesIO(self.content("{}"))).module()

    def __call__(self, image: Tensor) -> Tensor:
        """The output for images, by the program as its file holds it."""
        output: Tensor = self._module(image)
        return output

    def content(self, metadata: str) -> bytes:
        """All of the file."""
        file = io.BytesIO()
        torch.export.save(self._program, file, extra_files={f"{METADATA}.json": metadata})
        return file.getvalue()
