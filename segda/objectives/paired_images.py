"""Images whose counterpart in the other domain is known."""

from torch import Tensor

from segda.errors import ConfigError
from segda.objectives.forward_pass import ForwardPass


def counterpart(p: ForwardPass) -> Tensor:
    """The target images, each the counterpart of the source image at its place in the batch: `[B, 3, H, W]`.

    Raises:
        ConfigError: the shapes show that the images are no pairs.
    """
    source, target = p.image("source"), p.image("target")
    if source.shape != target.shape:
        raise ConfigError(
            f"the method's terms use pairs, but source images are {tuple(source.shape)} and target images "
            f"{tuple(target.shape)}; give both domains the same pairs, crop and batch size"
        )
    return target
