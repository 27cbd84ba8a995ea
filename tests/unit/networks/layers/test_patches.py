from typing import Any

import pytest
import torch

from segda.errors import ConfigError
from segda.networks.discriminators import fully_convolutional, patch, patch34, patch70


@pytest.mark.parametrize(("discriminator", "side"), [(patch34, 34), (patch70, 70)])
def test_each_score_sees_a_patch_of_that_size(discriminator: Any, side: int) -> None:
    torch.manual_seed(0)
    image = torch.randn(1, 3, 128, 128, requires_grad=True)
    scores = discriminator.build(3, 19, width=4, norm="none")(image).realness
    scores[0, 0, scores.shape[2] // 2, scores.shape[3] // 2].backward()
    assert image.grad is not None
    reached = image.grad.abs().sum(dim=(0, 1)) > 0
    for positions in (reached.any(dim=1).nonzero(), reached.any(dim=0).nonzero()):
        assert int(positions.max() - positions.min()) + 1 == side


@pytest.mark.parametrize(
    ("discriminator", "least"), [(patch, 16), (patch34, 4), (patch70, 24), (fully_convolutional, 32)]
)
def test_the_least_image_works_and_a_smaller_one_is_refused(discriminator: Any, least: int) -> None:
    network = discriminator.build(3, 10, width=4)
    assert network(torch.zeros(2, 3, least, least)).realness.shape == (2, 1, 1, 1)
    with pytest.raises(ConfigError, match=f"got {least}x{least - 1} pixels, needs {least}x{least}"):
        network(torch.zeros(2, 3, least, least - 1))
