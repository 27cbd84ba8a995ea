"""Checks of options and inputs of networks, where a wrong value would otherwise fail deep inside torch."""

from collections.abc import Sequence

from torch import Tensor

from segda.errors import ConfigError

RESIZE = "resize or crop the images, or set the encoder's `size`"


def demand_at_least(network: str, least: int, **options: int) -> None:
    """Whole numbers that have to be large enough.

    Args:
        network: what the message calls the network.
        least: the smallest value allowed.
        options: names and values.

    Raises:
        ConfigError: one of them is smaller.
    """
    for option, value in options.items():
        if value < least:
            raise ConfigError(f"{network}: {option} is {value}; expected at least {least}")


def demand_counts(network: str, option: str, counts: Sequence[int], least: int = 1) -> None:
    """Numbers of features or units of a list of layers have to be positive.

    Args:
        network: what the message calls the network.
        option: the option that gave `counts`.
        counts: feature maps or units of each layer.
        least: how many layers there have to be at least.

    Raises:
        ConfigError: too few layers, or one of no features.
    """
    if len(counts) < least or any(count < 1 for count in counts):
        raise ConfigError(f"{network}: {option} is {list(counts)}; expected {least} or more entries, each at least 1")


def demand_probability(network: str, option: str, value: float) -> None:
    """A probability of dropping a feature lies in `[0, 1)`.

    Raises:
        ConfigError: `value` does not.
    """
    if not 0 <= value < 1:
        raise ConfigError(f"{network}: {option} is {value}; expected at least 0 and less than 1")


def demand_square(x: Tensor, side: int, network: str, remedy: str = RESIZE) -> None:
    """A fully connected layer takes inputs of one size.

    Args:
        x: `[B, C, H, W]`.
        side: the height and width that it was built for.
        network: what the message calls the network.
        remedy: what to change; by default the remedy of encoders with an option `size`.

    Raises:
        ConfigError: `x` has another size.
    """
    height, width = int(x.shape[-2]), int(x.shape[-1])
    if (height, width) != (side, side):
        raise ConfigError(f"{network}: got {height}x{width}, is built for {side}x{side} alone; {remedy}")
