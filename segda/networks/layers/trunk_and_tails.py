"""Decoders whose first layers serve all domains and whose last layers serve one."""

from collections.abc import Callable

from torch import Tensor, nn

from segda.errors import ConfigError
from segda.networks.layers.grey import from_grey
from segda.networks.layers.initialisation import initialise_normal
from segda.networks.layers.normalisation import Norm, normalisation


class TrunkAndTails(nn.Module):
    """A trunk shared by the domains and one tail for each of them."""

    def __init__(
        self,
        name: str,
        layer: Callable[[int], list[nn.Module]],
        layers: int,
        shared_layers: int,
        domains: tuple[str, ...],
        norm: Norm,
        grey: bool,
    ) -> None:
        """Build the trunk, then each tail; `layer` makes the layer of an index, and `name` is for messages.

        With any `norm` but `none`, weights are drawn as DCGAN draws them; `grey` repeats the last layer's one channel.

        Raises:
            ConfigError: no layer would be left to a domain of its own.
        """
        super().__init__()
        if not 0 <= shared_layers < layers:
            raise ConfigError(
                f"{name}: shared_layers is {shared_layers}, must be from 0 to {layers - 1}, since the last layer "
                "belongs to its domain"
            )
        self.grey = grey

        def stack(first: int, end: int) -> nn.Sequential:
            return nn.Sequential(*(part for index in range(first, end) for part in layer(index)))

        self.trunk = stack(0, shared_layers)
        self.tails = nn.ModuleDict({domain: stack(shared_layers, layers) for domain in domains})
        if norm != "none":
            initialise_normal(self)

    def decode(self, z: Tensor, domain: str) -> Tensor:
        """Decode z as an image `[B, 3, H, W]` of `domain`, in `[-1, 1]`."""
        image: Tensor = self.tails[domain](self.trunk(z))
        return from_grey(image) if self.grey else image


def finished(layer: nn.Module, outside: int, norm: Norm, last: bool) -> list[nn.Module]:
    """A convolution to `outside` maps with its normalisation and ReLU, or with tanh where it is the last."""
    return [layer, nn.Tanh()] if last else [layer, normalisation(norm, outside), nn.ReLU()]
