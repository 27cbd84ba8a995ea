"""Checks of options and inputs of networks, where a wrong value would otherwise fail deep inside torch."""

from collections.abc import Sequence

from torch import Tensor

from segda.errors import ConfigError

RESIZE = "resize or crop the images, or set the encoder's `size`"


def demand_at_least(network: str, least: int, **options: int) -> None:
    """Raise a ConfigError if an option of a network is smaller than `least`."""
    for option, value in options.items():
        if value < least:
            raise ConfigError(f"{network}: {option} is {value}; expected at least {least}")


def demand_counts(network: str, option: str, counts: Sequence[int], least: int = 1) -> None:
    """Raise a ConfigError if an option lists fewer than `least` layers, or one without features or units."""
    if len(counts) < least or any(count < 1 for count in counts):
        raise ConfigError(f"{network}: {option} is {list(counts)}; expected {least} or more entries, each at least 1")


def demand_probability(network: str, option: str, value: float) -> None:
    """Raise a ConfigError if the probability of dropping a feature is not in `[0, 1)`."""
    if not 0 <= value < 1:
        raise ConfigError(f"{network}: {option} is {value}; expected at least 0 and less than 1")


def demand_square(x: Tensor, side: int, network: str, remedy: str = RESIZE) -> None:
    """Raise a ConfigError if `[B, C, H, W]` is not of the height and width that a fully connected layer was built for.

    The default remedy is that of encoders with an option `size`.
    """
    height, width = int(x.shape[-2]), int(x.shape[-1])
    if (height, width) != (side, side):
        raise ConfigError(f"{network}: got {height}x{width}, is built for {side}x{side} alone; {remedy}")
