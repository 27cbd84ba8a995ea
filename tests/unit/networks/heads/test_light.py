import torch
from torch.nn import functional

from segda.networks.heads import light


def test_logits_by_hand_at_four_times_the_size_of_z() -> None:
    torch.manual_seed(0)
    head = light.build((3, 8), (1, 14), 5)
    z = torch.randn(2, 8, 3, 4)
    up, first, _, again, second, mix, third = head.layers
    x = functional.conv_transpose2d(z, up.weight, up.bias, stride=2)
    x = functional.gelu(_normalised(x, first))
    x = _normalised(functional.conv_transpose2d(x, again.weight, again.bias, stride=2), second)
    x = _normalised(functional.conv2d(x, mix.weight, padding=1), third)
    logits = head([torch.zeros(2, 3, 42, 56), z])
    assert logits.shape == (2, 5, 12, 16)
    torch.testing.assert_close(logits, functional.conv2d(x, head.classifier.weight), rtol=1e-4, atol=1e-5)


def _normalised(x: torch.Tensor, norm: torch.nn.LayerNorm) -> torch.Tensor:
    centred = x - x.mean(dim=1, keepdim=True)
    scaled = centred / (centred.square().mean(dim=1, keepdim=True) + norm.eps).sqrt()
    return scaled * norm.weight[:, None, None] + norm.bias[:, None, None]
