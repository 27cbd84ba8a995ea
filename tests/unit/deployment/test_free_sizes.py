"""Every kind of encoder and head for images is exported at one size and computes the same at others."""

import pytest
import torch

from segda.deployment.comparison import demand_equal, random_image
from segda.deployment.deployed import Example
from segda.deployment.torch_export import TorchExport, traced
from segda.errors import ArtefactError
from segda.networks import networks as network_building
from segda.networks.image_network import ImageNetwork, TranslatorNetwork

TRACED = (2, 262, 390)
SHAPES = [(1, 64, 96), (3, 75, 130)]
SMALL = {"name": "small", "width": 4}


def smp(encoder: str, **options: object) -> dict[str, object]:
    return {"name": "smp", "encoder": encoder, **options}


def decoder(name: str) -> dict[str, object]:
    return {"name": "smp", "decoder": name}


QUICK = [
    ({**SMALL, "blocks": 1}, SMALL),
    (smp("resnet18"), decoder("unet")),
    ({"name": "vit", "model": "vit_tiny_patch16_224"}, {"name": "light", "width": 8}),
]
SLOW = [
    ({"name": "dilated_resnet", "depth": 50}, {"name": "linear"}),
    ({"name": "dilated_densenet"}, {"name": "linear"}),
    ({"name": "vit", "model": "vit_small_patch14_dinov2"}, {"name": "light"}),
    (smp("mit_b0"), {"name": "daformer", "width": 32}),
    (smp("mobilenet_v2", output_stride=16), decoder("deeplabv3plus")),
    (smp("tu-convnext_atto"), SMALL),
    (smp("efficientnet-b0"), SMALL),
    (smp("densenet121"), SMALL),
    *((smp("resnet18"), decoder(name)) for name in (
        "deeplabv3", "fpn", "linknet", "manet", "pspnet", "segformer", "unetplusplus", "upernet",
    )),
]  # fmt: skip
CASES = [*QUICK, *(pytest.param(*pair, marks=pytest.mark.slow) for pair in SLOW)]


@pytest.mark.parametrize(("encoder", "head"), CASES, ids=str)
def test_a_segmenting_network_takes_any_size(encoder: dict[str, object], head: dict[str, object]) -> None:
    torch.manual_seed(0)
    built = network_building.build({"encoder", "head"}, classes=5, tied=True, encoder=encoder, head=head)
    built.train(False)
    network = ImageNetwork(built, pixelwise=True)
    exported = TorchExport(traced(network, Example(random_image(TRACED, False), True)))
    demand_equal(network, exported, SHAPES, False, 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "head"),
    [({"name": "vit", "model": "vit_small_patch16_dinov3"}, {"name": "light"}), (smp("resnet18"), decoder("pan"))],
    ids=str,
)
def test_networks_that_are_bound_to_the_traced_size_are_refused(
    encoder: dict[str, object], head: dict[str, object]
) -> None:
    """timm computes rotary positions for the size that is traced; pan pools by it."""
    built = network_building.build({"encoder", "head"}, classes=5, tied=True, encoder=encoder, head=head)
    built.train(False)
    network = ImageNetwork(built, pixelwise=True)
    exported = TorchExport(traced(network, Example(random_image(TRACED, False), True)))
    with pytest.raises(ArtefactError, match="fails on 3x3x267x514 images"):
        demand_equal(network, exported, [(3, 267, 514)], False, 1e-5)


@pytest.mark.parametrize(
    ("encoder", "decoder"),
    [
        ({"name": "translator", "width": 4, "blocks": 1}, {"name": "translator", "blocks": 1}),
        pytest.param({"name": "dilated_resnet", "depth": 50}, {"name": "transposed"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_a_translator_takes_any_size(encoder: dict[str, object], decoder: dict[str, object]) -> None:
    torch.manual_seed(0)
    built = network_building.build({"decoder.target"}, classes=5, tied=True, encoder=encoder, decoder=decoder)
    built.train(False)
    network = TranslatorNetwork(built)
    exported = TorchExport(traced(network, Example(random_image(TRACED, False), True)))
    demand_equal(network, exported, SHAPES, False, 1e-5)


def test_classifiers_take_any_batch_and_size() -> None:
    torch.manual_seed(0)
    built = network_building.build(
        {"encoder", "head"}, classes=5, tied=True, encoder={"name": "lenet"}, head={"name": "pooled"}
    )
    built.train(False)
    network = ImageNetwork(built, pixelwise=False)
    exported = TorchExport(traced(network, Example(random_image(TRACED, False), True)))
    demand_equal(network, exported, [*SHAPES, (2, 33, 47)], False, 1e-5)
