import pytest
import torch
from torch import Tensor
from torch.nn import functional

from segda.errors import ConfigError
from segda.networks.heads import daformer

CHANNELS, STRIDES = (3, 0, 4, 5, 6), (1, 2, 4, 8, 16)


def _features() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn(2, count, 64 // stride, 96 // stride, generator=generator)
        for count, stride in zip(CHANNELS, STRIDES, strict=True)
    ]


def test_logits_by_hand() -> None:
    torch.manual_seed(0)
    head = daformer.build(CHANNELS, STRIDES, 7, width=8, norm="none", dropout=0.0)
    features = _features()
    maps = []
    for level, embed in zip((4, 3, 2), list(head.embed.embeddings)[::-1], strict=True):
        x = functional.conv2d(features[level], embed.weight, embed.bias)
        maps.append(functional.interpolate(x, size=(16, 24), mode="bilinear", align_corners=False))
    embedded = torch.cat(maps, dim=1)
    branches = [functional.relu(_convolved(embedded, head.branches[0][0]))]
    for branch, dilation in zip(list(head.branches)[1:], (6, 12, 18), strict=True):
        alone, pointwise = branch[0], branch[3]
        x = functional.conv2d(embedded, alone.weight, alone.bias, padding=dilation, dilation=dilation, groups=24)
        branches.append(functional.relu(_convolved(functional.relu(x), pointwise)))
    fuse = head.fuse[0]
    fused = functional.relu(functional.conv2d(torch.cat(branches, dim=1), fuse.weight, fuse.bias, padding=1))
    torch.testing.assert_close(head(features), _convolved(fused, head.classifier), rtol=1e-4, atol=1e-6)


def test_its_parameters_are_those_of_the_papers_description() -> None:
    """On MiT-B5 (64, 128, 320 and 512 maps) with 19 classes."""
    head = daformer.build((3, 0, 64, 128, 320, 512), (1, 2, 4, 8, 16, 32), 19)
    embeddings = (64 + 128 + 320 + 512) * 256 + 4 * 256
    norm = 2
    branches = 1024 * 256 + norm * 256 + 3 * (1024 * 9 + norm * 1024 + 1024 * 256 + norm * 256)
    fused = 1024 * 9 * 256 + norm * 256
    assert sum(each.numel() for each in head.parameters()) == embeddings + branches + fused + 256 * 19 + 19


def test_an_encoder_without_coarse_maps_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"head daformer: needs maps of stride 4 or more, got strides \[1, 2\]"):
        daformer.build((3, 8), (1, 2), 5)


def _convolved(x: Tensor, layer: torch.nn.Conv2d) -> Tensor:
    return functional.conv2d(x, layer.weight, layer.bias)
