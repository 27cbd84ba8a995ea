"""VGG's layers, with torchvision's names."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from segda import torchvision_compat
from segda.errors import ConfigError
from segda.networks import vgg
from segda.networks.layers.imagenet_norm import ImagenetNorm

SMALL = ((4, 4), (6, 6), (8,) * 4, (8,) * 4, (8,) * 4)


@pytest.mark.parametrize("depth", [16, 19])
def test_names_and_shapes_are_torchvisions(depth: int) -> None:
    torchvision_compat.import_ready()
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        theirs = getattr(models, f"vgg{depth}")(weights=None).features.state_dict(prefix="features.")
        ours = vgg.Vgg(vgg.BLOCKS[depth], ("conv1_1",), "max").state_dict()
    assert {name: tensor.shape for name, tensor in ours.items()} == {n: t.shape for n, t in theirs.items()}


def test_features_are_rectified_convolutions_of_the_normalised_image() -> None:
    network = vgg.Vgg(((2,), (3,)), ("conv1_1", "conv2_1"), "max").eval()
    image = torch.rand(1, 3, 6, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    features = network(image)
    first = network.features[0](ImagenetNorm()(image)).relu()
    torch.testing.assert_close(features["conv1_1"], first)
    torch.testing.assert_close(features["conv2_1"], network.features[3](nn.functional.max_pool2d(first, 2)).relu())
    assert features["conv2_1"].shape == (1, 3, 3, 4)


def test_average_pooling() -> None:
    network = vgg.Vgg(((2,), (3,)), ("conv1_1", "conv2_1"), "average")
    features = network(torch.ones(1, 3, 4, 4))
    pooled = nn.functional.avg_pool2d(features["conv1_1"], 2)
    torch.testing.assert_close(features["conv2_1"], network.features[3](pooled).relu())


def test_the_least_image() -> None:
    for layer, side in (("conv1_2", 1), ("conv3_1", 4), ("conv5_4", 16)):
        network = vgg.Vgg(SMALL, ("conv1_1", layer), "max")
        assert (network.deepest, network.smallest) == (layer, side)
        assert set(network(torch.zeros(1, 3, side, side))) == {"conv1_1", layer}


def test_weights_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vgg.BLOCKS, 19, SMALL)
    written = vgg.build(19, None, layers=("conv1_1",), seed=5).state_dict()
    file = tmp_path / "vgg19.safetensors"
    safetensors.torch.save_file({**written, "classifier.0.weight": torch.zeros(2, 2)}, file)
    read = vgg.build(19, str(file), layers=("conv1_1",), seed=6)
    assert all(torch.equal(tensor, written[name]) for name, tensor in read.state_dict().items())
    assert not any(parameter.requires_grad for parameter in read.parameters())
    assert not read.training


def test_drawn_filters_are_the_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vgg.BLOCKS, 19, SMALL)
    state = torch.get_rng_state()
    first, again, other = (vgg.build(19, None, layers=("conv1_1",), seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.features[0].weight, again.features[0].weight)
    assert not torch.equal(first.features[0].weight, other.features[0].weight)


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(ConfigError, match="no layer 'conv4_9'; did you mean 'conv4_"):
        vgg.Vgg(SMALL, ("conv4_9",), "max")


def test_a_download_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vgg.BLOCKS, 19, SMALL)
    torchvision_compat.import_ready()
    models = pytest.importorskip("torchvision.models")

    def fail(*arguments: object, **options: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(models.VGG19_Weights, "get_state_dict", fail)
    with pytest.raises(ConfigError, match=r"vgg19: weights 'imagenet' could not be downloaded \(no route to host\)"):
        vgg.build(19, "imagenet", layers=("conv1_1",))
