import pytest
import torch

from segda.errors import ConfigError
from segda.networks.discriminators import patch70


def test_each_score_sees_70_by_70_pixels() -> None:
    torch.manual_seed(0)
    discriminator = patch70.build(3, 19, width=4, norm="none")
    image = torch.randn(1, 3, 128, 128, requires_grad=True)
    score = discriminator(image).realness
    assert score.shape == (1, 1, 14, 14)
    score[0, 0, 7, 7].backward()
    assert image.grad is not None
    seen = image.grad.abs().sum(dim=(0, 1)) > 0
    rows, columns = seen.any(dim=1).nonzero(), seen.any(dim=0).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 70
    assert int(columns.max() - columns.min()) + 1 == 70


def test_the_least_image_works_and_a_smaller_one_is_refused() -> None:
    discriminator = patch70.build(3, 19, width=4)
    assert discriminator(torch.zeros(1, 3, 24, 24)).realness.shape == (1, 1, 1, 1)
    with pytest.raises(ConfigError, match="needs 24x24"):
        discriminator(torch.zeros(1, 3, 24, 23))


def test_a_pair_of_images_is_judged_as_in_pix2pix() -> None:
    """Six channels in, 30x30 scores for 256x256; pix2pix's code counts 2,768,705 parameters (with batch norm's)."""
    discriminator = patch70.build(6, 19, norm="batch")
    assert discriminator(torch.zeros(1, 6, 256, 256)).realness.shape == (1, 1, 30, 30)
    layers = (6 * 64 * 16 + 64) + 64 * 128 * 16 + 128 * 256 * 16 + 256 * 512 * 16 + (512 * 16 + 1)
    normalisation = 2 * (128 + 256 + 512)
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == layers + normalisation == 2_768_705
