import torch

from segda.networks.layers.imagenet_norm import MEAN, STD, ImagenetNorm


def test_a_pixel_at_imagenets_mean_becomes_zero_and_white_its_distance_in_deviations() -> None:
    norm = ImagenetNorm()
    mean = torch.tensor(MEAN).view(1, 3, 1, 1) * 2 - 1
    assert norm(mean).abs().max() < 1e-6
    white = norm(torch.ones(1, 3, 1, 1)).flatten().tolist()
    for value, channel_mean, channel_std in zip(white, MEAN, STD, strict=True):
        assert abs(value - (1 - channel_mean) / channel_std) < 1e-5


def test_the_statistics_are_no_weights() -> None:
    assert not ImagenetNorm().state_dict()
