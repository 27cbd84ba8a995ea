import torch

from segda.networks.discriminators import patch70


def test_a_pair_of_images_is_scored_as_in_pix2pix() -> None:
    """Six channels in, 30x30 scores for 256x256; pix2pix's code counts 2,768,705 parameters (with batch norm's)."""
    discriminator = patch70.build(6, 19, norm="batch")
    assert discriminator(torch.zeros(1, 6, 256, 256)).realness.shape == (1, 1, 30, 30)
    layers = (6 * 64 * 16 + 64) + 64 * 128 * 16 + 128 * 256 * 16 + 256 * 512 * 16 + (512 * 16 + 1)
    normalisation = 2 * (128 + 256 + 512)
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == layers + normalisation == 2_768_705
