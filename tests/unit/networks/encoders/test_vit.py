from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional

from segda import torchvision_compat
from segda.errors import ConfigError
from segda.networks import networks, weights
from segda.networks.encoders import vit

TINY = "test_vit"
EVA = "eva02_tiny_patch14_224"  # its attention adds a bias of its own, and takes the weight past the layer by default


def _image(height: int, width: int) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_z_is_timms_last_block_normalised_without_its_class_token() -> None:
    encoder = vit.build(TINY).eval()
    image = _image(160, 160)  # the size that this model was made for: positions are not resampled
    with torch.no_grad():
        _, z = encoder(image)
        tokens = encoder.vit.forward_features((image + 1) / 2 / 0.5 - 1)
    assert encoder.imagenet_norm.mean.flatten().tolist() == [0.5, 0.5, 0.5]
    expected = tokens[:, encoder.vit.num_prefix_tokens :].transpose(1, 2).unflatten(2, (10, 10))
    torch.testing.assert_close(z, expected, rtol=1e-4, atol=1e-4)


def test_other_sizes_are_enlarged_to_whole_patches() -> None:
    encoder = vit.build(TINY).eval()
    image = _image(50, 39)
    with torch.no_grad():
        z = encoder(image)[-1]
        grown = encoder(functional.interpolate(image, size=(64, 48), mode="bilinear", align_corners=False))[-1]
    assert z.shape == (2, 64, 4, 3)
    torch.testing.assert_close(z, grown, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("model", "mean"),
    [
        ("vit_small_patch14_dinov2.lvd142m", (0.485, 0.456, 0.406)),
        ("vit_large_patch16_dinov3.lvd1689m", (0.485, 0.456, 0.406)),
        ("vit_large_patch16_dinov3.sat493m", (0.430, 0.411, 0.296)),
        ("vit_base_patch16_clip_224", (0.48145466, 0.4578275, 0.40821073)),
    ],
)
def test_the_tag_decides_by_which_statistics_images_are_normalised(model: str, mean: tuple[float, ...]) -> None:
    assert vit.image_statistics(model).mean.flatten().tolist() == pytest.approx(mean)


@pytest.mark.parametrize("model", [TINY, EVA])
def test_lora_computes_what_the_plain_network_does_before_its_first_step(model: str, tmp_path: Path) -> None:
    file = _published(model, tmp_path)
    plain, lora = (vit.build(model, str(file), train=learning, rank=3).eval() for learning in ("all", "lora"))
    image = _image(56, 70)
    with torch.no_grad():
        expected = plain(image)[-1]
        torch.testing.assert_close(lora(image)[-1], expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("model", [TINY, EVA])
def test_lora_learns_its_two_factors_of_every_linear_layer_and_nothing_else(model: str) -> None:
    encoder = vit.build(model, train="lora", rank=3)
    learning = {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    layers = {f"{block}.{layer}" for block in range(len(encoder.vit.blocks)) for layer in (
        "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"
    )}  # fmt: skip
    assert learning == {f"vit.blocks.{layer}.lora_{factor}" for layer in layers for factor in ("down", "up")}
    encoder(_image(56, 56))[-1].square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert (parameter.grad is not None) == (name in learning)
        if name.endswith("lora_up"):
            assert parameter.grad is not None
            assert parameter.grad.any(), name


def test_the_change_is_alpha_over_rank_times_the_product_of_the_factors() -> None:
    encoder = vit.build(TINY, train="lora", rank=2, alpha=6.0)
    layer = encoder.vit.blocks[0].mlp.fc1
    layer.lora_up.data.normal_()
    x = torch.randn(5, layer.weight.shape[1])
    whole = layer.weight + 6.0 / 2 * layer.lora_up @ layer.lora_down
    torch.testing.assert_close(layer(x), x @ whole.T + layer.bias, rtol=1e-4, atol=1e-4)


def test_what_a_stage_publishes_is_complete_and_opens_again(tmp_path: Path) -> None:
    built = _networks("lora", 0)
    for parameter in built.modules["encoder"].parameters():
        parameter.data += 0.01
    weights.save(built.modules, tmp_path)
    again = _networks("lora", 1)
    weights.load(again.modules, tmp_path)
    image = _image(32, 32)
    built.train(False)
    again.train(False)
    with torch.no_grad():
        assert torch.equal(again.encode(image, "source")[-1], built.encode(image, "source")[-1])


@pytest.mark.parametrize(("train", "learning"), [("all", ["encoder", "head"]), ("none", ["head"])])
def test_a_frozen_encoder_does_not_count_as_trained(train: str, learning: list[str]) -> None:
    built = _networks(train, 0)
    assert built.trainable() == learning
    built.classify(built.encode(_image(32, 32), "source")).sum().backward()
    assert any(parameter.grad is not None for parameter in built.modules["encoder"].parameters()) == (train == "all")


def test_timms_file_loads_unchanged_whatever_learns(tmp_path: Path) -> None:
    file = _published(EVA, tmp_path)
    content = safetensors.torch.load_file(file)
    loaded = vit.build(EVA, str(file), train="lora").vit.state_dict()
    kept = [name for name in content if name in loaded]
    assert {name.split(".")[0] for name in set(content) - set(kept)} == {"fc_norm", "head"}
    assert all(torch.equal(loaded[name], content[name]) for name in kept)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "vit_smal_patch14_dinov2"}, "no plain vision transformer.*did you mean 'vit_small_patch14_dinov2'"),
        ({"model": "swin_tiny_patch4_window7_224"}, "no plain vision transformer 'swin_tiny_patch4_window7_224'"),
        ({"model": "vit_small_patch14_dinov2.lvd142"}, "no weights '.*lvd142'; did you mean '.*dinov2.lvd142m'"),
        ({"model": TINY, "train": "lora", "rank": 0}, "encoder vit: rank is 0; expected at least 1"),
        (
            {"model": "vit_small_patch16_dinov3", "weights": "imagenet"},
            r"get model.safetensors from https://huggingface.co/timm/vit_small_patch16_dinov3.\w+ "
            r"\(licence: dinov3-license\) and give `weights` its path",
        ),
        ({"weights": "gone.safetensors"}, r"weights gone.safetensors: no such file.*\(licence: apache-2.0\)"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        vit.build(**options)  # type: ignore[arg-type]


def _published(model: str, folder: Path) -> Path:
    """A file as timm publishes it, with a classifier."""
    torchvision_compat.import_ready("timm")
    import timm

    file = folder / "model.safetensors"
    safetensors.torch.save_file(timm.create_model(model, num_classes=2).state_dict(), file)
    return file


def _networks(train: str, seed: int) -> networks.Networks:
    torch.manual_seed(seed)
    encoder = {"name": "vit", "model": TINY, "train": train, "rank": 2}
    return networks.build({"encoder", "head"}, classes=4, tied=True, encoder=encoder, head={"name": "light"})
