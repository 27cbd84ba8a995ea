"""Pairs of a source image and its counterpart in the target domain."""

from torch import Tensor

from segda.errors import ConfigError
from segda.objectives.forward_pass import ForwardPass


def counterpart(p: ForwardPass) -> Tensor:
    """The target images, each the counterpart of the source image at the same index: `[B, 3, H, W]`.

    Raises:
        ConfigError: source and target images differ in shape.
    """
    source, target = p.image("source"), p.image("target")
    if source.shape != target.shape:
        raise ConfigError(
            f"the method's terms use pairs, but source images are {tuple(source.shape)} and target images "
            f"{tuple(target.shape)}; give both domains the same pairs, crop and batch size"
        )
    return target
