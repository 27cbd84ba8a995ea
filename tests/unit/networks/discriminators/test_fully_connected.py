from typing import Any

import pytest
import torch
from torch import nn

from segda.errors import ConfigError
from segda.networks.discriminators import fully_connected


def _counts(discriminator: nn.Module) -> list[int]:
    return [
        sum(parameter.numel() for parameter in layer.parameters())
        for layer in discriminator.modules()
        if isinstance(layer, nn.Conv2d)
    ]


def test_section_5_1s_feature_discriminator() -> None:
    """z is `[B, 128, 2, 2]`: 512 numbers, then 500, 500, 1."""
    discriminator = fully_connected.build(128, 10, side=2)
    assert _counts(discriminator) == [500 * 513, 500 * 501, 501]
    assert discriminator(torch.randn(3, 128, 2, 2)).realness.shape == (3, 1, 1, 1)


@pytest.mark.parametrize(
    ("channels", "options", "counts"),
    [
        (500, {"slope": 0.0}, [500 * 501, 500 * 501, 501]),  # ADDA
        (768, {"widths": [100], "slope": 0.0}, [100 * 769, 101]),  # DANN on MNIST
        (256 * 31, {"widths": [1024, 1024], "slope": 0.0, "dropout": 0.5}, [1024 * 7937, 1024 * 1025, 1025]),  # CDAN
        (128, {"widths": [64], "slope": 0.0, "glorot": True}, [64 * 129, 65]),  # the tutorial's DANN
        (2, {"widths": []}, [3]),  # logistic regression
    ],
)
def test_the_methods_own_discriminators(channels: int, options: dict[str, Any], counts: list[int]) -> None:
    assert _counts(fully_connected.build(channels, 10, **options)) == counts


def test_another_size_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match="got 2x2, is built for 1x1 alone; set the discriminator's `side`"):
        fully_connected.build(4, 10)(torch.zeros(1, 4, 2, 2))
