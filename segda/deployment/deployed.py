"""A network in another format, before and after its file is written, and the formats by the ending of the file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from segda.config.lookup import nearest
from segda.errors import ConfigError

FORMATS = {".onnx": "ONNX", ".pt2": "torch.export", ".pt": "TorchScript"}
"""The ending of a file to its format."""

METADATA = "segda"
"""The key of the JSON in a file's metadata; the name without ending of such a file inside a file of torch."""


class Deployed(Protocol):
    """A network in a format of other programs.

    Attributes:
        versions: of what made the file, and the opset of ONNX.
    """

    versions: Mapping[str, str | int]

    def __call__(self, image: Tensor) -> Tensor:
        """The output for images `[B, 3, H, W]`, of the type and range that the network takes."""

    def content(self, metadata: str) -> bytes:
        """All of the file, with the JSON `metadata`."""


@dataclass(frozen=True)
class Example:
    """Images to trace a network with.

    Attributes:
        image: `[2, 3, H, W]`, of the type and range that the network takes.
        free_size: whether the network takes images of other heights and widths.
    """

    image: Tensor
    free_size: bool


def demand_format(path: Path) -> str:
    """The format of a file by its ending.

    Raises:
        ConfigError: no format has that ending.
    """
    if path.suffix not in FORMATS:
        valid = ", ".join(f"{ending} ({name})" for ending, name in FORMATS.items())
        raise ConfigError(f"{path}: no format ends in {path.suffix!r}; {nearest(path.suffix, FORMATS)}: {valid}")
    return FORMATS[path.suffix]
