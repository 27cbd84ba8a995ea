"""Networks as TorchScript, for programs that run libtorch."""

import io
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from segda.deployment.deployed import METADATA, Example
from segda.errors import ConfigError, reason


class TorchScript:
    """A traced network; whether it takes other sizes than the example's only running it shows.

    Attributes:
        versions: see `Deployed`.
    """

    def __init__(self, network: nn.Module, example: Example) -> None:
        """Trace the network.

        Raises:
            ConfigError: it cannot be traced.
        """
        self.versions: Mapping[str, str | int] = {"torch": torch.__version__}
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of each branch on a size; the comparison shows which matter
                self._module = torch.jit.trace(network, (example.image,), check_trace=False)
        except (RuntimeError, ValueError, TypeError) as error:
            raise ConfigError(
                f"TorchScript cannot trace the network ({reason(error)}); write a .pt2 or .onnx file"
            ) from error

    def __call__(self, image: Tensor) -> Tensor:
        """The output for images."""
        output: Tensor = self._module(image)
        return output

    def content(self, metadata: str) -> bytes:
        """All of the file."""
        file = io.BytesIO()
        torch.jit.save(self._module, file, _extra_files={f"{METADATA}.json": metadata})
        return file.getvalue()
