"""smp opens what segda shares where encoder and head are smp's, and gives the same logits."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from segda.networks import smp_model
from segda.networks.heads.smp import names
from segda.networks.networks import Networks, build
from tests.sharing import write

STRIDES = {"deeplabv3": 8, "deeplabv3plus": 16, "pan": 16}


def opened(folder: Path) -> Any:
    """The folder's model, by smp alone."""
    import segmentation_models_pytorch as smp  # segda has made it importable with a torch for CPUs

    return smp.from_pretrained(folder).eval()


def shared(folder: Path, decoder: str, encoder: str = "resnet18", **head: Any) -> Networks:
    """Networks at random with statistics of their own, and their folder."""
    torch.manual_seed(0)
    configs = {
        "encoder": {"name": "smp", "encoder": encoder, "output_stride": STRIDES.get(decoder, 32)},
        "head": {"name": "smp", "decoder": decoder, **head},
    }
    networks = build({"encoder", "head"}, classes=3, tied=True, **configs)  # type: ignore[arg-type]
    for module in (part for each in networks.modules.values() for part in each.modules()):
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)  # type: ignore[union-attr]
    networks.train(False)
    write(networks, configs, folder)
    return networks


@pytest.mark.parametrize("decoder", sorted({*names()} - {"linknet"}))
def test_smp_gives_the_same_logits(decoder: str, tmp_path: Path) -> None:
    networks = shared(tmp_path, decoder, dropout=0.1)
    model = opened(tmp_path)
    image = torch.rand(1, 3, 128, 192, generator=torch.Generator().manual_seed(0))
    mean, deviation = (torch.tensor(each).view(1, 3, 1, 1) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        own = networks.classify(networks.encode(2 * image - 1, "target"))
        theirs = model((image - mean) / deviation)
    assert own.shape == theirs.shape
    assert (own - theirs).abs().max() < 1e-4 * own.abs().max()


def test_options_of_the_decoder_are_kept(tmp_path: Path) -> None:
    shared(tmp_path, "unet", options={"attention_type": "scse", "interpolation_mode": "bilinear"})
    model = opened(tmp_path)
    assert "SCSE" in str(model)
    assert {block.interpolation_mode for block in model.decoder.blocks} == {"bilinear"}


def test_what_smp_has_no_model_for_is_not_offered_to_it(tmp_path: Path) -> None:
    shared(tmp_path, "linknet")  # whose last convolution is 3x3 here and 1x1 there
    assert json.loads((tmp_path / "config.json").read_text()).keys() == {"_segda"}
    encoder: dict[str, Any] = {"name": "smp", "encoder": "resnet18", "output_stride": 16}
    head: dict[str, Any] = {"name": "smp", "decoder": "upernet"}
    assert smp_model.config_of(encoder, head, 3, {}) is None  # smp's UPerNet does not dilate its encoder
    assert smp_model.config_of(encoder, {"name": "small"}, 3, {}) is None
    assert smp_model.config_of({"name": "small"}, head, 3, {}) is None
    assert smp_model.config_of({**encoder, "output_stride": 32}, head, 3, {}) is None  # tensors of another network
