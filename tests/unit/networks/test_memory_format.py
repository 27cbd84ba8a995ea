"""Channels last: where it is used, that it changes nothing but rounding, and the defect that forbids it elsewhere."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from segda.networks import networks as network_building
from segda.networks.encoders import dilated_resnet, small, smp, translator
from segda.networks.memory_format import use_faster_format


def is_channels_last(module: nn.Module) -> bool:
    """Whether a convolution of several channels keeps its weights so."""
    weights = [layer.weight for layer in module.modules() if isinstance(layer, nn.Conv2d) and layer.kernel_size[0] > 1]
    return all(w.is_contiguous(memory_format=torch.channels_last) for w in weights if w.shape[1] > 1)


@pytest.mark.parametrize(("encoder", "expected"), [
    (small.build(width=4, blocks=1), True),
    (smp.build("mobilenet_v2"), True),
    (smp.build("resnet18"), False),
    (dilated_resnet.build(18), False),
    (translator.build(width=4, blocks=1, norm="batch"), True),
    (translator.build(width=4, blocks=1), False),
])  # fmt: skip
def test_the_encoder_decides_for_all_networks(encoder: nn.Module, expected: bool) -> None:
    head = nn.Conv2d(4, 4, 3)
    use_faster_format([head, encoder])
    assert is_channels_last(encoder) is expected
    assert is_channels_last(head) is expected


def test_never_beside_instance_normalisation() -> None:
    encoder, discriminator = small.build(width=4, blocks=1), nn.Sequential(nn.Conv2d(4, 4, 3), nn.InstanceNorm2d(4))
    use_faster_format([encoder, discriminator])
    assert not is_channels_last(encoder)


def test_losses_and_gradients_are_the_same_but_for_rounding() -> None:
    built = network_building.build(
        {"encoder", "head"}, classes=3, tied=True,
        encoder={"name": "small", "width": 8, "blocks": 1}, head={"name": "small", "width": 8},
    )  # fmt: skip
    modules = {name: module.double() for name, module in built.modules.items()}
    image = torch.rand(2, 3, 32, 48, dtype=torch.float64)
    label = torch.randint(3, (2, 4, 6))

    def gradients(networks: dict[str, nn.Module]) -> list[Tensor]:
        logits = networks["head"](networks["encoder"](image))
        functional.cross_entropy(functional.adaptive_avg_pool2d(logits, (4, 6)), label).backward()
        return [parameter.grad for module in networks.values() for parameter in module.parameters()]  # type: ignore[misc]

    other = copy.deepcopy(modules)
    use_faster_format(other.values())
    assert is_channels_last(other["encoder"])
    for one, two in zip(gradients(modules), gradients(other), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-12)


@pytest.mark.xfail(
    strict=True, reason="torch: InstanceNorm2d's backward on CPUs is wrong for one image and channels-last gradients"
)
def test_instance_normalisation_of_one_image_with_a_channels_last_gradient() -> None:
    """Fails the day that the pinned torch computes it rightly; `use_faster_format` then needs no exception for it."""
    image = torch.rand(1, 8, 6, 6, dtype=torch.float64)
    weight = torch.rand(1, 8, 6, 6, dtype=torch.float64)

    def gradient(memory_format: torch.memory_format) -> Tensor:
        x = image.clone().requires_grad_()
        output = functional.instance_norm(x)
        output.backward(weight.to(memory_format=memory_format))
        assert x.grad is not None
        return x.grad

    torch.testing.assert_close(gradient(torch.contiguous_format), gradient(torch.channels_last))
