import torch
from torch import nn

from segda.networks.encoders import dilated_resnet


def test_blocks_3_and_4_are_dilated_and_the_paper_layers_end_it() -> None:
    encoder = dilated_resnet.build(depth=18)
    assert encoder.channels == (3, 64, 64, 128, 256, 512)
    assert encoder.resnet.layer3[1].conv1.dilation == (2, 2)
    assert encoder.resnet.layer4[1].conv1.dilation == (4, 4)
    assert [layer.dilation for layer in encoder.degrid if isinstance(layer, nn.Conv2d)] == [(2, 2), (1, 1)]


def test_bottlenecks_are_wider_and_degridding_can_be_left_out() -> None:
    encoder = dilated_resnet.build(depth=50, degrid=False)
    assert encoder.channels == (3, 64, 256, 512, 1024, 2048)
    assert not list(encoder.degrid.parameters())


def test_frozen_batchnorm_keeps_the_trunks_statistics_only() -> None:
    encoder = dilated_resnet.build(depth=18, freeze_batchnorm=True).train()
    trunk = encoder.resnet.bn1.running_mean.clone()
    degrid = encoder.degrid[1].running_mean.clone()
    encoder(torch.rand(2, 3, 32, 32))
    assert torch.equal(encoder.resnet.bn1.running_mean, trunk)
    assert not torch.equal(encoder.degrid[1].running_mean, degrid)
