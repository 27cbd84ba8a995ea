import torch

from segda.networks.encoders import unet


def test_pix2pixs_layers() -> None:
    encoder = unet.build()
    assert encoder.channels == (3, 64, 128, 256, 512, 512, 512, 512, 512)
    assert encoder.strides[-1] == 256
    kinds = [[type(layer).__name__ for layer in stage] for stage in encoder.stages]
    assert [stage[1] for stage in kinds] == ["Identity", *["BatchNorm"] * 6, "Identity"]
    assert all((stage[0].kernel_size, stage[0].stride) == ((4, 4), (2, 2)) for stage in encoder.stages)


def test_one_image_of_the_papers_size_can_be_trained_on() -> None:
    z = unet.build(width=4).train()(torch.zeros(1, 3, 256, 256))[-1]
    assert z.shape == (1, 32, 1, 1)
